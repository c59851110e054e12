//! Failures in geth's words.

use std::borrow::Cow;

use revm::bytecode::opcode::OpCode;
use revm::context::result::InvalidTransaction;
use revm::interpreter::InstructionResult;

/// Why a frame failed; None if it did not.
pub fn frame_error(result: InstructionResult, opcode: Option<u8>) -> Option<Cow<'static, str>> {
    use InstructionResult as R;
    let word = match result {
        R::Stop | R::Return | R::SelfDestruct | R::Suspend => return None,
        R::Revert => "execution reverted",
        R::CallTooDeep => "max call depth exceeded",
        R::OutOfFunds => "insufficient balance for transfer",
        R::OutOfGas
        | R::MemoryOOG
        | R::MemoryLimitOOG
        | R::PrecompileOOG
        | R::InvalidOperandOOG
        | R::ReentrancySentryOOG => "out of gas",
        R::OpcodeNotFound | R::InvalidFEOpcode | R::NotActivated | R::InvalidImmediateEncoding => {
            return Some(Cow::Owned(invalid_opcode(opcode.unwrap_or(0xfe))));
        }
        R::CallNotAllowedInsideStatic | R::StateChangeDuringStaticCall => "write protection",
        R::InvalidJump => "invalid jump destination",
        R::StackUnderflow => "stack underflow",
        R::StackOverflow => "stack limit reached 1024 (1023)",
        R::OutOfOffset => "return data out of bounds",
        R::CreateCollision => "contract address collision",
        R::OverflowPayment => "insufficient balance for transfer",
        R::PrecompileError => "precompiled contract failed",
        R::NonceOverflow => "nonce uint64 overflow",
        R::CreateContractSizeLimit => "max code size exceeded",
        R::CreateContractStartingWithEF
        | R::CreateInitCodeStartingEF00
        | R::InvalidEOFInitCode
        | R::InvalidExtDelegateCallTarget => "invalid code: must not begin with 0xef",
        R::CreateInitCodeSizeLimit => "max initcode size exceeded",
        R::FatalExternalError => "stopped",
    };
    Some(Cow::Borrowed(word))
}

fn invalid_opcode(opcode: u8) -> String {
    match OpCode::new(opcode) {
        Some(known) => format!("invalid opcode: {}", known.as_str()),
        None => format!("invalid opcode: opcode {opcode:#x} not defined"),
    }
}

/// Why a node would refuse the transaction: geth's text, and the particulars.
pub fn refusal(error: &InvalidTransaction) -> (&'static str, String) {
    use InvalidTransaction as E;
    let reason = match error {
        E::NonceTooLow { .. } => "nonce too low",
        E::NonceTooHigh { .. } => "nonce too high",
        E::NonceOverflowInTransaction => "nonce has max value",
        E::LackOfFundForMaxFee { .. } | E::OverflowPaymentInTransaction => "insufficient funds for gas * price + value",
        E::CallGasCostMoreThanGasLimit { .. } => "intrinsic gas too low",
        E::GasFloorMoreThanGasLimit { .. } => "insufficient gas for floor data gas cost",
        E::CallerGasLimitMoreThanBlock => "exceeds block gas limit",
        E::TxGasLimitGreaterThanCap { .. } => "transaction gas limit too high",
        E::GasPriceLessThanBasefee => "max fee per gas less than block base fee",
        E::PriorityFeeGreaterThanMaxFee => "max priority fee per gas higher than max fee per gas",
        E::RejectCallerWithCode => "sender not an eoa",
        E::CreateInitCodeSizeLimit => "max initcode size exceeded",
        E::InvalidChainId | E::MissingChainId => "invalid chain id for signer",
        E::BlobGasPriceGreaterThanMax { .. } => "max fee per blob gas less than block blob gas fee",
        E::EmptyBlobs => "blob transaction missing blob hashes",
        E::TooManyBlobs { .. } => "blob transaction has too many blobs",
        E::BlobVersionNotSupported => "blob transaction has a hash of unknown version",
        E::BlobCreateTransaction => "blob transaction of type create",
        E::EmptyAuthorizationList => "EIP-7702 transaction with empty auth list",
        E::AuthorizationListInvalidFields => "EIP-7702 transaction cannot be used to create contract",
        _ => "transaction type not supported",
    };
    let detail = match error {
        E::NonceTooLow { tx, state } | E::NonceTooHigh { tx, state } => format!("tx: {tx} state: {state}"),
        E::LackOfFundForMaxFee { fee, balance } => format!("have {balance} want {fee}"),
        E::CallGasCostMoreThanGasLimit { initial_gas, gas_limit } => format!("have {gas_limit}, want {initial_gas}"),
        E::GasFloorMoreThanGasLimit { gas_floor, gas_limit } => format!("have {gas_limit}, want {gas_floor}"),
        other => other.to_string(),
    };
    (reason, detail)
}

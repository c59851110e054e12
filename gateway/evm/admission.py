"""What a node checks before it executes: intrinsic gas, nonce, balance, fee caps, block gas limit.

Pure functions; the words are geth's (core/error.go, core/state_transition.go), so that a wallet shows what it knows.
"""

from __future__ import annotations

from typing import Final

from gateway.errors import Unexecutable
from gateway.evm.simulator import Checks
from gateway.model.block import BlockContext, Fork
from gateway.model.state import AccountState
from gateway.model.transaction import Transaction, TransactionType

MAX_NONCE: Final = 2**64 - 1
BLOB_GAS: Final = 131_072  # EIP-4844 GAS_PER_BLOB
MAX_INITCODE: Final = 49_152  # bytes, EIP-3860
MAX_TRANSACTION_GAS: Final = 2**24  # EIP-7825, from Osaka on
_DELEGATION_PREFIX: Final = b"\xef\x01\x00"  # EIP-7702

_FIRST_FORK: Final = {
    TransactionType.ACCESS_LIST: Fork.BERLIN,
    TransactionType.DYNAMIC_FEE: Fork.LONDON,
    TransactionType.BLOB: Fork.CANCUN,
    TransactionType.SET_CODE: Fork.PRAGUE,
}


def delegate_of(code: bytes) -> bytes | None:
    """The 20 bytes that an EIP-7702 designator points to; None for any other code."""
    return code[3:] if len(code) == 23 and code.startswith(_DELEGATION_PREFIX) else None


def intrinsic_gas(transaction: Transaction, fork: Fork) -> int:
    """Gas charged before the first opcode (geth's IntrinsicGas)."""
    creation = transaction.to is None
    gas = 53_000 if creation and fork.at_least(Fork.HOMESTEAD) else 21_000
    data = transaction.input
    if data:
        zeros = data.count(0)
        per_byte = 16 if fork.at_least(Fork.ISTANBUL) else 68  # EIP-2028
        gas += zeros * 4 + (len(data) - zeros) * per_byte
        if creation and fork.at_least(Fork.SHANGHAI):
            gas += 2 * ((len(data) + 31) // 32)  # EIP-3860
    for entry in transaction.access_list:
        gas += 2400 + 1900 * len(entry.slots)  # EIP-2930
    return gas + 25_000 * len(transaction.authorization_list)  # EIP-7702


def floor_gas(transaction: Transaction, fork: Fork) -> int:
    """The least a transaction pays for its data from Prague on (EIP-7623); 0 before."""
    if not fork.at_least(Fork.PRAGUE):
        return 0
    zeros = transaction.input.count(0)
    return 21_000 + 10 * (zeros + 4 * (len(transaction.input) - zeros))


def effective_gas_price(transaction: Transaction, base_fee: int) -> int:
    """Wei per gas that the sender pays (EIP-1559)."""
    return min(transaction.max_fee_per_gas, transaction.max_priority_fee_per_gas + base_fee)


def upfront_cost(transaction: Transaction) -> int:
    """Wei the sender must own: value, and gas at the highest price it allows."""
    gas = transaction.gas_limit * transaction.max_fee_per_gas
    blobs = BLOB_GAS * len(transaction.blob_versioned_hashes) * transaction.max_fee_per_blob_gas
    return transaction.value + gas + blobs


def check_transaction(transaction: Transaction, block: BlockContext) -> None:
    """Everything that needs no state.

    Raises:
        Unexecutable: with geth's words.
    """
    fork = block.fork
    first = _FIRST_FORK.get(transaction.type)
    if first is not None and not fork.at_least(first):
        raise Unexecutable("transaction type not supported", f"type {transaction.type:#x} came with {first}")
    if transaction.gas_limit > block.gas_limit:
        raise Unexecutable("exceeds block gas limit", f"gas {transaction.gas_limit}, limit {block.gas_limit}")
    if fork.at_least(Fork.OSAKA) and transaction.gas_limit > MAX_TRANSACTION_GAS:
        raise Unexecutable("transaction gas limit too high", f"cap {MAX_TRANSACTION_GAS}, tx {transaction.gas_limit}")
    if transaction.nonce == MAX_NONCE:
        raise Unexecutable("nonce has max value", f"nonce {transaction.nonce}")
    _check_shape(transaction, fork)
    _check_gas(transaction, fork)


def check_fees(transaction: Transaction, block: BlockContext) -> None:
    """Fee caps against the block's base fees.

    Raises:
        Unexecutable: with geth's words.
    """
    if transaction.max_priority_fee_per_gas > transaction.max_fee_per_gas:
        raise Unexecutable(
            "max priority fee per gas higher than max fee per gas",
            f"maxPriorityFeePerGas {transaction.max_priority_fee_per_gas}, maxFeePerGas {transaction.max_fee_per_gas}",
        )
    if transaction.max_fee_per_gas < block.base_fee:
        raise Unexecutable(
            "max fee per gas less than block base fee",
            f"maxFeePerGas {transaction.max_fee_per_gas}, baseFee {block.base_fee}",
        )
    if transaction.type == TransactionType.BLOB and transaction.max_fee_per_blob_gas < block.blob_base_fee:
        raise Unexecutable(
            "max fee per blob gas less than block blob gas fee",
            f"blobGasFeeCap {transaction.max_fee_per_blob_gas}, blobBaseFee {block.blob_base_fee}",
        )


def check_sender(transaction: Transaction, sender: AccountState, block: BlockContext, checks: Checks) -> None:
    """Nonce, sender's code and balance, as far as `checks` asks.

    Raises:
        Unexecutable: with geth's words.
    """
    if checks.nonce and transaction.nonce != sender.nonce:
        reason = "nonce too low" if transaction.nonce < sender.nonce else "nonce too high"
        raise Unexecutable(reason, f"address {transaction.sender}, tx {transaction.nonce}, state {sender.nonce}")
    if checks.sender_code and sender.code and delegate_of(sender.code) is None:
        raise Unexecutable("sender not an eoa", f"address {transaction.sender}")  # EIP-3607
    if not checks.balance:
        return
    check_fees(transaction, block)
    cost = upfront_cost(transaction)
    if cost > sender.balance:
        raise Unexecutable(
            "insufficient funds for gas * price + value",
            f"address {transaction.sender} have {sender.balance} want {cost}",
        )


def _check_shape(transaction: Transaction, fork: Fork) -> None:
    if transaction.type == TransactionType.SET_CODE and not transaction.authorization_list:
        raise Unexecutable("EIP-7702 transaction with empty auth list")
    if transaction.type == TransactionType.BLOB:
        if not transaction.blob_versioned_hashes:
            raise Unexecutable("blob transaction missing blob hashes")
        permitted = 9 if fork.at_least(Fork.PRAGUE) else 6  # EIP-7691
        blobs = len(transaction.blob_versioned_hashes)
        if blobs > permitted:
            raise Unexecutable("too many blobs in transaction", f"have {blobs}, permitted {permitted}")
        for index, versioned in enumerate(transaction.blob_versioned_hashes):
            if versioned[0] != 1:
                raise Unexecutable(f"blob {index} has invalid hash version")
    if transaction.to is None and fork.at_least(Fork.SHANGHAI) and len(transaction.input) > MAX_INITCODE:
        raise Unexecutable("max initcode size exceeded", f"code size {len(transaction.input)}, limit {MAX_INITCODE}")


def _check_gas(transaction: Transaction, fork: Fork) -> None:
    needed = intrinsic_gas(transaction, fork)
    if transaction.gas_limit < needed:
        raise Unexecutable("intrinsic gas too low", f"gas {transaction.gas_limit}, minimum needed {needed}")
    floor = floor_gas(transaction, fork)
    if transaction.gas_limit < floor:
        raise Unexecutable(
            "insufficient gas for floor data gas cost", f"gas {transaction.gas_limit}, minimum needed {floor}"
        )

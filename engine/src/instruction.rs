//! The few opcodes whose table entry is replaced, so that recording costs the others nothing.
//!
//! Every loop passes a JUMPDEST, so that is where the clock is looked at.

use revm::bytecode::opcode as op;
use revm::handler::instructions::EthInstructions;
use revm::interpreter::instructions::{block_info, control, gas_table_spec, host, instruction_table, system, tx_info};
use revm::interpreter::interpreter::EthInterpreter;
use revm::interpreter::{Instruction, InstructionContext, InstructionExecResult, InstructionResult};
use revm::primitives::hardfork::SpecId;
use revm::primitives::{Address, B256, U256};

use crate::host::Host;

type Entry = fn(Step<'_>) -> InstructionExecResult;
type Step<'a> = InstructionContext<'a, Host, EthInterpreter>;

/// The instruction table of `spec` with the recording entries in it.
pub fn instructions(spec: SpecId) -> EthInstructions<EthInterpreter, Host> {
    let mut table = instruction_table::<EthInterpreter, Host>();
    let entries: [(u8, Entry); 23] = [
        (op::SLOAD, sload),
        (op::SSTORE, sstore),
        (op::TLOAD, tload),
        (op::TSTORE, tstore),
        (op::LOG0, log::<0>),
        (op::LOG1, log::<1>),
        (op::LOG2, log::<2>),
        (op::LOG3, log::<3>),
        (op::LOG4, log::<4>),
        (op::KECCAK256, keccak256),
        (op::SELFDESTRUCT, self_destruct),
        (op::JUMPDEST, jump_destination),
        (op::TIMESTAMP, timestamp),
        (op::NUMBER, number),
        (op::COINBASE, coinbase),
        (op::DIFFICULTY, prev_randao),
        (op::BASEFEE, base_fee),
        (op::GASPRICE, gas_price),
        (op::GASLIMIT, gas_limit),
        (op::BLOCKHASH, block_hash),
        (op::ORIGIN, origin),
        (op::SELFBALANCE, self_balance),
        (op::BALANCE, balance),
    ];
    for (opcode, function) in entries {
        table[usize::from(opcode)] = Instruction::new(function);
    }
    EthInstructions::new(table, gas_table_spec(spec), spec)
}

fn again<'a>(step: &'a mut Step<'_>) -> Step<'a> {
    InstructionContext { interpreter: &mut *step.interpreter, host: &mut *step.host }
}

fn jump_destination(step: Step<'_>) -> InstructionExecResult {
    step.host.chain.tick(1)?;
    control::jumpdest(step)
}

fn sload(mut step: Step<'_>) -> InstructionExecResult {
    let slot = step.interpreter.stack.peek(0);
    host::sload(again(&mut step))?;
    let value = step.interpreter.stack.peek(0)?;
    step.host.chain.access(0, step.interpreter.input.target_address, slot?, value, value)
}

fn sstore(mut step: Step<'_>) -> InstructionExecResult {
    let slot = step.interpreter.stack.peek(0);
    let mut values = (U256::ZERO, U256::ZERO);
    host::sstore_with_gas_accounting(again(&mut step), |step, address, load| {
        values = (load.data.new_value, load.data.present_value);
        host::sstore_default_gas_accounting(step, address, load)
    })?;
    step.host.chain.access(1, step.interpreter.input.target_address, slot?, values.0, values.1)
}

fn tload(mut step: Step<'_>) -> InstructionExecResult {
    let slot = step.interpreter.stack.peek(0);
    host::tload(again(&mut step))?;
    let value = step.interpreter.stack.peek(0)?;
    step.host.chain.access(2, step.interpreter.input.target_address, slot?, value, value)
}

fn tstore(mut step: Step<'_>) -> InstructionExecResult {
    let (slot, value) = (step.interpreter.stack.peek(0), step.interpreter.stack.peek(1));
    let address = step.interpreter.input.target_address;
    let previous = slot.map(|slot| step.host.journaled_state.inner.tload(address, slot));
    host::tstore(again(&mut step))?;
    step.host.chain.access(3, address, slot?, value?, previous?)
}

fn log<const N: usize>(mut step: Step<'_>) -> InstructionExecResult {
    host::log::<N, Host>(again(&mut step))?;
    match step.host.journaled_state.inner.logs.last().cloned() {
        Some(log) => step.host.chain.event(log),
        None => Ok(()),
    }
}

/// Bytes of a preimage that is kept: from a packed address to terms of an agreement; longer ones are payloads.
const PREIMAGES: std::ops::RangeInclusive<usize> = 20..=1024;

fn keccak256(mut step: Step<'_>) -> InstructionExecResult {
    let (offset, length) = (step.interpreter.stack.peek(0), step.interpreter.stack.peek(1));
    system::keccak256(again(&mut step))?;
    let length = length?;
    // One permutation handles 136 bytes and costs about as much as a short loop.
    step.host.chain.tick(u32::try_from(length.saturating_to::<u64>() / 512).unwrap_or(u32::MAX).saturating_add(1))?;
    let length = length.saturating_to::<usize>();
    if !PREIMAGES.contains(&length) {
        return Ok(());
    }
    let hash = B256::from(step.interpreter.stack.peek(0)?);
    let offset = offset?.saturating_to::<usize>();
    let bytes = step.interpreter.memory.slice_len(offset, length);
    step.host.chain.preimage(hash, &bytes)
}

fn self_destruct(mut step: Step<'_>) -> InstructionExecResult {
    let address = step.interpreter.input.target_address;
    let target = step.interpreter.stack.peek(0);
    let value = step.host.journaled_state.inner.state.get(&address).map_or(U256::ZERO, |account| account.info.balance);
    let ended = host::selfdestruct(again(&mut step));
    if ended == Err(InstructionResult::SelfDestruct) {
        step.host.chain.self_destruct(address, Address::from_word(B256::from(target?)), value)?;
    }
    ended
}

fn balance(step: Step<'_>) -> InstructionExecResult {
    if let Ok(word) = step.interpreter.stack.peek(0)
        && step.host.chain.is_coinbase(Address::from_word(B256::from(word)))
    {
        step.host.chain.environment(10);
    }
    host::balance(step)
}

macro_rules! counted {
    ($($name:ident = $path:path, $index:literal;)*) => {
        $(fn $name(step: Step<'_>) -> InstructionExecResult {
            step.host.chain.environment($index);
            $path(step)
        })*
    };
}

counted! {
    timestamp = block_info::timestamp, 0;
    number = block_info::block_number, 1;
    coinbase = block_info::coinbase, 2;
    prev_randao = block_info::difficulty, 3;
    base_fee = block_info::basefee, 4;
    gas_price = tx_info::gasprice, 5;
    gas_limit = block_info::gaslimit, 6;
    block_hash = host::blockhash, 7;
    origin = tx_info::origin, 8;
    self_balance = host::selfbalance, 9;
}

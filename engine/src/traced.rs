//! revm with every frame recorded at entry and exit.

use std::borrow::Cow;
use std::convert::Infallible;

use revm::bytecode::opcode as op;
use revm::context::{Evm, FrameStack};
use revm::context_interface::context::ContextError;
use revm::handler::evm::FrameInitResult;
use revm::handler::instructions::EthInstructions;
use revm::handler::{EthFrame, EthPrecompiles, EvmTr, FrameData, FrameInitOrResult, FrameResult, ItemOrResult};
use revm::interpreter::interpreter::EthInterpreter;
use revm::interpreter::interpreter_action::FrameInit;
use revm::interpreter::interpreter_types::{Jumps, MemoryTr};
use revm::interpreter::{
    CallInputs, CallScheme, CreateInputs, CreateScheme, FrameInput, InstructionResult, InterpreterAction, STACK_LIMIT,
    SharedMemory,
};
use revm::primitives::Bytes;

use crate::frame::{Frame, Kind};
use crate::host::Host;
use crate::input::MEMORY_LIMIT;
use crate::instruction::instructions;
use crate::spec::precompiles;
use crate::word;

type Inner = Evm<Host, (), EthInstructions<EthInterpreter, Host>, EthPrecompiles, EthFrame<EthInterpreter>>;
type HostError = ContextError<Infallible>;

/// Whether a frame with `gas` left could have paid for memory up to the limit. If not, it is merely out of gas: revm
/// looks at the limit before it charges.
fn could_pay(memory: &SharedMemory, gas: u64) -> bool {
    let cost = |words: u64| 3 * words + words * words / 512;
    let (before, own) = (memory.local_memory_offset() as u64, memory.size() as u64);
    let free = MEMORY_LIMIT.saturating_sub(before + own);
    cost((own + free) / 32) - cost(own / 32) <= gas
}

/// revm whose frames are recorded.
pub struct Traced {
    /// revm itself.
    pub inner: Inner,
}

impl Traced {
    /// revm on `context`, with P256VERIFY where the fork lacks it if `p256`.
    pub fn new(context: Host, p256: bool) -> Self {
        let spec = context.cfg.spec;
        Self {
            inner: Evm {
                ctx: context,
                inspector: (),
                instruction: instructions(spec),
                precompiles: EthPrecompiles { precompiles: precompiles(spec, p256), spec },
                frame_stack: FrameStack::new_prealloc(8),
            },
        }
    }

    fn enter(&mut self, input: &FrameInput) -> Result<(), HostError> {
        let frame = match input {
            FrameInput::Call(inputs) => self.call_frame(inputs),
            FrameInput::Create(inputs) => create_frame(inputs),
            FrameInput::Empty => return Err(ContextError::Custom("empty frame".into())),
        };
        self.inner.ctx.chain.enter(frame).map_err(stopped)
    }

    fn call_frame(&self, inputs: &CallInputs) -> Frame {
        let (kind, from, to) = match inputs.scheme {
            CallScheme::Call => (Kind::Call, inputs.caller, inputs.target_address),
            CallScheme::StaticCall => (Kind::StaticCall, inputs.caller, inputs.target_address),
            CallScheme::DelegateCall => (Kind::DelegateCall, inputs.target_address, inputs.bytecode_address),
            CallScheme::CallCode => (Kind::CallCode, inputs.target_address, inputs.bytecode_address),
        };
        let (hash, code) = &inputs.known_bytecode;
        let delegate = self
            .inner
            .ctx
            .journaled_state
            .inner
            .state
            .get(&inputs.bytecode_address)
            .and_then(|account| account.info.code.as_ref()?.eip7702_address());
        Frame {
            from,
            to: Some(to),
            code_address: Some(delegate.unwrap_or(inputs.bytecode_address)),
            code_hash: (!code.is_empty()).then_some(*hash),
            code: (!code.is_empty()).then(|| code.clone()),
            value: inputs.value.get(),
            gas: inputs.gas_limit,
            input: inputs.input.bytes(&self.inner.ctx),
            ..Frame::new(kind)
        }
    }

    fn leave(&mut self, result: &FrameResult, detail: Detail) -> Result<(), HostError> {
        let outcome = result.interpreter_result();
        let failed = outcome.result.is_halt();
        let limit = self.inner.ctx.chain.frame().map_or(0, |frame| frame.gas);
        let gas_used = if failed { limit } else { limit.saturating_sub(outcome.gas.remaining()) };
        let error = match detail {
            Detail::CodeDeposit if outcome.result == InstructionResult::OutOfGas => {
                Some(Cow::Borrowed("contract creation code storage out of gas"))
            }
            Detail::ShortStack => word::frame_error(InstructionResult::StackUnderflow, None),
            Detail::Opcode(opcode) => word::frame_error(outcome.result, Some(opcode)),
            _ => word::frame_error(outcome.result, None),
        };
        let output = if failed { Bytes::new() } else { outcome.output.clone() };
        self.inner.ctx.chain.leave(gas_used, output, error).map_err(stopped)
    }
}

/// What is known about a failure beside its kind.
enum Detail {
    None,
    /// The opcode at which the frame halted.
    Opcode(u8),
    /// A DUP reached below the bottom of the stack.
    ShortStack,
    /// The creation's own code ended well.
    CodeDeposit,
}

fn create_frame(inputs: &CreateInputs) -> Frame {
    let kind = match inputs.scheme() {
        CreateScheme::Create2 { .. } => Kind::Create2,
        CreateScheme::Create | CreateScheme::Custom { .. } => Kind::Create,
    };
    Frame {
        from: inputs.caller(),
        code_hash: (!inputs.init_code().is_empty()).then(|| inputs.init_code_hash()),
        value: inputs.value(),
        gas: inputs.gas_limit(),
        input: inputs.init_code().clone(),
        ..Frame::new(kind)
    }
}

fn stopped(_: InstructionResult) -> HostError {
    ContextError::Custom("stopped by a limit".into())
}

impl EvmTr for Traced {
    type Context = Host;
    type Instructions = EthInstructions<EthInterpreter, Host>;
    type Precompiles = EthPrecompiles;
    type Frame = EthFrame<EthInterpreter>;

    fn all(&self) -> (&Host, &Self::Instructions, &EthPrecompiles, &FrameStack<Self::Frame>) {
        self.inner.all()
    }

    fn all_mut(&mut self) -> (&mut Host, &mut Self::Instructions, &mut EthPrecompiles, &mut FrameStack<Self::Frame>) {
        self.inner.all_mut()
    }

    fn frame_init(&mut self, init: FrameInit) -> Result<FrameInitResult<'_, Self::Frame>, HostError> {
        self.enter(&init.frame_input)?;
        let ended = match self.inner.frame_init(init)? {
            ItemOrResult::Item(frame) => {
                let created = frame.data.created_address();
                if let (Some(address), Some(frame)) = (created, self.inner.ctx.chain.frame()) {
                    frame.to = Some(address);
                    frame.code_address = Some(address);
                }
                None
            }
            ItemOrResult::Result(result) => Some(result),
        };
        match ended {
            None => Ok(ItemOrResult::Item(self.inner.frame_stack.get())),
            Some(result) => {
                // Refused, a precompile, or nothing to run: whatever code lies there did not run.
                if let Some(frame) = self.inner.ctx.chain.frame() {
                    (frame.code_hash, frame.code) = (None, None);
                }
                self.leave(&result, Detail::None)?;
                Ok(ItemOrResult::Result(result))
            }
        }
    }

    fn frame_run(&mut self) -> Result<FrameInitOrResult<Self::Frame>, HostError> {
        let Evm { ctx, instruction, frame_stack, .. } = &mut self.inner;
        let frame = frame_stack.get();
        let action = frame.interpreter.run_plain(instruction.instruction_table(), instruction.gas_table(), ctx);
        let remaining = frame.interpreter.gas.remaining();
        if let Some(frame) = ctx.chain.frame() {
            frame.remaining = remaining;
        }
        if matches!(&action, InterpreterAction::Return(result) if result.result == InstructionResult::MemoryLimitOOG)
            && could_pay(&frame.interpreter.memory, remaining)
        {
            ctx.chain.stop("memory");
        }
        if ctx.chain.stopped.is_some() {
            return Err(ContextError::Custom("stopped by a limit".into()));
        }
        let detail = match &action {
            InterpreterAction::Return(result) if result.result.is_halt() => {
                let code = frame.interpreter.bytecode.bytes_slice();
                let at = frame.interpreter.bytecode.pc().saturating_sub(1);
                let opcode = code.get(at).copied();
                match opcode {
                    // revm calls a DUP without enough below it an overflow
                    Some(op::DUP1..=op::DUP16)
                        if result.result == InstructionResult::StackOverflow
                            && frame.interpreter.stack.len() < STACK_LIMIT =>
                    {
                        Detail::ShortStack
                    }
                    Some(opcode) => Detail::Opcode(opcode),
                    None => Detail::None,
                }
            }
            InterpreterAction::Return(result) if result.is_ok() && matches!(frame.data, FrameData::Create(_)) => {
                Detail::CodeDeposit
            }
            _ => Detail::None,
        };
        let next = frame.process_next_action::<_, HostError>(ctx, action)?;
        if let ItemOrResult::Result(result) = &next {
            frame.set_finished(true);
            self.leave(result, detail)?;
        }
        Ok(next)
    }

    fn frame_return_result(&mut self, result: FrameResult) -> Result<Option<FrameResult>, HostError> {
        self.inner.frame_return_result(result)
    }
}

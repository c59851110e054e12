//! One run: revm with frames recorded at entry and exit.

use std::borrow::Cow;
use std::convert::Infallible;
use std::time::Instant;

use revm::Journal;
use revm::bytecode::opcode as op;
use revm::context::result::{EVMError, ExecutionResult};
use revm::context::{BlockEnv, CfgEnv, Context, Evm, FrameStack, JournalTr, LocalContext, TxEnv};
use revm::context_interface::context::ContextError;
use revm::handler::evm::FrameInitResult;
use revm::handler::instructions::EthInstructions;
use revm::handler::{
    EthFrame, EthPrecompiles, EvmTr, FrameData, FrameInitOrResult, FrameResult, Handler, ItemOrResult, MainnetHandler,
};
use revm::interpreter::interpreter::EthInterpreter;
use revm::interpreter::interpreter_action::FrameInit;
use revm::interpreter::interpreter_types::Jumps;
use revm::interpreter::{
    CallInputs, CallScheme, CreateInputs, CreateScheme, FrameInput, InstructionResult, InterpreterAction, STACK_LIMIT,
};
use revm::primitives::{Address, Bytes, TxKind, U256};

use crate::diff::{AccountChange, changes};
use crate::instruction::instructions;
use crate::recorder::{Frame, Kind, Limits, Recorder};
use crate::spec::precompiles;
use crate::word;
use crate::world::{Source, Wanted};

/// The context that instructions see; the recorder is its `chain`.
pub type Host = Context<BlockEnv, TxEnv, CfgEnv, Source, Journal<Source>, Recorder>;
type Inner = Evm<Host, (), EthInstructions<EthInterpreter, Host>, EthPrecompiles, EthFrame<EthInterpreter>>;
type HostError = ContextError<Infallible>;

/// revm whose frames are recorded.
struct Traced {
    inner: Inner,
}

/// What a run left behind.
#[derive(Debug)]
pub struct Outcome {
    /// "success", "reverted" or "halted".
    pub status: &'static str,
    /// As in the receipt.
    pub gas_used: u64,
    /// Return or revert data; for a creation the runtime code.
    pub output: Bytes,
    /// geth's word for the failure.
    pub error: Option<Cow<'static, str>>,
    /// Frames, events, accesses.
    pub trace: Recorder,
    /// Net effect, fees included.
    pub changes: Vec<AccountChange>,
    /// Seconds.
    pub duration: f64,
}

/// How a run ended.
#[derive(Debug)]
pub enum Ending {
    /// Executed, perhaps stopped by a limit.
    Executed(Box<Outcome>),
    /// Keys are missing; nothing else is known.
    Wanting(Wanted),
    /// A node would refuse the transaction: geth's text, and particulars.
    Refused(&'static str, String),
    /// The engine itself failed.
    Broken(String),
}

/// All that one run needs beside its state.
#[derive(Clone, Debug)]
pub struct Run {
    /// The transaction.
    pub tx: TxEnv,
    /// The block.
    pub block: BlockEnv,
    /// Rules and switched-off checks.
    pub cfg: CfgEnv,
    /// P256VERIFY before Osaka.
    pub p256: bool,
    /// Bounds.
    pub limits: Limits,
    /// Replay: the sender is given the value it lacks, and fees are not charged.
    pub grant_value: bool,
}

/// Executes one transaction on `source`.
pub fn execute(run: Run, mut source: Source) -> Ending {
    let started = Instant::now();
    let Run { tx, block, mut cfg, p256, limits, grant_value } = run;
    let sender_unknown = prefetch(&mut source, &tx, block.beneficiary);
    let mut granted = None;
    if grant_value || sender_unknown {
        let balance = source.account(tx.caller).map_or(U256::ZERO, |account| account.balance);
        granted = Some((tx.caller, tx.value.saturating_sub(balance)));
        source.floor = Some((tx.caller, tx.value));
    }
    if sender_unknown {
        // The result will be discarded: run only to learn what else is needed.
        cfg.disable_nonce_check = true;
        cfg.disable_balance_check = true;
        cfg.disable_fee_charge = true;
    }
    let spec = cfg.spec;
    let clears_empty = source.clears_empty;
    let gas_limit = tx.gas_limit;
    let mut journaled_state = Journal::new(source);
    journaled_state.set_spec_id(spec);
    let context = Context {
        chain: Recorder::new(limits, block.beneficiary),
        block,
        tx,
        cfg,
        journaled_state,
        local: LocalContext::default(),
        error: Ok(()),
    };
    let mut evm = Traced {
        inner: Evm {
            ctx: context,
            inspector: (),
            instruction: instructions(spec),
            precompiles: EthPrecompiles { precompiles: precompiles(spec, p256), spec },
            frame_stack: FrameStack::new_prealloc(8),
        },
    };
    let mut handler = MainnetHandler::<Traced, EVMError<Infallible>, EthFrame<EthInterpreter>>::default();
    let result = handler.run_without_catch_error(&mut evm);
    let Context { journaled_state, chain: mut trace, .. } = evm.inner.ctx;
    let Journal { database: source, inner } = journaled_state;
    if !source.wanted.is_empty() {
        return Ending::Wanting(source.wanted);
    }
    trace.finish();
    let (status, gas_used, output, error) = match result {
        Ok(result) => settle(result, &mut trace, gas_limit),
        Err(EVMError::Transaction(error)) => {
            let (reason, detail) = word::refusal(&error);
            return Ending::Refused(reason, detail);
        }
        Err(error) => match trace.stopped {
            Some(reason) => {
                let used = trace.frames.first_mut().map_or(0, |root| {
                    root.gas_used += gas_limit - root.gas;
                    root.gas = gas_limit;
                    root.gas_used
                });
                ("halted", used, Bytes::new(), Some(Cow::Owned(format!("stopped: {reason}"))))
            }
            None => return Ending::Broken(error.to_string()),
        },
    };
    let changes = changes(&source.view, &inner.state, granted, clears_empty);
    let duration = started.elapsed().as_secs_f64();
    Ending::Executed(Box::new(Outcome { status, gas_used, output, error, trace, changes, duration }))
}

/// Notes everything that the transaction names, so that one round of loading brings it all.
fn prefetch(source: &mut Source, tx: &TxEnv, coinbase: Address) -> bool {
    if source.complete {
        return false;
    }
    source.account(tx.caller);
    let sender_unknown = !source.wanted.is_empty();
    source.account(coinbase);
    if let TxKind::Call(to) = tx.kind {
        source.account(to);
    }
    for item in &tx.access_list.0 {
        source.account(item.address);
        for slot in &item.storage_keys {
            source.slot(item.address, U256::from_be_bytes(slot.0));
        }
    }
    for authorization in tx.authorization_list.iter().filter_map(|item| item.as_ref().right()) {
        source.account(authorization.address);
        if let Some(authority) = authorization.authority() {
            source.account(authority);
        }
    }
    sender_unknown
}

type Settled = (&'static str, u64, Bytes, Option<Cow<'static, str>>);

fn settle(result: ExecutionResult, trace: &mut Recorder, gas_limit: u64) -> Settled {
    let gas_used = result.tx_gas_used();
    let mut error = None;
    if let Some(root) = trace.frames.first_mut() {
        // geth shows the whole transaction's gas on the top frame.
        root.gas = gas_limit;
        root.gas_used = gas_used;
        error.clone_from(&root.error);
    }
    let status = match &result {
        ExecutionResult::Success { .. } => "success",
        ExecutionResult::Revert { .. } if error.as_deref() == Some("execution reverted") => "reverted",
        _ => "halted",
    };
    (status, gas_used, result.into_output().unwrap_or_default(), error)
}

impl Traced {
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
        if matches!(&action, InterpreterAction::Return(result) if result.result == InstructionResult::MemoryLimitOOG) {
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

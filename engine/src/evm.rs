//! One run: from a transaction and a world to what it left behind.

use std::borrow::Cow;
use std::collections::HashSet;
use std::convert::Infallible;
use std::time::Instant;

use revm::Journal;
use revm::context::result::{EVMError, ExecutionResult};
use revm::context::{BlockEnv, CfgEnv, Context, JournalTr, LocalContext, TxEnv};
use revm::handler::{EthFrame, Handler, MainnetHandler};
use revm::interpreter::interpreter::EthInterpreter;
use revm::primitives::{Address, Bytes, TxKind, U256};

use crate::change::AccountChange;
use crate::diff::changes;
use crate::frame::Kind;
use crate::recorder::{Limits, Recorder};
use crate::source::{Source, Wanted};
use crate::traced::Traced;
use crate::word;

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

impl Outcome {
    /// Contracts that were created and still stand, in order.
    pub fn created(&self) -> Vec<Address> {
        let gone: HashSet<Address> = self.destroyed().into_iter().collect();
        let (mut made, mut seen) = (Vec::new(), HashSet::new());
        for frame in &self.trace.frames {
            if let (Kind::Create | Kind::Create2, false, Some(address)) = (frame.kind, frame.reverted, frame.to)
                && !gone.contains(&address)
                && seen.insert(address)
            {
                made.push(address);
            }
        }
        made
    }

    /// Accounts that were removed.
    pub fn destroyed(&self) -> Vec<Address> {
        self.changes.iter().filter(|change| change.destroyed).map(|change| change.address).collect()
    }
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
    let mut evm = Traced::new(context, p256);
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

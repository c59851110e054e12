//! The yardstick: the same transaction on revm as it comes, nothing recorded, nothing bounded.

use std::hint::black_box;
use std::time::{Duration, Instant};

use revm::context::{Context, Journal, LocalContext};
use revm::context_interface::JournalTr;
use revm::{ExecuteEvm, MainBuilder};

use crate::evm::{Run, execute};
use crate::source::Source;

/// Time of each of `times` runs, with everything recorded (`traced`) or on bare revm; the first is not counted.
///
/// Both begin with inputs already in Rust and end with the result and the changed state in Rust.
pub fn measure(run: &Run, source: &Source, times: usize, traced: bool) -> Vec<Duration> {
    let one = || {
        let (run, source) = (run.clone(), source.clone());
        let started = Instant::now();
        if traced {
            black_box(execute(run, source));
        } else {
            bare(run, source);
        }
        started.elapsed()
    };
    one();
    (0..times).map(|_| one()).collect()
}

fn bare(run: Run, mut source: Source) {
    if run.grant_value {
        source.floor = Some((run.tx.caller, run.tx.value));
    }
    let mut journaled_state: Journal<Source> = Journal::new(source);
    journaled_state.set_spec_id(run.cfg.spec);
    let context = Context {
        block: run.block,
        tx: run.tx.clone(),
        cfg: run.cfg,
        journaled_state,
        chain: (),
        local: LocalContext::default(),
        error: Ok(()),
    };
    let _ = black_box(context.build_mainnet().transact(run.tx));
}

//! What instructions see of the run they belong to.

use revm::Journal;
use revm::context::{BlockEnv, CfgEnv, Context, TxEnv};

use crate::recorder::Recorder;
use crate::source::Source;

/// The context that instructions see; the recorder is its `chain`.
pub type Host = Context<BlockEnv, TxEnv, CfgEnv, Source, Journal<Source>, Recorder>;

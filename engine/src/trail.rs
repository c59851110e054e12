//! Where the digests of a trace are kept once they are made: several questions rest on each of them.

use std::sync::OnceLock;

use revm::primitives::{Bytes, HashMap, U256};

use crate::codes::Codes;
use crate::recorder::Recorder;
use crate::slot::SlotUse;
use crate::survey::{Comeback, Link};

/// Leading bytes that are not all zero in a hash.
const HASH_PREFIX: usize = 7;

/// What was hashed, each once, in the order of the first time.
#[derive(Debug, Default)]
pub struct Preimages {
    rows: Vec<(U256, Bytes)>,
    places: HashMap<U256, usize>,
}

impl Preimages {
    fn new(trace: &Recorder) -> Self {
        let mut found = Self::default();
        for (hash, bytes) in &trace.preimages {
            let key = U256::from_be_bytes(hash.0);
            if !found.places.contains_key(&key) {
                found.places.insert(key, found.rows.len());
                found.rows.push((key, bytes.clone()));
            }
        }
        found
    }

    /// What was hashed to `slot`.
    pub fn get(&self, slot: U256) -> Option<&[u8]> {
        self.places.get(&slot).map(|place| &self.rows[*place].1[..])
    }

    /// Those among the first `most` in which two hashes were hashed side by side: inner nodes of a tree of hashes.
    pub fn nodes(&self, most: usize) -> impl Iterator<Item = &(U256, Bytes)> {
        let is_hash = |word: &[u8]| word[..HASH_PREFIX].iter().any(|byte| *byte != 0);
        self.rows.iter().take(most).filter(move |(_, bytes)| bytes.len() == 64 && bytes.chunks_exact(32).all(is_hash))
    }

    /// All of them.
    pub fn rows(&self) -> &[(U256, Bytes)] {
        &self.rows
    }
}

/// The digests of one trace, each made when it is first asked for.
#[derive(Debug, Default)]
pub struct Trail {
    slots: OnceLock<Vec<SlotUse>>,
    preimages: OnceLock<Preimages>,
    comebacks: OnceLock<Vec<Comeback>>,
    links: OnceLock<Vec<Link>>,
    codes: OnceLock<Codes>,
}

impl Trail {
    /// Each touched slot once.
    pub fn slots(&self, trace: &Recorder) -> &[SlotUse] {
        self.slots.get_or_init(|| trace.slots())
    }

    /// What was hashed.
    pub fn preimages(&self, trace: &Recorder) -> &Preimages {
        self.preimages.get_or_init(|| Preimages::new(trace))
    }

    /// Every return into an open account.
    pub fn comebacks(&self, trace: &Recorder) -> &[Comeback] {
        self.comebacks.get_or_init(|| trace.comebacks())
    }

    /// Each way of entry once.
    pub fn links(&self, trace: &Recorder) -> &[Link] {
        self.links.get_or_init(|| trace.links())
    }

    /// The code that ran.
    pub fn codes(&self, trace: &Recorder) -> &Codes {
        self.codes.get_or_init(|| Codes::new(trace, self.links(trace)))
    }
}

//! Where the digests of a trace are kept once they are made: several questions rest on each of them.

use std::borrow::Cow;
use std::sync::OnceLock;

use revm::primitives::map::{AddressSet, B256Map};
use revm::primitives::{Address, B256, Bytes, HashMap, U256};

use crate::codes::Codes;
use crate::parties::parties;
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
    /// Of (hash, what was hashed) pairs.
    pub fn new(hashed: &[(B256, Bytes)]) -> Self {
        let mut found = Self::default();
        for (hash, bytes) in hashed {
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

/// Where events lie by their first topic.
#[derive(Debug, Default)]
pub struct Told(B256Map<Vec<u32>>);

impl Told {
    fn new(trace: &Recorder) -> Self {
        let mut found = Self::default();
        for (index, event) in trace.events.iter().enumerate() {
            if let Some(topic) = event.log.data.topics().first() {
                found.0.entry(*topic).or_default().push(index as u32);
            }
        }
        found
    }

    /// Indices of the events with one of these first topics, in order.
    pub fn of(&self, topics: &[B256]) -> Vec<u32> {
        let mut found: Vec<u32> = topics.iter().filter_map(|topic| self.0.get(topic)).flatten().copied().collect();
        found.sort_unstable();
        found
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
    told: OnceLock<Told>,
    parties: OnceLock<(Address, AddressSet)>,
}

impl Trail {
    /// Each touched slot once.
    pub fn slots(&self, trace: &Recorder) -> &[SlotUse] {
        self.slots.get_or_init(|| trace.slots())
    }

    /// What was hashed.
    pub fn preimages(&self, trace: &Recorder) -> &Preimages {
        self.preimages.get_or_init(|| Preimages::new(&trace.preimages))
    }

    /// Every return into an open account.
    pub fn comebacks(&self, trace: &Recorder) -> &[Comeback] {
        self.comebacks.get_or_init(|| trace.comebacks())
    }

    /// Each way of entry once.
    pub fn links(&self, trace: &Recorder) -> &[Link] {
        self.links.get_or_init(|| trace.links())
    }

    /// Everybody who takes part; kept for the sender who is asked about first.
    pub fn parties(&self, trace: &Recorder, sender: Address) -> Cow<'_, AddressSet> {
        let (known, found) = self.parties.get_or_init(|| (sender, parties(trace, self.links(trace), sender)));
        if *known == sender { Cow::Borrowed(found) } else { Cow::Owned(parties(trace, self.links(trace), sender)) }
    }

    /// Where events lie.
    pub fn told(&self, trace: &Recorder) -> &Told {
        self.told.get_or_init(|| Told::new(trace))
    }

    /// The code that ran.
    pub fn codes(&self, trace: &Recorder) -> &Codes {
        self.codes.get_or_init(|| Codes::new(trace, self.links(trace)))
    }
}

//! What contracts had kept about accounts before the transaction, as far as it looked: the rows of the gateway's `Kept`.

use revm::primitives::map::AddressSet;
use revm::primitives::{Address, B256, U256};

use crate::recorder::Recorder;
use crate::slot::SlotUse;
use crate::topic::{self, Shape};
use crate::trail::Preimages;

/// How many slots behind a mapping entry still count as part of it.
const STRUCT_SPAN: u64 = 8;

/// (contract, account) pairs and (token, owner, spender) triples, some of them more than once.
#[derive(Debug, Default)]
pub struct Kept {
    /// The contract read the account's address from its own storage.
    pub stored: Vec<(Address, Address)>,
    /// Its entry for the account was not zero when it was read.
    pub entries: Vec<(Address, Address)>,
    /// The nested entry was not zero when it was read.
    pub allowances: Vec<(Address, Address, Address)>,
}

/// Everybody who takes part: who calls or is called, who holds or receives tokens, and the sender.
fn parties(trace: &Recorder, sender: Address) -> AddressSet {
    let mut found = AddressSet::default();
    found.insert(sender);
    for frame in &trace.frames {
        found.insert(frame.from);
        found.extend(frame.to);
    }
    for event in &trace.events {
        if let [_, from, to] = event.log.topics()
            && topic::shape(&event.log) == Some(Shape::Transfer)
        {
            found.insert(low(from));
            found.insert(low(to));
        }
    }
    found
}

/// Reads it from the slots that were touched, leaving out those of which `skip` is true; linear.
pub fn kept(
    trace: &Recorder,
    slots: &[SlotUse],
    preimages: &Preimages,
    sender: Address,
    skip: impl Fn(Address, U256) -> bool,
) -> Kept {
    let parties = parties(trace, sender);
    let mut found = Kept::default();
    for slot in slots.iter().filter(|slot| !slot.before.is_zero() && !skip(slot.address, slot.slot)) {
        let word = slot.before.to_be_bytes::<32>();
        // An address may lie anywhere in a word that is longer than one; else only at its end.
        let offsets = if word[..12].iter().any(|byte| *byte != 0) { 0..=12 } else { 12..=12 };
        if word[..22].iter().any(|byte| *byte != 0) {
            let candidates = offsets.map(|at| Address::from_slice(&word[at..at + 20]));
            let known = candidates.filter(|candidate| parties.contains(candidate));
            found.stored.extend(known.map(|party| (slot.address, party)));
        }
        let mut bases = (0..STRUCT_SPAN).filter_map(|back| slot.slot.checked_sub(U256::from(back)));
        let Some(preimage) = bases.find_map(|base| preimages.get(base)) else { continue };
        for word in preimage.chunks_exact(32).filter(|word| is_address(word)) {
            let party = Address::from_slice(&word[12..]);
            if parties.contains(&party) {
                found.entries.push((slot.address, party));
            }
        }
        if let Some((key, outer)) = halves(preimage)
            && let Some((owner, _)) = preimages.get(U256::from_be_slice(outer)).and_then(halves)
        {
            let (owner, spender) = (Address::from_slice(&owner[12..]), Address::from_slice(&key[12..]));
            found.allowances.push((slot.address, owner, spender));
        }
    }
    found
}

/// The key and the place of a mapping.
fn halves(preimage: &[u8]) -> Option<(&[u8], &[u8])> {
    (preimage.len() == 64).then(|| preimage.split_at(32))
}

fn is_address(word: &[u8]) -> bool {
    word[..12].iter().all(|byte| *byte == 0)
}

fn low(topic: &B256) -> Address {
    Address::from_slice(&topic[12..])
}

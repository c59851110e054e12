//! What contracts had kept about accounts before the transaction, as far as it looked: the rows of the gateway's `Kept`.

use revm::primitives::map::AddressSet;
use revm::primitives::{Address, B256, U256};

use crate::slot::SlotUse;
use crate::trail::Preimages;

/// How many slots behind a mapping entry still count as part of it.
const STRUCT_SPAN: u64 = 8;
/// Bytes of an owner, a seed and a spender without gaps.
const TIGHT: usize = 52;

/// (contract, account) pairs and (token, owner, spender) triples, some of them more than once.
#[derive(Debug, Default)]
pub struct Kept {
    /// The contract read the account's address from its own storage.
    pub stored: Vec<(Address, Address)>,
    /// Its entry for the account was not zero when it was read.
    pub entries: Vec<(Address, Address)>,
    /// The nested entry was not zero when it was read.
    pub allowances: Vec<(Address, Address, Address)>,
    /// The account is named by what the contract kept only as a hash, and was shown whole here.
    pub terms: Vec<(Address, Address)>,
}

impl Kept {
    /// The entry of `contract` that is kept under the hash of `preimage`.
    fn key(&mut self, contract: Address, preimage: &[u8], preimages: &Preimages, parties: &AddressSet) {
        match preimage.len() {
            64 => self.mapping(contract, preimage.split_at(32), preimages, parties),
            32 => {
                self.word(contract, preimage, parties);
                // The account, then a seed in place of a slot.
                self.entries.extend(named(&preimage[..20], parties).map(|party| (contract, party)));
            }
            length => {
                self.entries.extend(named(preimage, parties).map(|party| (contract, party)));
                if length == TIGHT {
                    self.allowances.push((contract, first(preimage), last(preimage)));
                }
            }
        }
    }

    fn mapping(
        &mut self,
        contract: Address,
        (key, place): (&[u8], &[u8]),
        preimages: &Preimages,
        parties: &AddressSet,
    ) {
        self.word(contract, key, parties);
        self.word(contract, place, parties);
        if let Some(outer) = outer(place, preimages).filter(|outer| outer.len() == 64) {
            self.allowances.push((contract, last(&outer[..32]), last(key)));
        }
        match preimages.get(U256::from_be_slice(key)) {
            // The slot stands before the key, as Vyper has it: a mapping within a mapping.
            Some(outer) if outer.len() == 64 && is_key(place) => {
                self.allowances.push((contract, last(outer), last(place)));
            }
            Some(terms) => self.promise(contract, terms, parties),
            None => {}
        }
    }

    fn word(&mut self, contract: Address, word: &[u8], parties: &AddressSet) {
        if is_address(word) {
            self.entries.extend(named(&word[12..], parties).map(|party| (contract, party)));
        }
    }

    fn promise(&mut self, contract: Address, terms: &[u8], parties: &AddressSet) {
        self.terms.extend(named(terms, parties).filter(|party| *party != contract).map(|party| (contract, party)));
    }
}

/// The preimage of where a mapping lies: its place may be a field of a record that is itself kept by a key.
fn outer<'a>(place: &[u8], preimages: &'a Preimages) -> Option<&'a [u8]> {
    let at = U256::from_be_slice(place);
    let fields = if is_key(place) { 0..STRUCT_SPAN } else { 0..0 };
    fields.filter_map(|back| at.checked_sub(U256::from(back))).find_map(|slot| preimages.get(slot))
}

/// Reads it from the slots that were touched, leaving out those of which `skip` is true; linear.
pub fn kept(
    slots: &[SlotUse],
    preimages: &Preimages,
    parties: &AddressSet,
    skip: impl Fn(Address, U256) -> bool,
) -> Kept {
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
        if is_hash(&word)
            && let Some(terms) = preimages.get(slot.before)
        {
            found.promise(slot.address, terms, parties);
        }
        if let Some(preimage) = key_of(slot.slot, preimages) {
            found.key(slot.address, preimage, preimages, parties);
        }
    }
    found
}

/// What was hashed to the place where a mapping entry begins that `slot` is part of.
fn key_of(slot: U256, preimages: &Preimages) -> Option<&[u8]> {
    let mut bases = (0..STRUCT_SPAN).filter_map(|back| slot.checked_sub(U256::from(back)));
    bases.find_map(|base| preimages.get(base))
}

/// (contract, account, place) of each simple mapping that had an entry for one of `parties`; the place is the second
/// half of what was hashed.
pub fn accounts(
    slots: &[SlotUse],
    preimages: &Preimages,
    parties: &AddressSet,
    skip: impl Fn(Address, U256) -> bool,
) -> Vec<(Address, Address, B256)> {
    let mut found = Vec::new();
    for slot in slots.iter().filter(|slot| !slot.before.is_zero() && !skip(slot.address, slot.slot)) {
        let Some((key, place)) = key_of(slot.slot, preimages).filter(|key| key.len() == 64).map(|key| key.split_at(32))
        else {
            continue;
        };
        let party = last(key);
        if is_address(key) && parties.contains(&party) && preimages.get(U256::from_be_slice(place)).is_none() {
            found.push((slot.address, party, B256::from_slice(place)));
        }
    }
    found
}

/// The parties whose address stands in `data`, at any place.
fn named<'a>(data: &'a [u8], parties: &'a AddressSet) -> impl Iterator<Item = Address> + 'a {
    data.windows(20).map(Address::from_slice).filter(|candidate| parties.contains(candidate))
}

fn first(data: &[u8]) -> Address {
    Address::from_slice(&data[..20])
}

fn last(data: &[u8]) -> Address {
    Address::from_slice(&data[data.len() - 20..])
}

/// A word below 200 bits is no hash.
fn is_hash(word: &[u8]) -> bool {
    word[..7].iter().any(|byte| *byte != 0)
}

/// A number below 64 bits is a declared slot, and no key.
fn is_key(word: &[u8]) -> bool {
    word[..24].iter().any(|byte| *byte != 0)
}

fn is_address(word: &[u8]) -> bool {
    word[..12].iter().all(|byte| *byte == 0)
}

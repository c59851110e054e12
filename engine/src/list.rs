//! Lists that say yes or no of accounts: mappings that held nothing but true and false.

use revm::primitives::map::AddressSet;
use revm::primitives::{Address, B256, HashSet, U256};

use crate::slot::SlotUse;
use crate::trail::Preimages;

/// (contract, where the mapping lies, account that it said yes of) of each of `parties`, where no other number stood.
///
/// Mappings within mappings count where the outer key is no account, but the name of a role. Linear in slots.
pub fn lists(
    slots: &[SlotUse],
    preimages: &Preimages,
    parties: &AddressSet,
    skip: impl Fn(Address, U256) -> bool,
) -> Vec<(Address, B256, Address)> {
    let (mut found, mut numbers) = (Vec::new(), HashSet::<(Address, B256)>::default());
    for slot in slots {
        let Some(entry) = preimages.get(slot.slot).filter(|entry| is_account(entry)) else { continue };
        let (account, place) = (Address::from_slice(&entry[12..32]), B256::from_slice(&entry[32..]));
        let outer = preimages.get(U256::from_be_bytes(place.0));
        if outer.is_some_and(|outer| outer.len() != 64 || is_account(outer)) {
            continue;
        }
        if slot.written || slot.before > U256::ONE || skip(slot.address, slot.slot) {
            numbers.insert((slot.address, place));
        } else if !slot.before.is_zero() && parties.contains(&account) {
            found.push((slot.address, place, account));
        }
    }
    found.retain(|(contract, place, _)| !numbers.contains(&(*contract, *place)));
    found
}

/// The key of a mapping whose own key is an account.
fn is_account(entry: &[u8]) -> bool {
    entry.len() == 64 && entry[..12].iter().all(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTRACT: Address = Address::repeat_byte(7);
    const MEMBER: Address = Address::repeat_byte(9);

    /// What is hashed for the entry of `account` in the mapping at `place`.
    fn key(account: Address, place: B256) -> [u8; 64] {
        let mut key = [0; 64];
        key[12..32].copy_from_slice(account.as_slice());
        key[32..].copy_from_slice(place.as_slice());
        key
    }

    fn slot(number: u64, before: u64) -> SlotUse {
        let (slot, before) = (U256::from(number), U256::from(before));
        SlotUse { address: CONTRACT, slot, before, written: false, changed: None }
    }

    fn read(slots: &[SlotUse], known: Vec<(u64, Vec<u8>)>) -> Vec<(Address, B256, Address)> {
        let hashed: Vec<_> = known.into_iter().map(|(at, bytes)| (U256::from(at).into(), bytes.into())).collect();
        lists(slots, &Preimages::new(&hashed), &AddressSet::from_iter([MEMBER]), |_, _| false)
    }

    #[test]
    fn a_mapping_to_true_is_a_list_until_another_number_stands_in_it() {
        let place = B256::with_last_byte(3);
        let known = vec![(100, key(MEMBER, place).to_vec()), (200, key(CONTRACT, place).to_vec())];
        assert_eq!(read(&[slot(100, 1)], known.clone()), [(CONTRACT, place, MEMBER)]);
        assert_eq!(read(&[slot(100, 1), slot(200, 5)], known), []);
    }

    #[test]
    fn a_mapping_within_one_of_accounts_is_none() {
        let place = B256::with_last_byte(50);
        let known = |outer: Vec<u8>| vec![(100, key(MEMBER, place).to_vec()), (50, outer)];
        assert_eq!(read(&[slot(100, 1)], known(key(CONTRACT, B256::ZERO).to_vec())), []);
        let role = [[0xab; 32], [0; 32]].concat();
        assert_eq!(read(&[slot(100, 1)], known(role)), [(CONTRACT, place, MEMBER)]);
    }
}

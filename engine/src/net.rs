//! Transfers summed up: who has more and who has less of what, as the gateway's `sum_up`.

use revm::primitives::map::AddressSet;
use revm::primitives::ruint::Uint;
use revm::primitives::{Address, HashMap, U256};

use crate::movement::Transfer;

/// Fifty thousand words added up fit with room to spare.
pub type Sum = Uint<320, 5>;

/// Token and item.
pub type Asset = (Address, Option<U256>);

/// What one holder gained (or lost) of one asset; never nothing.
#[derive(Clone, Debug)]
pub struct Change {
    /// Who.
    pub holder: Address,
    /// Of what.
    pub asset: Asset,
    /// True if the holder has less.
    pub lost: bool,
    /// How much.
    pub amount: Sum,
}

/// Every change that is not zero, the zero address's included, in the order of first touch; linear.
pub fn net(transfers: &[Transfer]) -> Vec<Change> {
    let mut rows: Vec<(Address, Asset, Sum, Sum)> = Vec::new();
    let mut places: HashMap<(Address, Asset), usize> = HashMap::default();
    for moved in transfers {
        if moved.from == moved.to || moved.amount.is_zero() {
            continue;
        }
        let (asset, amount) = ((moved.token, moved.item), Sum::from(moved.amount));
        for (holder, gains) in [(moved.from, false), (moved.to, true)] {
            let place = *places.entry((holder, asset)).or_insert_with(|| {
                rows.push((holder, asset, Sum::ZERO, Sum::ZERO));
                rows.len() - 1
            });
            let side = if gains { &mut rows[place].2 } else { &mut rows[place].3 };
            *side += amount;
        }
    }
    let changed = rows.into_iter().filter(|(_, _, gained, lost)| gained != lost);
    changed
        .map(|(holder, asset, gained, lost)| Change {
            holder,
            asset,
            lost: lost > gained,
            amount: if lost > gained { lost - gained } else { gained - lost },
        })
        .collect()
}

/// (index, whether it came in) of the movements that came to, or left, the accounts of `cluster` together.
pub fn crossings(transfers: &[Transfer], cluster: &AddressSet) -> Vec<(usize, bool)> {
    let moves = transfers.iter().enumerate();
    let ways = moves.map(|(index, moved)| (index, cluster.contains(&moved.to), cluster.contains(&moved.from)));
    ways.filter(|(_, inward, outward)| inward != outward).map(|(index, inward, _)| (index, inward)).collect()
}

/// What each holder gave of each asset of which it has less, as indices of movements, in the order of the first one.
pub fn outflows(transfers: &[Transfer], net: &[Change]) -> Vec<(Address, Asset, Vec<usize>)> {
    let lost = net.iter().filter(|change| change.lost && !change.holder.is_zero());
    let mut places: HashMap<(Address, Asset), Option<usize>> =
        lost.map(|change| ((change.holder, change.asset), None)).collect();
    let mut rows: Vec<(Address, Asset, Vec<usize>)> = Vec::new();
    for (index, moved) in transfers.iter().enumerate() {
        if moved.from == moved.to || moved.amount.is_zero() {
            continue;
        }
        let asset = (moved.token, moved.item);
        let Some(place) = places.get_mut(&(moved.from, asset)) else { continue };
        let row = *place.get_or_insert_with(|| {
            rows.push((moved.from, asset, Vec::new()));
            rows.len() - 1
        });
        rows[row].2.push(index);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::movement::Standard;

    const TOKEN: Address = Address::repeat_byte(1);
    const POOL: Address = Address::repeat_byte(2);
    const TOOL: Address = Address::repeat_byte(3);
    const OWNER: Address = Address::repeat_byte(4);

    fn moved(from: Address, to: Address, amount: u64) -> Transfer {
        let amount = U256::from(amount);
        Transfer { sequence: 0, frame: 0, standard: Standard::Erc20, token: TOKEN, from, to, amount, item: None }
    }

    #[test]
    fn what_came_back_is_no_change() {
        let moves = [moved(POOL, TOOL, 5), moved(TOOL, POOL, 5), moved(OWNER, POOL, 2)];
        let changes = net(&moves);
        let sums: Vec<_> = changes.iter().map(|change| (change.holder, change.lost, change.amount)).collect();
        assert_eq!(sums, [(POOL, false, Sum::from(2)), (OWNER, true, Sum::from(2))]);
        assert_eq!(outflows(&moves, &changes), [(OWNER, (TOKEN, None), vec![2])]);
    }

    #[test]
    fn a_sum_of_largest_amounts_does_not_wrap_around() {
        let largest = Transfer { amount: U256::MAX, ..moved(POOL, TOOL, 0) };
        let changes = net(&[largest.clone(), largest]);
        assert_eq!(changes[0].amount, Sum::from(U256::MAX) + Sum::from(U256::MAX));
    }

    #[test]
    fn only_what_passes_the_border_crosses() {
        let moves = [moved(POOL, TOOL, 5), moved(TOOL, OWNER, 5), moved(OWNER, POOL, 2), moved(POOL, POOL, 1)];
        assert_eq!(crossings(&moves, &AddressSet::from_iter([TOOL, OWNER])), [(0, true), (2, false)]);
    }
}

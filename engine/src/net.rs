//! Transfers summed up: who has more and who has less of what, as the gateway's `sum_up`.

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

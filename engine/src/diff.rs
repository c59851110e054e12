//! Net effect of a run: what every account was before and is after.

use revm::primitives::{Address, Bytes, U256};
use revm::state::EvmState;

use crate::change::AccountChange;
use crate::world::{Account, View};

/// Compares the state after a run with the world before it. `granted` is what a replayed sender
/// was given and must give back.
pub fn changes(
    view: &View,
    state: &EvmState,
    granted: Option<(Address, U256)>,
    clears_empty: bool,
) -> Vec<AccountChange> {
    let nothing = Account::default();
    let mut found = Vec::new();
    for (address, account) in state {
        let before = view.account(address).unwrap_or(&nothing);
        let destroyed = account.is_selfdestructed();
        let mut change = AccountChange {
            address: *address,
            destroyed,
            created: account.is_created() && !destroyed,
            ..AccountChange::default()
        };
        let (mut balance, nonce) = if destroyed { (U256::ZERO, 0) } else { (account.info.balance, account.info.nonce) };
        if let Some((sender, amount)) = granted
            && sender == *address
        {
            balance = balance.saturating_sub(amount);
        }
        change.balance = (before.balance != balance).then_some((before.balance, balance));
        change.nonce = (before.nonce != nonce).then_some((before.nonce, nonce));
        let code = match &account.info.code {
            Some(code) if !destroyed => code.original_bytes(),
            _ => Bytes::new(),
        };
        let old = before.code.bytecode.original_bytes();
        change.code = (old != code).then_some((old, code));
        change.storage = account
            .storage
            .iter()
            .map(|(slot, value)| {
                let after = if destroyed { U256::ZERO } else { value.present_value };
                (*slot, value.original_value, after)
            })
            .filter(|(_, before, after)| before != after)
            .collect();
        change.storage.sort_unstable();
        change.materialised = !clears_empty && !destroyed && account.is_touched() && !before.exists;
        if change.changes_values() || destroyed || change.created || change.materialised {
            found.push(change);
        }
    }
    found.sort_unstable_by_key(|change| change.address);
    found
}

//! What became of one account.

use revm::primitives::{Address, Bytes, U256};

/// (before, after) of each part of one account that changed.
#[derive(Clone, Debug, Default)]
pub struct AccountChange {
    /// Whose.
    pub address: Address,
    /// Wei.
    pub balance: Option<(U256, U256)>,
    /// Next nonce.
    pub nonce: Option<(u64, u64)>,
    /// Code bytes.
    pub code: Option<(Bytes, Bytes)>,
    /// (slot, before, after).
    pub storage: Vec<(U256, U256, U256)>,
    /// The account was removed with its whole storage.
    pub destroyed: bool,
    /// The account began anew: no slot but those listed is anything but zero.
    pub created: bool,
    /// Before EIP-161: nothing changed but that the account now exists.
    pub materialised: bool,
}

impl AccountChange {
    /// True if a value changed, and not merely the account's existence.
    pub fn changes_values(&self) -> bool {
        self.balance.is_some() || self.nonce.is_some() || self.code.is_some() || !self.storage.is_empty()
    }
}

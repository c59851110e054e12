//! The state one run reads, and what it asked for in vain.

use std::collections::HashSet;
use std::convert::Infallible;

use revm::Database;
use revm::primitives::{Address, B256, HashMap, U256};
use revm::state::{AccountInfo, Bytecode};

use crate::world::View;

/// More wanted keys than this are not collected in one run; the caller loads these and asks again.
const MAX_WANTED: usize = 20_000;

/// Keys that a run needed and the world does not know.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Accounts.
    pub accounts: HashSet<Address>,
    /// Storage slots.
    pub slots: HashSet<(Address, U256)>,
    /// Block numbers.
    pub hashes: HashSet<u64>,
}

impl Wanted {
    /// True if nothing is wanted.
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.slots.is_empty() && self.hashes.is_empty()
    }

    /// True if no more keys are collected in this run.
    pub fn is_full(&self) -> bool {
        self.accounts.len() + self.slots.len() + self.hashes.len() >= MAX_WANTED
    }
}

/// The state one run reads. What is unknown reads as zero and is noted as wanted; a run that
/// wanted anything has no result.
#[derive(Clone, Debug)]
pub struct Source {
    /// Known values.
    pub view: View,
    /// True: what is not known is empty.
    pub complete: bool,
    /// What was asked for in vain.
    pub wanted: Wanted,
    /// Replay without balance check: the sender has at least this much.
    pub floor: Option<(Address, U256)>,
    /// EIP-161 is in force: an empty account does not exist.
    pub clears_empty: bool,
    /// Hashes that came with the block.
    pub hashes: HashMap<u64, B256>,
}

impl Source {
    /// The account as execution sees it.
    pub fn account(&mut self, address: Address) -> Option<AccountInfo> {
        let mut info = match self.view.account(&address) {
            Some(account) if self.clears_empty && account.is_empty() => None,
            Some(account) => (account.exists || !account.is_empty()).then(|| account.info()),
            None => {
                if !self.complete && !self.wanted.is_full() {
                    self.wanted.accounts.insert(address);
                }
                None
            }
        };
        if let Some((sender, floor)) = self.floor
            && sender == address
            && !floor.is_zero()
        {
            let info = info.get_or_insert_default();
            info.balance = info.balance.max(floor);
        }
        info
    }

    /// The slot's value as execution sees it.
    pub fn slot(&mut self, address: Address, slot: U256) -> U256 {
        let generation = self.view.account(&address).map_or(0, |account| account.generation);
        if let Some(value) = self.view.slot(address, generation, slot) {
            return value;
        }
        if !self.complete && generation == 0 && !self.wanted.is_full() {
            self.wanted.slots.insert((address, slot));
        }
        U256::ZERO
    }
}

impl Database for Source {
    type Error = Infallible;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, Infallible> {
        Ok(self.account(address))
    }

    fn code_by_hash(&mut self, _hash: B256) -> Result<Bytecode, Infallible> {
        // Accounts always carry their code, so that nothing is left to ask by hash.
        Ok(Bytecode::default())
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, Infallible> {
        Ok(self.slot(address, slot))
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, Infallible> {
        if let Some(hash) = self.hashes.get(&number).copied().or_else(|| self.view.hash(number)) {
            return Ok(hash);
        }
        if !self.complete && !self.wanted.is_full() {
            self.wanted.hashes.insert(number);
        }
        Ok(B256::ZERO)
    }
}

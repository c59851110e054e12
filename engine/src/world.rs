//! State as it was loaded: cheap to fork, shared by threads, and honest about what it does not know.

use std::sync::{Arc, Mutex, PoisonError};

use revm::primitives::{Address, AddressMap, B256, Bytes, HashMap, KECCAK_EMPTY, U256, keccak256};
use revm::state::{AccountInfo, Bytecode};

use crate::change::AccountChange;

/// One known account.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// Next nonce.
    pub nonce: u64,
    /// Wei.
    pub balance: U256,
    /// Code with its hash and jump table; shared between accounts.
    pub code: Code,
    /// Counts creations and destructions: slots of an older generation are gone, and from 1 on an
    /// unknown slot is zero.
    pub generation: u32,
    /// Before EIP-161 an empty account and none at all were different things.
    pub exists: bool,
}

/// Analysed code and its hash.
#[derive(Clone, Debug)]
pub struct Code {
    /// keccak256 of the bytes.
    pub hash: B256,
    /// Bytes and jump table behind one counted pointer.
    pub bytecode: Bytecode,
}

impl Default for Code {
    fn default() -> Self {
        Self { hash: KECCAK_EMPTY, bytecode: Bytecode::default() }
    }
}

impl Account {
    /// As EIP-161 has it.
    pub fn is_empty(&self) -> bool {
        self.nonce == 0 && self.balance.is_zero() && self.code.hash == KECCAK_EMPTY
    }

    /// As revm has it.
    pub fn info(&self) -> AccountInfo {
        AccountInfo {
            balance: self.balance,
            nonce: self.nonce,
            code_hash: self.code.hash,
            account_id: None,
            code: Some(self.code.bytecode.clone()),
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Layer {
    accounts: AddressMap<Account>,
    slots: HashMap<(Address, u32, U256), U256>,
    hashes: HashMap<u64, B256>,
}

impl Layer {
    fn weight(&self) -> usize {
        self.accounts.len() + self.slots.len() + self.hashes.len()
    }

    fn absorb(&mut self, newer: &Layer) {
        self.accounts.extend(newer.accounts.iter().map(|(key, value)| (*key, value.clone())));
        self.slots.extend(newer.slots.iter().map(|(key, value)| (*key, *value)));
        self.hashes.extend(newer.hashes.iter().map(|(key, value)| (*key, *value)));
    }
}

/// An immutable view of a world; cloning it copies a few pointers.
#[derive(Clone, Debug, Default)]
pub struct View {
    layers: Vec<Arc<Layer>>,
}

impl View {
    /// The account, if it is known.
    pub fn account(&self, address: &Address) -> Option<&Account> {
        self.layers.iter().rev().find_map(|layer| layer.accounts.get(address))
    }

    /// The value of a slot of this generation, if it is known.
    pub fn slot(&self, address: Address, generation: u32, slot: U256) -> Option<U256> {
        let key = (address, generation, slot);
        self.layers.iter().rev().find_map(|layer| layer.slots.get(&key).copied())
    }

    /// The hash of a block, if it is known.
    pub fn hash(&self, number: u64) -> Option<B256> {
        self.layers.iter().rev().find_map(|layer| layer.hashes.get(&number).copied())
    }
}

/// A world that is written to: a mutable layer on top of shared ones.
#[derive(Debug, Default)]
pub struct World {
    below: View,
    top: Layer,
    codes: Arc<Codes>,
}

/// Loaded code by hash, once, for all forks of a world: a chain has far more accounts than codes.
#[derive(Debug, Default)]
struct Codes(Mutex<HashMap<B256, Code>>);

impl Codes {
    fn get(&self, bytes: &[u8], hash: B256) -> Code {
        // An entry is whole or absent, so a panic elsewhere leaves nothing half done.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get(&hash) {
            Some(code) if code.bytecode.original_byte_slice() == bytes => code.clone(),
            _ => {
                let code = analysed(Bytes::copy_from_slice(bytes));
                known.insert(code.hash, code.clone());
                code
            }
        }
    }
}

impl World {
    /// Everything written so far as a view. Layers are merged so that their number stays
    /// logarithmic in the number of entries.
    pub fn view(&mut self) -> View {
        if self.top.weight() > 0 {
            self.below.layers.push(Arc::new(std::mem::take(&mut self.top)));
            let layers = &mut self.below.layers;
            while let [.., previous, last] = layers.as_slice() {
                if last.weight() * 2 < previous.weight() {
                    break;
                }
                let newer = layers.pop().expect("two layers matched");
                Arc::make_mut(layers.last_mut().expect("two layers matched")).absorb(&newer);
            }
        }
        self.below.clone()
    }

    /// An independent copy.
    pub fn fork(&mut self) -> World {
        World { below: self.view(), top: Layer::default(), codes: Arc::clone(&self.codes) }
    }

    fn account(&self, address: &Address) -> Option<&Account> {
        self.top.accounts.get(address).or_else(|| self.below.account(address))
    }

    /// Makes an account known, replacing what was known of it but its storage.
    pub fn load_account(&mut self, address: Address, nonce: u64, balance: U256, code: &[u8], hash: B256) {
        let known = self.account(&address);
        let generation = known.map_or(0, |account| account.generation);
        let code = match known {
            _ if code.is_empty() => Code::default(),
            Some(known) if known.code.hash == hash && known.code.bytecode.len() == code.len() => known.code.clone(),
            _ => self.codes.get(code, hash),
        };
        self.top.accounts.insert(address, Account { nonce, balance, code, generation, exists: true });
    }

    /// Makes one storage slot known.
    pub fn load_slot(&mut self, address: Address, slot: U256, value: U256) {
        let generation = self.account(&address).map_or(0, |account| account.generation);
        self.top.slots.insert((address, generation, slot), value);
    }

    /// Makes one block hash known.
    pub fn load_hash(&mut self, number: u64, hash: B256) {
        self.top.hashes.insert(number, hash);
    }

    /// Puts the change of one account on top.
    pub fn apply(&mut self, change: &AccountChange) {
        let mut account = self.account(&change.address).cloned().unwrap_or_default();
        if let Some((_, balance)) = change.balance {
            account.balance = balance;
        }
        if let Some((_, nonce)) = change.nonce {
            account.nonce = nonce;
        }
        if let Some((_, code)) = &change.code {
            account.code = if code.is_empty() { Code::default() } else { analysed(code.clone()) };
        }
        account.exists = !change.destroyed;
        if change.destroyed || change.created {
            account.generation += 1;
        }
        for (slot, _, value) in &change.storage {
            self.top.slots.insert((change.address, account.generation, *slot), *value);
        }
        self.top.accounts.insert(change.address, account);
    }

    /// Number of known accounts and slots, newer copies counted again.
    pub fn weight(&self) -> usize {
        self.top.weight() + self.below.layers.iter().map(|layer| layer.weight()).sum::<usize>()
    }
}

fn analysed(code: Bytes) -> Code {
    let hash = keccak256(&code);
    // Bytes that begin like a delegation but are none run as plain code, whatever they do.
    let bytecode = Bytecode::new_raw_checked(code.clone()).unwrap_or_else(|_| Bytecode::new_legacy(code));
    Code { hash, bytecode }
}

//! What holders of changed assets had before, where storage or a balance query shows it, as the gateway's ledger.

use revm::primitives::{Address, B256, HashMap, U256};

use crate::change::AccountChange;
use crate::frame::Frame;
use crate::movement::Transfer;
use crate::net::{Asset, Change, Sum};
use crate::recorder::Recorder;
use crate::slot::SlotUse;
use crate::trail::Preimages;

/// `balanceOf(address)`
const BALANCE_OF: [u8; 4] = [0x70, 0xa0, 0x82, 0x31];

/// Who, and of what.
pub type Holding = (Address, Asset);

/// What was there before, in the order in which it was found.
#[derive(Debug, Default)]
pub struct Stocks {
    rows: Vec<(Holding, Sum)>,
    places: HashMap<Holding, usize>,
    keys: Vec<(Address, B256)>,
}

impl Stocks {
    /// All of them.
    pub fn rows(&self) -> &[(Holding, Sum)] {
        &self.rows
    }

    /// (token, the other half of the key) of each balance that was found in storage, some of them more than once.
    pub fn keys(&self) -> &[(Address, B256)] {
        &self.keys
    }

    fn set(&mut self, holding: Holding, amount: Sum) {
        let rows = &mut self.rows;
        let place = *self.places.entry(holding).or_insert_with(|| {
            rows.push((holding, amount));
            rows.len() - 1
        });
        rows[place].1 = amount;
    }
}

/// Reads storage first, then balances of the chain's coin, then the answers of tokens; linear.
pub fn stocks(
    trace: &Recorder,
    slots: &[SlotUse],
    preimages: &Preimages,
    changes: &[AccountChange],
    transfers: &[Transfer],
    net: &[Change],
) -> Stocks {
    let moved: HashMap<Holding, (bool, Sum)> =
        net.iter().map(|change| ((change.holder, change.asset), (change.lost, change.amount))).collect();
    let mut found = Stocks::default();
    from_storage(&mut found, slots, preimages, changes, &moved);
    from_balances(&mut found, changes, net);
    from_answers(&mut found, trace, transfers, &moved);
    found
}

/// A balance is the mapping entry keyed by the holder that changed by exactly what the transfers say.
fn from_storage(
    found: &mut Stocks,
    slots: &[SlotUse],
    preimages: &Preimages,
    changes: &[AccountChange],
    moved: &HashMap<Holding, (bool, Sum)>,
) {
    let stored = changes
        .iter()
        .flat_map(|change| change.storage.iter().map(|(slot, _, after)| ((change.address, *slot), *after)));
    let stored: HashMap<(Address, U256), U256> = stored.collect();
    for slot in slots.iter().filter(|slot| slot.written) {
        let (Some(after), Some(preimage)) = (stored.get(&(slot.address, slot.slot)), preimages.get(slot.slot)) else {
            continue;
        };
        if preimage.len() != 64 {
            continue;
        }
        let lost = *after < slot.before;
        let amount = Sum::from(if lost { slot.before - after } else { after - slot.before });
        let (first, second) = preimage.split_at(32);
        for (word, other) in [(first, second), (second, first)] {
            let holding = (Address::from_slice(&word[12..]), (slot.address, None));
            let is_holder = word[..12].iter().all(|byte| *byte == 0) && !holding.0.is_zero();
            if is_holder && moved.get(&holding) == Some(&(lost, amount)) {
                found.set(holding, Sum::from(slot.before));
                found.keys.push((slot.address, B256::from_slice(other)));
            }
        }
    }
}

fn from_balances(found: &mut Stocks, changes: &[AccountChange], net: &[Change]) {
    let coin: Asset = (Address::ZERO, None);
    let before: HashMap<Address, U256> =
        changes.iter().filter_map(|change| Some((change.address, change.balance?.0))).collect();
    for change in net.iter().filter(|change| change.asset == coin && !change.holder.is_zero()) {
        if let Some(balance) = before.get(&change.holder) {
            found.set((change.holder, coin), Sum::from(*balance));
        }
    }
}

/// The movements of one holding that a query may be about, added up as far as the queries have come.
#[derive(Default)]
struct Account {
    moves: Vec<(u32, bool, U256)>,
    next: usize,
    gained: Sum,
    lost: Sum,
}

impl Account {
    /// What `answer`, given at `at`, means for the beginning; None if the token contradicts its own transfers.
    fn before(&mut self, at: u32, answer: U256) -> Option<Sum> {
        while let Some((sequence, gains, amount)) = self.moves.get(self.next)
            && *sequence <= at
        {
            *(if *gains { &mut self.gained } else { &mut self.lost }) += Sum::from(*amount);
            self.next += 1;
        }
        (Sum::from(answer) + self.lost).checked_sub(self.gained)
    }
}

fn from_answers(found: &mut Stocks, trace: &Recorder, transfers: &[Transfer], moved: &HashMap<Holding, (bool, Sum)>) {
    let queries: Vec<(Holding, &Frame)> =
        trace.frames.iter().filter_map(|frame| Some((query(frame)?, frame))).collect();
    let mut accounts: HashMap<Holding, Account> = HashMap::default();
    for (holding, _) in &queries {
        if !holding.0.is_zero() && moved.contains_key(holding) && !found.places.contains_key(holding) {
            accounts.entry(*holding).or_default();
        }
    }
    if accounts.is_empty() {
        return;
    }
    for moved in transfers.iter().filter(|moved| moved.from != moved.to && !moved.amount.is_zero()) {
        for (holder, gains) in [(moved.from, false), (moved.to, true)] {
            if let Some(account) = accounts.get_mut(&(holder, (moved.token, moved.item))) {
                account.moves.push((moved.sequence, gains, moved.amount));
            }
        }
    }
    for (holding, frame) in queries {
        if found.places.contains_key(&holding) {
            continue;
        }
        let answer = U256::from_be_slice(&frame.output[..32]);
        if let Some(stock) = accounts.get_mut(&holding).and_then(|account| account.before(frame.entered, answer)) {
            found.set(holding, stock);
        }
    }
}

/// Whose balance a frame asked of whom, if it was answered.
fn query(frame: &Frame) -> Option<Holding> {
    let holder = frame.input.get(16..36)?;
    let answered = frame.input[..4] == BALANCE_OF && frame.output.len() >= 32 && frame.error.is_none();
    answered.then_some(())?;
    Some((Address::from_slice(holder), (frame.to?, None)))
}

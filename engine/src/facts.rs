//! What happened, counted once: the same rows as the gateway's `inspection/trace/facts.py`, which stays the reference.

use std::cell::OnceCell;

use revm::primitives::{Address, AddressMap, B256, HashSet, Log, U256};

use crate::change::AccountChange;
use crate::frame::{Event, Frame, Kind};
use crate::movement::{Standard, Transfer};
use crate::net::{Change, net};
use crate::recorder::Recorder;
use crate::topic::{self, Shape};

/// One allowance that was set; no amount for all tokens.
#[derive(Clone, Debug)]
pub struct Approval {
    /// When.
    pub sequence: u32,
    /// In which frame.
    pub frame: u32,
    /// Of which token.
    pub token: Address,
    /// Who permits.
    pub owner: Address,
    /// Whom.
    pub spender: Address,
    /// How much; None for all.
    pub amount: Option<U256>,
}

/// A pool's reserves: as its storage held them, and as announced last.
#[derive(Clone, Debug)]
pub struct Reserves {
    /// The pair.
    pub pool: Address,
    /// As its storage held them; None if no changed slot did.
    pub before: Option<(U256, U256)>,
    /// As announced last; None if that was malformed.
    pub after: Option<(U256, U256)>,
}

/// All of it.
#[derive(Debug)]
pub struct Facts {
    /// In order.
    pub transfers: Vec<Transfer>,
    /// In order.
    pub approvals: Vec<Approval>,
    /// What the transfers come to.
    pub net: Vec<Change>,
    /// In the order of the first announcement.
    pub reserves: Vec<Reserves>,
}

const VALUE_KINDS: [Kind; 5] = [Kind::Call, Kind::CallCode, Kind::Create, Kind::Create2, Kind::SelfDestruct];

impl Facts {
    /// Derives everything in one pass over frames and two over events.
    pub fn derive(trace: &Recorder, changes: &[AccountChange]) -> Self {
        let mut transfers: Vec<Transfer> =
            trace.frames.iter().enumerate().filter_map(|(index, frame)| native(index, frame)).collect();
        let paid = transfers.len();
        let coin: OnceCell<HashSet<(Address, U256)>> = OnceCell::new();
        let stood = |event: &&Event| !trace.frames[event.frame as usize].reverted;
        let mut approvals = Vec::new();
        let mut silent = Vec::new();
        for event in trace.events.iter().filter(stood) {
            let Some(shape) = topic::shape(&event.log) else { continue };
            match shape {
                Shape::Transfer => transfers.extend(transfer(event)),
                Shape::Wrapping { entered } => {
                    let coin = coin.get_or_init(|| {
                        let sides = |moved: &Transfer| [(moved.from, moved.amount), (moved.to, moved.amount)];
                        transfers[..paid].iter().flat_map(sides).collect()
                    });
                    transfers.extend(wrapping(event, coin, entered));
                }
                Shape::Single => transfers.extend(single(event)),
                Shape::Batch => batch(event, &mut transfers),
                Shape::Approval => approvals.extend(approval(event)),
                Shape::ApprovalForAll => approvals.extend(approval_for_all(event)),
                Shape::Sent | Shape::Minted | Shape::Burned => silent.extend(sent(event, shape)),
                Shape::Sync => {}
            }
        }
        if !silent.is_empty() {
            // An ERC-777 token that also says Transfer, as most do, moved once.
            let spoken = transfers.iter().filter(|moved| moved.standard == Standard::Erc20);
            let spoken: HashSet<_> = spoken.map(identity).collect();
            silent.retain(|moved| !spoken.contains(&identity(moved)));
            transfers.append(&mut silent);
        }
        transfers.sort_by_key(|moved| moved.sequence);
        let net = net(&transfers);
        let reserves = reserves(trace.events.iter().filter(stood), changes);
        Self { transfers, approvals, net, reserves }
    }
}

fn native(index: usize, frame: &Frame) -> Option<Transfer> {
    if frame.value.is_zero() || frame.reverted || !VALUE_KINDS.contains(&frame.kind) {
        return None;
    }
    Some(Transfer {
        sequence: frame.entered,
        frame: index as u32,
        standard: Standard::Native,
        token: Address::ZERO,
        from: frame.from,
        to: frame.to?,
        amount: frame.value,
        item: None,
    })
}

fn identity(moved: &Transfer) -> (u32, Address, Address, Address, U256) {
    (moved.frame, moved.token, moved.from, moved.to, moved.amount)
}

fn token(event: &Event, standard: Standard, from: Address, to: Address, amount: U256, item: Option<U256>) -> Transfer {
    Transfer {
        sequence: event.sequence,
        frame: event.frame,
        standard,
        token: event.log.address,
        from,
        to,
        amount,
        item,
    }
}

/// The low 20 bytes of a topic.
fn party(topic: &B256) -> Address {
    Address::from_slice(&topic[12..])
}

/// The word at `at` of the data; None if the data ends before.
fn word(log: &Log, at: usize) -> Option<U256> {
    let start = at.checked_mul(32)?;
    Some(U256::from_be_slice(log.data.data.get(start..start.checked_add(32)?)?))
}

/// ERC-20 with any of its arguments indexed, or ERC-721.
fn transfer(event: &Event) -> Option<Transfer> {
    let (topics, data) = (event.log.topics(), &event.log.data.data);
    if topics.len() == 4 {
        let item = U256::from_be_bytes(topics[3].0);
        return Some(token(event, Standard::Erc721, party(&topics[1]), party(&topics[2]), U256::ONE, Some(item)));
    }
    let seen = data.len().min(96);
    if seen % 32 != 0 || topics.len() - 1 + seen / 32 != 3 {
        return None;
    }
    let mut words = topics[1..].iter().map(|topic| U256::from_be_bytes(topic.0)).collect::<Vec<_>>();
    words.extend((0..seen / 32).filter_map(|at| word(&event.log, at)));
    let (from, to) = (low(words[0]), low(words[1]));
    Some(token(event, Standard::Erc20, from, to, words[2], None))
}

fn low(word: U256) -> Address {
    Address::from_slice(&word.to_be_bytes::<32>()[12..])
}

/// A wrapped coin mints and burns without Transfer; other contracts use the same event names for other things.
fn wrapping(event: &Event, coin: &HashSet<(Address, U256)>, entered: bool) -> Option<Transfer> {
    let topics = event.log.topics();
    if topics.len() != 2 || event.log.data.data.len() != 32 {
        return None;
    }
    let (holder, amount) = (party(&topics[1]), word(&event.log, 0)?);
    if !coin.contains(&(event.log.address, amount)) {
        return None;
    }
    let (from, to) = if entered { (Address::ZERO, holder) } else { (holder, Address::ZERO) };
    Some(token(event, Standard::Erc20, from, to, amount, None))
}

fn single(event: &Event) -> Option<Transfer> {
    let topics = event.log.topics();
    let (item, amount) = (word(&event.log, 0)?, word(&event.log, 1)?);
    let [_, _, from, to] = topics else { return None };
    Some(token(event, Standard::Erc1155, party(from), party(to), amount, Some(item)))
}

/// `TransferBatch`: two arrays of equal length, each within the data.
fn batch(event: &Event, into: &mut Vec<Transfer>) {
    let [_, _, from, to] = event.log.topics() else { return };
    let (Some(items), Some(amounts)) = (array(&event.log, 0), array(&event.log, 1)) else { return };
    if items.len() != amounts.len() {
        return;
    }
    for (item, amount) in items.chunks_exact(32).zip(amounts.chunks_exact(32)) {
        let (item, amount) = (U256::from_be_slice(item), U256::from_be_slice(amount));
        into.push(token(event, Standard::Erc1155, party(from), party(to), amount, Some(item)));
    }
}

/// The elements of the array whose offset is the word at `at`.
fn array(log: &Log, at: usize) -> Option<&[u8]> {
    let offset = usize::try_from(word(log, at)?).ok()?;
    let body = offset.checked_add(32)?;
    let length = usize::try_from(U256::from_be_slice(log.data.data.get(offset..body)?)).ok()?;
    log.data.data.get(body..body.checked_add(length.checked_mul(32)?)?)
}

fn approval(event: &Event) -> Option<Approval> {
    let [_, owner, spender] = event.log.topics() else { return None };
    let amount = word(&event.log, 0)?;
    Some(allowance(event, owner, spender, Some(amount)))
}

fn approval_for_all(event: &Event) -> Option<Approval> {
    let [_, owner, spender] = event.log.topics() else { return None };
    let granted = event.log.data.data.iter().take(32).any(|byte| *byte != 0);
    granted.then(|| allowance(event, owner, spender, None))
}

fn allowance(event: &Event, owner: &B256, spender: &B256, amount: Option<U256>) -> Approval {
    Approval {
        sequence: event.sequence,
        frame: event.frame,
        token: event.log.address,
        owner: party(owner),
        spender: party(spender),
        amount,
    }
}

/// ERC-777: `Sent(operator, from, to, ...)`, `Minted(operator, to, ...)`, `Burned(operator, from, ...)`.
fn sent(event: &Event, shape: Shape) -> Option<Transfer> {
    let amount = word(&event.log, 0)?;
    let (from, to) = match (shape, event.log.topics()) {
        (Shape::Sent, [_, _, from, to]) => (party(from), party(to)),
        (Shape::Minted, [_, _, to]) => (Address::ZERO, party(to)),
        (Shape::Burned, [_, _, from]) => (party(from), Address::ZERO),
        _ => return None,
    };
    Some(token(event, Standard::Erc777, from, to, amount, None))
}

/// One row for each pool that announced its reserves.
fn reserves<'a>(events: impl Iterator<Item = &'a Event>, changes: &[AccountChange]) -> Vec<Reserves> {
    let mut rows: Vec<Reserves> = Vec::new();
    let mut places: AddressMap<usize> = AddressMap::default();
    for event in events.filter(|event| topic::shape(&event.log) == Some(Shape::Sync)) {
        let pool = event.log.address;
        let place = *places.entry(pool).or_insert_with(|| {
            rows.push(Reserves { pool, before: None, after: None });
            rows.len() - 1
        });
        rows[place].after = word(&event.log, 0).zip(word(&event.log, 1));
    }
    for row in &mut rows {
        let Some(packed) = row.after.and_then(|(first, second)| pack(first, second)) else { continue };
        let change = changes.binary_search_by_key(&row.pool, |change| change.address).ok().map(|at| &changes[at]);
        let slots = change.map_or(&[][..], |change| &change.storage);
        let held = slots.iter().find(|(_, _, after)| *after & mask(224) == packed);
        row.before = held.map(|(_, before, _)| (*before & mask(112), (*before >> 112_usize) & mask(112)));
    }
    rows
}

fn mask(bits: usize) -> U256 {
    (U256::ONE << bits) - U256::ONE
}

/// The two reserves as a pair stores them; None if they do not fit.
fn pack(first: U256, second: U256) -> Option<U256> {
    (first <= mask(112) && second <= mask(112)).then(|| first | (second << 112_usize))
}

//! Ways through the call tree: who acts in a stretch of it, out of which call of a side it grew, what lies behind a door.

use memchr::memmem;
use revm::primitives::map::AddressSet;
use revm::primitives::{Address, AddressMap, HashMap, U256};

use crate::frame::{Frame, Kind};
use crate::movement::Transfer;
use crate::recorder::Recorder;
use crate::slot::SSTORE;

/// Bytes of a question that names nobody.
const SELECTOR: usize = 4;
/// Bytes of the shortest answer that says something.
const WORD: usize = 32;

/// One slot that was written: what it held first, its highest value, and its last.
#[derive(Clone, Copy, Debug)]
pub struct Peak {
    /// Whose storage.
    pub address: Address,
    /// Which slot.
    pub slot: U256,
    /// Before the first write.
    pub before: U256,
    /// The highest value on the way, the first one included.
    pub peak: U256,
    /// After the last write.
    pub after: U256,
}

impl Recorder {
    /// The accounts that act in the frames from `first` to before `end`, each once, in order.
    pub fn contexts(&self, first: usize, end: usize) -> Vec<Address> {
        let (mut seen, mut found) = (AddressSet::default(), Vec::new());
        for frame in self.frames.iter().take(end).skip(first) {
            if let Some(account) = frame.context()
                && seen.insert(account)
            {
                found.push(account);
            }
        }
        found
    }

    /// Who was told something else than zero when it asked, by a STATICCALL, about one of `about`.
    pub fn askers(&self, about: &AddressSet) -> AddressSet {
        let asks = |frame: &&Frame| {
            frame.kind == Kind::StaticCall
                && frame.input.get(16..36).is_some_and(|party| about.contains(&Address::from_slice(party)))
                && frame.output.iter().any(|byte| *byte != 0)
        };
        self.frames.iter().filter(asks).map(|frame| frame.from).collect()
    }

    /// (call that brought an order, later call that carries it out) as indices of frames, in the order of the latter.
    ///
    /// A call of at least `least` bytes repeats what stood in the data of one that one of `cluster` made to its
    /// caller, one of `told`, before. Of each, the first `most` longer calls are orders.
    pub fn orders(&self, cluster: &AddressSet, told: &AddressSet, least: usize, most: usize) -> Vec<(usize, usize)> {
        let calls = || self.frames.iter().enumerate().filter(|(_, frame)| frame.kind == Kind::Call && !frame.reverted);
        let mut brought: AddressMap<Vec<usize>> = AddressMap::default();
        for (index, frame) in calls().filter(|(_, frame)| frame.input.len() >= least + 4) {
            if let Some(to) = frame.to.filter(|to| told.contains(to) && cluster.contains(&frame.from)) {
                let kept = brought.entry(to).or_default();
                if kept.len() < most {
                    kept.push(index);
                }
            }
        }
        // a loop makes the same call again and again
        let mut naming: HashMap<(Address, &[u8]), Vec<usize>> = HashMap::default();
        let mut found = Vec::new();
        for (index, frame) in calls().filter(|(_, frame)| frame.input.len() >= least) {
            let Some(kept) = brought.get(&frame.from) else { continue };
            let orders = naming.entry((frame.from, &frame.input)).or_insert_with(|| {
                let finder = memmem::Finder::new(&frame.input);
                let names = |order: &&usize| {
                    let data = &self.frames[**order].input;
                    data.len() >= frame.input.len() && finder.find(data).is_some()
                };
                kept.iter().filter(names).copied().collect()
            });
            if let Some(order) = orders.iter().find(|order| self.frames[**order].left < frame.entered) {
                found.push((*order, index));
            }
        }
        found
    }

    /// Bytes of those logs of at least `least` bytes of which `part` in a thousand, or more, are the same as the last.
    pub fn blank_logs(&self, least: usize, part: usize) -> usize {
        let long = self.events.iter().map(|event| &event.log.data.data).filter(|data| data.len() >= least.max(1));
        long.filter(|data| {
            let same = data.iter().filter(|byte| Some(*byte) == data.last()).count();
            1000 * same >= part * data.len()
        })
        .map(|data| data.len())
        .sum()
    }

    /// (first question, later one) as indices of frames, of plain questions that were answered otherwise the later time.
    ///
    /// Of the first `most` STATICCALLs those that bring a selector only, none of `besides`, and are answered by up to
    /// `longest` bytes; the later one is not asked by one of `but`.
    pub fn recanted(&self, besides: &[Vec<u8>], but: &AddressSet, longest: usize, most: usize) -> Vec<(usize, usize)> {
        let asked = self.frames.iter().enumerate().filter(|(_, frame)| frame.kind == Kind::StaticCall).take(most);
        let plain = |frame: &Frame| {
            frame.input.len() == SELECTOR
                && frame.error.is_none()
                && (WORD..=longest).contains(&frame.output.len())
                && !besides.iter().any(|one| one[..] == frame.input[..])
        };
        let mut first: HashMap<(Address, &[u8]), usize> = HashMap::default();
        let mut found = Vec::new();
        for (index, frame) in asked.filter(|(_, frame)| plain(frame)) {
            let Some(to) = frame.to else { continue };
            let earlier = *first.entry((to, &frame.input)).or_insert(index);
            if self.frames[earlier].output != frame.output && !but.contains(&frame.from) {
                found.push((earlier, index));
            }
        }
        found
    }

    /// Index of the first frame that was entered at or after `sequence`; the number of frames if there is none.
    pub fn entered_since(&self, sequence: i64) -> usize {
        self.frames.partition_point(|frame| i64::from(frame.entered) < sequence)
    }

    /// (account, first frame) of each account that acts between the transaction and frame `index`, outermost first.
    pub fn path(&self, index: usize) -> Vec<(Address, usize)> {
        let mut chain: Vec<(Address, usize)> = Vec::new();
        let mut next = Some(index);
        while let Some((at, frame)) = next.and_then(|at| Some((at, self.frames.get(at)?))) {
            match (frame.context(), chain.last_mut()) {
                (Some(account), Some(last)) if last.0 == account => last.1 = at,
                (Some(account), _) => chain.push((account, at)),
                (None, _) => {}
            }
            next = usize::try_from(frame.parent).ok();
        }
        chain.reverse();
        chain
    }

    /// Who called `token` when it acted in frame `index`; its own delegations are left out.
    pub fn asker(&self, index: usize, token: Address) -> Option<Address> {
        let mut frame = self.frames.get(index)?;
        while let Some(above) = usize::try_from(frame.parent).ok().and_then(|parent| self.frames.get(parent))
            && above.context() == Some(token)
        {
            frame = above;
        }
        Some(frame.from)
    }

    /// True if a call out of `cluster` that led to frame `index` carries `party` in the first `most` bytes of its data.
    pub fn told(&self, index: usize, party: Address, cluster: &AddressSet, most: usize) -> bool {
        let mut next = Some(index);
        while let Some(frame) = next.and_then(|at| self.frames.get(at)) {
            let data = &frame.input[..frame.input.len().min(most)];
            if cluster.contains(&frame.from) && memmem::find(data, party.as_slice()).is_some() {
                return true;
            }
            next = usize::try_from(frame.parent).ok();
        }
        false
    }

    /// For each frame the call out of `cluster` under which it ran; -1 for frames of the cluster itself.
    pub fn visits(&self, cluster: &AddressSet) -> Vec<i32> {
        let mut found: Vec<i32> = Vec::with_capacity(self.frames.len());
        for (index, frame) in self.frames.iter().enumerate() {
            let above = usize::try_from(frame.parent).map_or(-1, |parent| found[parent]);
            found.push(match frame.context() {
                Some(account) if cluster.contains(&account) => -1,
                _ if above >= 0 => above,
                _ => index as i32,
            });
        }
        found
    }

    /// Call out of `cluster` -> accounts that act under it.
    pub fn acting(&self, cluster: &AddressSet) -> HashMap<usize, AddressSet> {
        let mut found: HashMap<usize, AddressSet> = HashMap::default();
        for (frame, visit) in self.frames.iter().zip(self.visits(cluster)) {
            if let (Ok(visit), Some(account)) = (usize::try_from(visit), frame.context()) {
                found.entry(visit).or_default().insert(account);
            }
        }
        found
    }

    /// The one contract for which `entry` is but a door: it does all that moves value and never calls back.
    pub fn sole_room(&self, entry: Address, cluster: &AddressSet, transfers: &[Transfer]) -> Option<Address> {
        let mut rooms: Vec<Option<Address>> = Vec::with_capacity(self.frames.len());
        let mut visited = AddressSet::default();
        for frame in &self.frames {
            let mut room = usize::try_from(frame.parent).ok().and_then(|parent| rooms[parent]);
            if let Some(room) = room {
                if comes_back(frame, cluster) {
                    visited.remove(&room);
                }
            } else if frame.from == entry && frame.kind == Kind::Call && frame.code_hash.is_some() {
                room = frame.to.filter(|to| !cluster.contains(to));
                visited.extend(room);
            }
            rooms.push(room);
        }
        let moving = transfers.iter().filter(|moved| moved.from != entry);
        let moving = moving.map(|moved| (rooms[moved.frame as usize], moved.token));
        // what `entry` asks of a token itself is no part of what it leaves to others
        let mut rest = moving.filter(|(room, token)| *room != Some(*token)).map(|(room, _)| room).peekable();
        let first = match rest.peek() {
            Some(first) => (*first)?,
            None if visited.len() == 1 => *visited.iter().next()?,
            None => return None,
        };
        (rest.all(|room| room == Some(first)) && visited.contains(&first)).then_some(first)
    }

    /// What became of each slot of `keys` that was written in frames that stood, in the order of the first write.
    pub fn peaks(&self, wanted: impl Fn(Address, U256) -> bool) -> Vec<Peak> {
        let mut rows: Vec<Peak> = Vec::new();
        let mut places: HashMap<(Address, U256), usize> = HashMap::default();
        for access in self.accesses.iter().filter(|access| access.kind == SSTORE) {
            if !wanted(access.address, access.slot) || self.frames[access.frame as usize].reverted {
                continue;
            }
            let place = *places.entry((access.address, access.slot)).or_insert_with(|| {
                let before = access.previous;
                rows.push(Peak { address: access.address, slot: access.slot, before, peak: before, after: before });
                rows.len() - 1
            });
            let row = &mut rows[place];
            (row.peak, row.after) = (row.peak.max(access.value), access.value);
        }
        rows
    }
}

/// True if a frame below a room is a call of, or by, the side in front of the door; a plain payment to it is not.
fn comes_back(frame: &Frame, cluster: &AddressSet) -> bool {
    let inside = || frame.context().is_some_and(|account| cluster.contains(&account)) && frame.code_hash.is_some();
    let pays = frame.input.is_empty() && !frame.value.is_zero();
    cluster.contains(&frame.from) || (!pays && inside())
}

//! What became of slots while a contract was entered twice: the reads and writes behind re-entrancy.

use revm::primitives::map::AddressSet;
use revm::primitives::{Address, AddressMap, HashMap, U256};

use crate::recorder::Recorder;
use crate::slot::SSTORE;
use crate::survey::Comeback;

/// A comeback that led through a member of the ordering side.
#[derive(Clone, Copy, Debug)]
pub struct Return {
    /// Outermost open frame of the account.
    pub outer: u32,
    /// Frame that came back.
    pub inner: u32,
    /// The member between them.
    pub through: Address,
}

/// One slot that an inner call changed and the open call used too, as the gateway's `Overlap`.
#[derive(Clone, Copy, Debug)]
pub struct Overlap {
    /// Which pair of frames.
    pub pair: usize,
    /// Which slot.
    pub slot: U256,
    /// The open call had used it before it called out.
    pub read_before: bool,
    /// The open call changed it again afterwards.
    pub written_after: bool,
    /// Without looking again.
    pub stale: bool,
    /// The slot held the same after the last use in the open call as before the first.
    pub restored: bool,
}

/// One slot that was read in an inner call and then changed by the open one, as the gateway's `Answer`.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// Which pair of frames.
    pub pair: usize,
    /// Which slot.
    pub slot: U256,
    /// Value that was read.
    pub seen: U256,
    /// Value when the open call was done.
    pub last: U256,
}

#[derive(Default)]
struct History {
    /// (sequence number, an SSTORE, position among all accesses).
    uses: Vec<(u32, bool, u32)>,
    /// (sequence number, new value) of each SSTORE that changed it.
    changes: Vec<(u32, U256)>,
}

impl History {
    /// The last change up to sequence number `end`.
    fn last_change(&self, end: u32) -> Option<(u32, U256)> {
        let after = self.changes.partition_point(|(sequence, _)| *sequence <= end);
        after.checked_sub(1).map(|last| self.changes[last])
    }
}

#[derive(Default)]
struct Storage {
    /// (sequence number, history, position of the change of the same slot before this one).
    changes: Vec<(u32, usize, Option<usize>)>,
    /// (sequence number, history, value).
    reads: Vec<(u32, usize, U256)>,
}

/// The uses of slots that were changed, of the accounts that the inner frames act on.
struct Index {
    storages: AddressMap<Storage>,
    histories: Vec<History>,
    slots: Vec<U256>,
}

impl Index {
    fn new(trace: &Recorder, pairs: &[(usize, usize)]) -> Self {
        let mut storages: AddressMap<Storage> = AddressMap::default();
        for account in pairs.iter().filter_map(|(_, inner)| trace.frames.get(*inner)?.context()) {
            storages.entry(account).or_default();
        }
        let mut places: HashMap<(Address, U256), usize> = HashMap::default();
        let mut slots = Vec::new();
        for access in trace.accesses.iter().filter(|access| access.kind == SSTORE && access.value != access.previous) {
            if storages.contains_key(&access.address) {
                places.entry((access.address, access.slot)).or_insert_with(|| {
                    slots.push(access.slot);
                    slots.len() - 1
                });
            }
        }
        let mut histories: Vec<History> = Vec::new();
        histories.resize_with(slots.len(), History::default);
        let mut latest: Vec<Option<usize>> = vec![None; slots.len()];
        for (at, access) in trace.accesses.iter().enumerate().filter(|(_, access)| access.kind <= SSTORE) {
            let Some(storage) = storages.get_mut(&access.address) else { continue };
            let Some(&place) = places.get(&(access.address, access.slot)) else { continue };
            let history = &mut histories[place];
            history.uses.push((access.sequence, access.kind == SSTORE, at as u32));
            if access.kind != SSTORE {
                storage.reads.push((access.sequence, place, access.value));
            } else if access.value != access.previous {
                history.changes.push((access.sequence, access.value));
                storage.changes.push((access.sequence, place, latest[place]));
                latest[place] = Some(storage.changes.len() - 1);
            }
        }
        Self { storages, histories, slots }
    }
}

impl Recorder {
    /// The comebacks that led through one of `cluster`, at most `most`; linear in edges and in the frames on their way.
    pub fn returns(&self, comebacks: &[Comeback], cluster: &AddressSet, most: usize) -> Vec<Return> {
        let mut nearest: HashMap<usize, Option<usize>> = HashMap::default();
        let (mut made, mut found) = (Vec::new(), 0);
        for edge in comebacks.iter().filter(|edge| !cluster.contains(&edge.account)) {
            let member = self.member(self.frames[edge.inner as usize].parent, cluster, &mut nearest);
            let Some(member) = member.filter(|member| *member > edge.outer as usize) else { continue };
            found += 1;
            if found > most {
                break;
            }
            if let Some(through) = self.frames[member].context() {
                made.push(Return { outer: edge.outer, inner: edge.inner, through });
            }
        }
        made
    }

    /// The innermost frame of the cluster on the way up from `index`, itself included.
    fn member(&self, index: i32, cluster: &AddressSet, known: &mut HashMap<usize, Option<usize>>) -> Option<usize> {
        let (mut way, mut answer) = (Vec::new(), None);
        let mut next = usize::try_from(index).ok();
        while let Some(index) = next {
            if let Some(found) = known.get(&index) {
                answer = *found;
                break;
            }
            way.push(index);
            let frame = &self.frames[index];
            if frame.context().is_some_and(|account| cluster.contains(&account)) {
                answer = Some(index);
                break;
            }
            next = usize::try_from(frame.parent).ok();
        }
        known.extend(way.into_iter().map(|passed| (passed, answer)));
        answer
    }

    /// For each pair of an open and an inner frame, the first `most` slots that the inner one changed and the open one
    /// used.
    pub fn overlaps(&self, pairs: &[(usize, usize)], most: usize) -> Vec<Overlap> {
        let index = Index::new(self, pairs);
        let mut found = Vec::new();
        for (pair, (outer, inner)) in pairs.iter().enumerate() {
            let (Some(outer), Some(inner)) = (self.frames.get(*outer), self.frames.get(*inner)) else { continue };
            let Some(storage) = inner.context().and_then(|account| index.storages.get(&account)) else { continue };
            let changes = &storage.changes;
            let first = changes.partition_point(|(sequence, ..)| *sequence < inner.entered);
            let last = changes.partition_point(|(sequence, ..)| *sequence <= inner.left);
            // a slot that changed before within this call was met already
            let fresh = changes[first..last.max(first)]
                .iter()
                .filter(|(_, _, before)| before.is_none_or(|before| before < first));
            for (_, place, _) in fresh.take(most) {
                let history = &index.histories[*place];
                let began = history.uses.partition_point(|(sequence, ..)| *sequence < outer.entered);
                let went = history.uses.partition_point(|(sequence, ..)| *sequence < inner.entered);
                let came = history.uses.partition_point(|(sequence, ..)| *sequence <= inner.left);
                let end = history.uses.partition_point(|(sequence, ..)| *sequence <= outer.left);
                let changed = history.last_change(outer.left).is_some_and(|(sequence, _)| sequence > inner.left);
                if began < went || changed {
                    let used = &history.uses[began..end];
                    let restored = used.first().zip(used.last()).is_some_and(|(first, last)| {
                        self.accesses[first.2 as usize].previous == self.accesses[last.2 as usize].value
                    });
                    found.push(Overlap {
                        pair,
                        slot: index.slots[*place],
                        read_before: began < went,
                        written_after: changed,
                        stale: changed && history.uses[came].1,
                        restored,
                    });
                }
            }
        }
        found
    }

    /// For each pair of an open and an inner frame, the first of `most` reads in the inner one that the open one then
    /// made untrue.
    pub fn answers(&self, pairs: &[(usize, usize)], most: usize) -> Vec<Answer> {
        let index = Index::new(self, pairs);
        let mut found = Vec::new();
        for (pair, (outer, view)) in pairs.iter().enumerate() {
            let (Some(outer), Some(view)) = (self.frames.get(*outer), self.frames.get(*view)) else { continue };
            let Some(storage) = view.context().and_then(|account| index.storages.get(&account)) else { continue };
            let first = storage.reads.partition_point(|(sequence, ..)| *sequence < view.entered);
            let reads = storage.reads[first..].iter().take_while(|(sequence, ..)| *sequence <= view.left).take(most);
            let untrue = reads.filter_map(|(_, place, seen)| {
                let (sequence, last) = index.histories[*place].last_change(outer.left)?;
                (sequence > view.left && last != *seen).then_some((*place, *seen, last))
            });
            if let Some((place, seen, last)) = untrue.into_iter().next() {
                found.push(Answer { pair, slot: index.slots[place], seen, last });
            }
        }
        found
    }
}

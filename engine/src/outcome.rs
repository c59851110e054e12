//! The result of a run as Python sees it: each part becomes Python objects when it is asked for, and only then.

use std::sync::{Arc, OnceLock};

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyFrozenSet, PyList, PyTuple};

use revm::primitives::{Address, B256};

use crate::codes::active;
use crate::convert::{Names, Words, bytes};
use crate::evm;
use crate::facts::Facts;
use crate::frame::{ENVIRONMENT, Frame};
use crate::input::{to_address, to_addresses, to_hash, to_slots};
use crate::kept::{accounts, kept};
use crate::list::lists;
use crate::net::{crossings, outflows};
use crate::record;
use crate::row::{self, Rows};
use crate::slot::SlotUse;
use crate::stock::{Stocks, stocks};
use crate::trail::Trail;

/// What a run left behind.
#[pyclass(frozen, module = "stopgate_engine")]
pub struct Outcome {
    /// The Rust side of it.
    pub inner: Arc<evm::Outcome>,
    names: Names,
    facts: OnceLock<Facts>,
    stocks: OnceLock<Stocks>,
    trail: Trail,
}

impl Outcome {
    /// Nothing is converted yet.
    pub fn new(inner: Arc<evm::Outcome>) -> Self {
        Self {
            inner,
            names: Names::default(),
            facts: OnceLock::new(),
            stocks: OnceLock::new(),
            trail: Trail::default(),
        }
    }

    fn facts(&self) -> &Facts {
        self.facts.get_or_init(|| Facts::derive(&self.inner.trace, &self.inner.changes))
    }

    fn found_stocks(&self) -> &Stocks {
        self.stocks.get_or_init(|| {
            let (run, facts) = (&*self.inner, self.facts());
            let (slots, preimages) = (self.trail.slots(&run.trace), self.trail.preimages(&run.trace));
            stocks(&run.trace, slots, preimages, &run.changes, &facts.transfers, &facts.net)
        })
    }
}

#[pymethods]
impl Outcome {
    /// (status, gas used, output, error, truncated, seconds, created and still standing, removed).
    fn summary<'py>(&self, py: Python<'py>, words: &Words) -> PyResult<Bound<'py, PyTuple>> {
        let run = &*self.inner;
        let mut maker = self.names.maker(py, words);
        let fields: [Bound<'py, PyAny>; 8] = [
            run.status.into_pyobject(py)?.into_any(),
            run.gas_used.into_pyobject(py)?.into_any(),
            bytes(py, &run.output).into_any(),
            run.error.as_deref().into_pyobject(py)?.into_any(),
            run.trace.stopped.into_pyobject(py)?.into_any(),
            run.duration.into_pyobject(py)?.into_any(),
            row::addresses(py, &mut maker, &run.created())?.into_any(),
            row::addresses(py, &mut maker, &run.destroyed())?.into_any(),
        ];
        PyTuple::new(py, fields)
    }

    /// Number of frames.
    #[getter]
    fn frame_count(&self) -> usize {
        self.inner.trace.frames.len()
    }

    /// Number of events.
    #[getter]
    fn log_count(&self) -> usize {
        self.inner.trace.events.len()
    }

    /// One tuple in the order of the gateway's `CallFrame` for each of the frames from `start` to before `end`.
    fn frames<'py>(&self, py: Python<'py>, words: &Words, start: usize, end: usize) -> Rows<'py> {
        let list = PyList::empty(py);
        let mut maker = self.names.maker(py, words);
        for (index, frame) in self.inner.trace.frames.iter().enumerate().take(end).skip(start) {
            list.append(record::frame(py, words, &mut maker, index, frame)?)?;
        }
        Ok(list)
    }

    /// The same for the frames at `indices`.
    fn picked<'py>(&self, py: Python<'py>, words: &Words, indices: Vec<usize>) -> Rows<'py> {
        let list = PyList::empty(py);
        let mut maker = self.names.maker(py, words);
        let frames = &self.inner.trace.frames;
        for (index, frame) in indices.into_iter().filter_map(|index| Some((index, frames.get(index)?))) {
            list.append(record::frame(py, words, &mut maker, index, frame)?)?;
        }
        Ok(list)
    }

    /// Indices of the frames that fit all that is given; `kinds` has a bit for each kind.
    #[allow(clippy::too_many_arguments)] // one Python call
    fn select(
        &self,
        kinds: Option<u32>,
        from_: Option<Bound<'_, PyAny>>,
        to: Option<Bound<'_, PyAny>>,
        selectors: Option<Bound<'_, PyAny>>,
        about: Option<Bound<'_, PyAny>>,
        but: Option<Bound<'_, PyAny>>,
        answered: bool,
    ) -> PyResult<Vec<usize>> {
        let (from_, to, about) = (to_addresses(from_)?, to_addresses(to)?, to_addresses(about)?);
        let but = to_addresses(but)?;
        let selectors = selectors.map(|given| given.try_iter()?.map(|item| item?.extract()).collect());
        let selectors: Option<Vec<Vec<u8>>> = selectors.transpose()?;
        let fits = |frame: &Frame| {
            kinds.is_none_or(|kinds| kinds & (1 << frame.kind as u32) != 0)
                && from_.as_ref().is_none_or(|set| set.contains(&frame.from))
                && but.as_ref().is_none_or(|set| !set.contains(&frame.from))
                && (!answered || (frame.error.is_none() && frame.output.len() >= 32))
                && to.as_ref().is_none_or(|set| frame.to.is_some_and(|to| set.contains(&to)))
                && selectors.as_ref().is_none_or(|known| {
                    let selector = &frame.input[..frame.input.len().min(4)];
                    known.iter().any(|one| one == selector)
                })
                && about.as_ref().is_none_or(|set| {
                    frame.input.get(16..36).is_some_and(|party| set.contains(&Address::from_slice(party)))
                })
        };
        let frames = self.inner.trace.frames.iter().enumerate();
        Ok(frames.filter(|(_, frame)| fits(frame)).map(|(index, _)| index).collect())
    }

    /// One tuple per way of entry in the order of the gateway's `Link`.
    fn links<'py>(&self, py: Python<'py>, words: &Words) -> Rows<'py> {
        let trace = &self.inner.trace;
        record::links(py, words, &mut self.names.maker(py, words), trace, self.trail.links(trace))
    }

    /// One tuple per event in the order of the gateway's `Log`; with `topics` only those with such a first one.
    #[pyo3(signature = (words, topics = None))]
    fn logs<'py>(&self, py: Python<'py>, words: &Words, topics: Option<Bound<'_, PyAny>>) -> Rows<'py> {
        let trace = &self.inner.trace;
        let mut maker = self.names.maker(py, words);
        let Some(topics) = topics else { return record::logs(py, &mut maker, trace, trace.events.iter()) };
        let wanted = topics.try_iter()?.map(|item| to_hash(&item?)).collect::<PyResult<Vec<_>>>()?;
        let found = self.trail.told(trace).of(&wanted);
        record::logs(py, &mut maker, trace, found.iter().map(|index| &trace.events[*index as usize]))
    }

    /// One tuple per storage opcode in the order of the gateway's `StorageAccess`; with `accounts` only SLOAD and
    /// SSTORE on their storage, if `changing` only on slots that some SSTORE gave another value.
    #[pyo3(signature = (words, accounts = None, changing = false))]
    fn accesses<'py>(
        &self,
        py: Python<'py>,
        words: &Words,
        accounts: Option<Bound<'_, PyAny>>,
        changing: bool,
    ) -> Rows<'py> {
        let accounts = to_addresses(accounts)?;
        record::accesses(py, words, &mut self.names.maker(py, words), &self.inner.trace, accounts, changing)
    }

    /// One tuple per touched slot in the order of the gateway's `SlotUse`; if `written` only of those that an SSTORE
    /// touched, with `accounts` only of their storage.
    #[pyo3(signature = (words, written = false, accounts = None))]
    fn slots<'py>(
        &self,
        py: Python<'py>,
        words: &Words,
        written: bool,
        accounts: Option<Bound<'_, PyAny>>,
    ) -> Rows<'py> {
        let accounts = to_addresses(accounts)?;
        let fits = |slot: &&SlotUse| {
            (slot.written || !written) && accounts.as_ref().is_none_or(|accounts| accounts.contains(&slot.address))
        };
        let slots = self.trail.slots(&self.inner.trace).iter().filter(fits);
        row::slots(py, &mut self.names.maker(py, words), slots)
    }

    /// (frame, opcode, count) of reads of the block environment.
    fn environment(&self) -> Vec<(usize, &'static str, u32)> {
        let frames = self.inner.trace.frames.iter().enumerate();
        frames
            .flat_map(|(index, frame)| {
                let counts = ENVIRONMENT.iter().zip(frame.environment);
                counts.filter(|(_, count)| *count > 0).map(move |(opcode, count)| (index, *opcode, count))
            })
            .collect()
    }

    /// Hash as int -> the 32 or 64 bytes that were hashed.
    fn preimages<'py>(&self, py: Python<'py>, words: &Words) -> PyResult<Bound<'py, PyDict>> {
        let rows = self.trail.preimages(&self.inner.trace).rows();
        row::preimages(py, &mut self.names.maker(py, words), rows.iter())
    }

    /// Hashes of the code that ran, in the order of the first frame.
    fn code_hashes<'py>(&self, py: Python<'py>, words: &Words) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let mut maker = self.names.maker(py, words);
        let order = self.trail.codes(&self.inner.trace).order();
        order.iter().filter_map(|(hash, _)| maker.maybe_hash(Some(*hash)).transpose()).collect()
    }

    /// Number of pieces of code that ran.
    #[getter]
    fn code_count(&self) -> usize {
        self.trail.codes(&self.inner.trace).order().len()
    }

    /// The code with this hash, if it ran.
    fn code<'py>(&self, py: Python<'py>, hash: Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let trace = &self.inner.trace;
        Ok(self.trail.codes(trace).get(trace, to_hash(&hash)?).map(|code| bytes(py, code)))
    }

    /// True if `data` stands in code that ran on the storage of `account`.
    fn names(&self, account: Bound<'_, PyAny>, data: &[u8]) -> PyResult<bool> {
        let trace = &self.inner.trace;
        Ok(self.trail.codes(trace).name(trace, to_address(&account)?, data))
    }

    /// True if code that ran on the storage of `account` asks who sent the transaction.
    fn asks_origin(&self, account: Bound<'_, PyAny>) -> PyResult<bool> {
        let trace = &self.inner.trace;
        Ok(self.trail.codes(trace).ask_origin(trace, to_address(&account)?))
    }

    /// Contract -> its callers, and `sender`, whose address stands in code that ran on its storage -> set of the
    /// places where that code lies.
    fn embedded<'py>(&self, py: Python<'py>, words: &Words, sender: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
        let trace = &self.inner.trace;
        let found = self.trail.codes(trace).embedded(trace, self.trail.links(trace), to_address(&sender)?);
        row::nested(py, &mut self.names.maker(py, words), &found, |maker, party| maker.address(party))
    }

    /// Contract -> where a list lies -> set of accounts that it said yes of, without the slots in `but`.
    fn lists<'py>(
        &self,
        py: Python<'py>,
        words: &Words,
        sender: Bound<'py, PyAny>,
        but: Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let (trace, but) = (&self.inner.trace, to_slots(&but)?);
        let parties = self.trail.parties(trace, to_address(&sender)?);
        let skip = |address, slot| !but.is_empty() && but.contains(&(address, slot));
        let found = lists(self.trail.slots(trace), self.trail.preimages(trace), &parties, skip);
        row::nested(py, &mut self.names.maker(py, words), &found, |_, place: B256| {
            Ok(bytes(py, place.as_slice()).into_any())
        })
    }

    /// Accounts that were called and ran code.
    fn active<'py>(&self, py: Python<'py>, words: &Words) -> PyResult<Bound<'py, PyFrozenSet>> {
        let trace = &self.inner.trace;
        row::set(py, &mut self.names.maker(py, words), active(trace, self.trail.links(trace)))
    }

    /// The accounts that changed, in order.
    fn changed<'py>(&self, py: Python<'py>, words: &Words) -> PyResult<Bound<'py, PyTuple>> {
        let changed = self.inner.changes.iter().filter(|change| change.changes_values());
        row::addresses(py, &mut self.names.maker(py, words), &changed.map(|one| one.address).collect::<Vec<_>>())
    }

    /// (balance, nonce, code, storage) of one account, as in the gateway's `AccountDiff`; None if it did not change.
    fn change<'py>(
        &self,
        py: Python<'py>,
        words: &Words,
        address: Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let (address, changes) = (to_address(&address)?, &self.inner.changes);
        let place = changes.binary_search_by_key(&address, |change| change.address).ok();
        let change = place.map(|place| &changes[place]).filter(|change| change.changes_values());
        change.map(|change| record::change(py, &mut self.names.maker(py, words), change)).transpose()
    }

    /// One tuple per movement in the order of the gateway's `Transfer`.
    fn transfers<'py>(&self, py: Python<'py>, words: &Words) -> Rows<'py> {
        row::transfers(py, words, &mut self.names.maker(py, words), self.facts())
    }

    /// (index of a movement, whether it came in) of those that came to, or left, the accounts of `cluster` together.
    fn crossings(&self, cluster: Bound<'_, PyAny>) -> PyResult<Vec<(usize, bool)>> {
        let cluster = to_addresses(Some(cluster))?.unwrap_or_default();
        Ok(crossings(&self.facts().transfers, &cluster))
    }

    /// (holder, token, item, indices of movements) of what each holder gave of each asset of which it has less.
    fn outflows<'py>(&self, py: Python<'py>, words: &Words) -> Rows<'py> {
        let facts = self.facts();
        row::outflows(py, &mut self.names.maker(py, words), &outflows(&facts.transfers, &facts.net))
    }

    /// One tuple per allowance that was set, in the order of the gateway's `Approval`.
    fn approvals<'py>(&self, py: Python<'py>, words: &Words) -> Rows<'py> {
        row::approvals(py, &mut self.names.maker(py, words), self.facts())
    }

    /// One tuple per return into an open account, in the order of the gateway's `Comeback`.
    fn comebacks<'py>(&self, py: Python<'py>, words: &Words) -> Rows<'py> {
        row::comebacks(py, &mut self.names.maker(py, words), self.trail.comebacks(&self.inner.trace))
    }

    /// Number of returns into an open account.
    #[getter]
    fn comeback_count(&self) -> usize {
        self.trail.comebacks(&self.inner.trace).len()
    }

    /// (open frame, frame that came back, member between them) of the returns that led through one of `cluster`.
    fn returns<'py>(
        &self,
        py: Python<'py>,
        words: &Words,
        cluster: Bound<'py, PyAny>,
        most: usize,
    ) -> PyResult<Vec<(u32, u32, Bound<'py, PyAny>)>> {
        let (trace, mut maker) = (&self.inner.trace, self.names.maker(py, words));
        let cluster = to_addresses(Some(cluster))?.unwrap_or_default();
        let found = trace.returns(self.trail.comebacks(trace), &cluster, most);
        found.iter().map(|back| Ok((back.outer, back.inner, maker.address(back.through)?))).collect()
    }

    /// One tuple in the order of the gateway's `Overlap` for each slot that both frames of a pair used.
    fn overlaps<'py>(&self, py: Python<'py>, words: &Words, pairs: Vec<(usize, usize)>, most: usize) -> Rows<'py> {
        row::overlaps(py, &mut self.names.maker(py, words), &self.inner.trace.overlaps(&pairs, most))
    }

    /// One tuple in the order of the gateway's `Answer` for each pair whose inner frame read what did not last.
    fn answers<'py>(&self, py: Python<'py>, words: &Words, pairs: Vec<(usize, usize)>, most: usize) -> Rows<'py> {
        row::answers(py, &mut self.names.maker(py, words), &self.inner.trace.answers(&pairs, most))
    }

    /// The accounts that act in the frames from `start` to before `end`, each once.
    fn contexts<'py>(&self, py: Python<'py>, words: &Words, start: usize, end: usize) -> PyResult<Bound<'py, PyTuple>> {
        row::addresses(py, &mut self.names.maker(py, words), &self.inner.trace.contexts(start, end))
    }

    /// (account, first frame) of each account that acts between the transaction and frame `index`.
    fn path<'py>(&self, py: Python<'py>, words: &Words, index: usize) -> PyResult<Vec<(Bound<'py, PyAny>, usize)>> {
        let mut maker = self.names.maker(py, words);
        let chain = self.inner.trace.path(index).into_iter();
        chain.map(|(account, first)| Ok((maker.address(account)?, first))).collect()
    }

    /// Who called `token` when it acted in frame `index`; None if there is no such frame.
    fn asker<'py>(
        &self,
        py: Python<'py>,
        words: &Words,
        index: usize,
        token: Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.names.maker(py, words).maybe_address(self.inner.trace.asker(index, to_address(&token)?))
    }

    /// True if a call out of `cluster` that led to frame `index` carries `party` in the first `most` bytes of its data.
    fn told(&self, index: usize, party: Bound<'_, PyAny>, cluster: Bound<'_, PyAny>, most: usize) -> PyResult<bool> {
        let cluster = to_addresses(Some(cluster))?.unwrap_or_default();
        Ok(self.inner.trace.told(index, to_address(&party)?, &cluster, most))
    }

    /// For each frame the call out of `cluster` under which it ran; -1 for frames of the cluster itself.
    fn visits(&self, cluster: Bound<'_, PyAny>) -> PyResult<Vec<i32>> {
        Ok(self.inner.trace.visits(&to_addresses(Some(cluster))?.unwrap_or_default()))
    }

    /// Who was told something else than zero when it asked about one of `about`.
    fn askers<'py>(
        &self,
        py: Python<'py>,
        words: &Words,
        about: Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyFrozenSet>> {
        let found = self.inner.trace.askers(&to_addresses(Some(about))?.unwrap_or_default());
        row::set(py, &mut self.names.maker(py, words), found)
    }

    /// Bytes of those logs of at least `least` bytes of which `part` in a thousand, or more, are the same as the last.
    fn blank_logs(&self, least: usize, part: usize) -> usize {
        self.inner.trace.blank_logs(least, part)
    }

    /// (first question, later one) of plain questions that were answered otherwise the later time.
    fn recanted(
        &self,
        besides: Bound<'_, PyAny>,
        but: Bound<'_, PyAny>,
        longest: usize,
        most: usize,
    ) -> PyResult<Vec<(usize, usize)>> {
        let besides = besides.try_iter()?.map(|item| item?.extract()).collect::<PyResult<Vec<Vec<u8>>>>()?;
        Ok(self.inner.trace.recanted(&besides, &to_addresses(Some(but))?.unwrap_or_default(), longest, most))
    }

    /// (call that brought an order, later call that carries it out) as indices of frames.
    fn orders(
        &self,
        cluster: Bound<'_, PyAny>,
        told: Bound<'_, PyAny>,
        least: usize,
        most: usize,
    ) -> PyResult<Vec<(usize, usize)>> {
        let cluster = to_addresses(Some(cluster))?.unwrap_or_default();
        let told = to_addresses(Some(told))?.unwrap_or_default();
        Ok(self.inner.trace.orders(&cluster, &told, least, most))
    }

    /// True if a frame failed.
    #[getter]
    fn fails(&self) -> bool {
        self.inner.trace.frames.iter().any(|frame| frame.error.is_some())
    }

    /// Index of the first frame that was entered at or after `sequence`; the number of frames if there is none.
    fn entered_since(&self, sequence: i64) -> usize {
        self.inner.trace.entered_since(sequence)
    }

    /// Everybody who takes part.
    fn parties<'py>(
        &self,
        py: Python<'py>,
        words: &Words,
        sender: Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyFrozenSet>> {
        let trace = &self.inner.trace;
        let found = self.trail.parties(trace, to_address(&sender)?);
        row::set(py, &mut self.names.maker(py, words), found.iter().copied())
    }

    /// Call out of `cluster` -> accounts that act under it.
    fn acting<'py>(&self, py: Python<'py>, words: &Words, cluster: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
        let (found, mut maker) = (PyDict::new(py), self.names.maker(py, words));
        for (visit, accounts) in self.inner.trace.acting(&to_addresses(Some(cluster))?.unwrap_or_default()) {
            found.set_item(visit, row::set(py, &mut maker, accounts)?)?;
        }
        Ok(found)
    }

    /// The one contract for which `entry` is but a door.
    fn sole_room<'py>(
        &self,
        py: Python<'py>,
        words: &Words,
        entry: Bound<'py, PyAny>,
        cluster: Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let (entry, cluster) = (to_address(&entry)?, to_addresses(Some(cluster))?.unwrap_or_default());
        let room = self.inner.trace.sole_room(entry, &cluster, &self.facts().transfers);
        self.names.maker(py, words).maybe_address(room)
    }

    /// (address, slot, first, highest and last value) of each of these slots that was written.
    fn peaks<'py>(&self, py: Python<'py>, words: &Words, keys: Bound<'py, PyAny>) -> Rows<'py> {
        let keys = to_slots(&keys)?;
        let found = self.inner.trace.peaks(|address, slot| keys.contains(&(address, slot)));
        row::peaks(py, &mut self.names.maker(py, words), &found)
    }

    /// Hash as int -> the two hashes that were hashed, among the first `most` that was hashed at all.
    fn nodes<'py>(&self, py: Python<'py>, words: &Words, most: usize) -> PyResult<Bound<'py, PyDict>> {
        row::preimages(py, &mut self.names.maker(py, words), self.trail.preimages(&self.inner.trace).nodes(most))
    }

    /// The parts of the gateway's `Kept`, without the slots in `but`.
    fn kept<'py>(
        &self,
        py: Python<'py>,
        words: &Words,
        sender: Bound<'py, PyAny>,
        but: Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let (trace, but) = (&self.inner.trace, to_slots(&but)?);
        let parties = self.trail.parties(trace, to_address(&sender)?);
        let skip = |address, slot| !but.is_empty() && but.contains(&(address, slot));
        let found = kept(self.trail.slots(trace), self.trail.preimages(trace), &parties, skip);
        row::kept(py, &mut self.names.maker(py, words), &found)
    }

    /// Contract -> set of (account, place) of its simple mappings that had an entry, without the slots in `but`.
    fn accounts<'py>(
        &self,
        py: Python<'py>,
        words: &Words,
        sender: Bound<'py, PyAny>,
        but: Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let (trace, but) = (&self.inner.trace, to_slots(&but)?);
        let parties = self.trail.parties(trace, to_address(&sender)?);
        let skip = |address, slot| !but.is_empty() && but.contains(&(address, slot));
        let found = accounts(self.trail.slots(trace), self.trail.preimages(trace), &parties, skip);
        row::accounts(py, &mut self.names.maker(py, words), &found)
    }

    /// (holder, token, item, amount) of what holders of changed assets had before.
    fn stocks<'py>(&self, py: Python<'py>, words: &Words) -> Rows<'py> {
        row::stocks(py, &mut self.names.maker(py, words), self.found_stocks())
    }

    /// Token -> set of the other halves of the keys under which its balances were found.
    fn balance_places<'py>(&self, py: Python<'py>, words: &Words) -> PyResult<Bound<'py, PyDict>> {
        row::keys(py, &mut self.names.maker(py, words), self.found_stocks())
    }

    /// One tuple per pair that announced reserves, in the order of the gateway's `Reserves`.
    fn reserves<'py>(&self, py: Python<'py>, words: &Words) -> Rows<'py> {
        row::reserves(py, &mut self.names.maker(py, words), self.facts())
    }

    /// (holder, token, item, signed amount) of each holding that changed, the zero address's included.
    fn net<'py>(&self, py: Python<'py>, words: &Words) -> Rows<'py> {
        row::net(py, &mut self.names.maker(py, words), self.facts())
    }
}

//! The Python face: inputs are copied first, execution runs without the GIL, results are built on demand.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pyo3::create_exception;
use pyo3::exceptions::PyException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyInt, PyList, PyTuple};
use revm::bytecode::Bytecode;
use revm::primitives::hardfork::SpecId;
use revm::primitives::{Address, U256};

use crate::bare::measure;
use crate::evm::{self, Ending, Run, execute};
use crate::input::{flag, to_address, to_block, to_hash, to_limits, to_transaction, to_word};
use crate::recorder::{ENVIRONMENT, Kind};
use crate::world;

create_exception!(stopgate_engine, Refused, PyException, "A node would refuse the transaction: (reason, detail).");
create_exception!(stopgate_engine, Broken, PyException, "The engine failed; nothing is known about the transaction.");

/// Known state; see the gateway's `World`.
#[pyclass(frozen, module = "stopgate_engine")]
pub struct World {
    complete: bool,
    state: Mutex<world::World>,
}

/// What a run left behind; each part becomes Python objects when it is asked for.
#[pyclass(frozen, module = "stopgate_engine")]
pub struct Outcome {
    inner: Arc<evm::Outcome>,
}

/// Keys that a run needs first.
#[pyclass(frozen, get_all, module = "stopgate_engine")]
pub struct Wanted {
    accounts: Vec<Py<PyBytes>>,
    slots: Vec<(Py<PyBytes>, Py<PyAny>)>,
    block_hashes: Vec<u64>,
}

impl World {
    fn lock(&self) -> MutexGuard<'_, world::World> {
        // A world is changed value by value, so a panic elsewhere leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn prepare(
        &self,
        transaction: &Bound<'_, PyAny>,
        block: &Bound<'_, PyAny>,
        limits: &Bound<'_, PyAny>,
        checks: &Bound<'_, PyAny>,
        p256: bool,
    ) -> PyResult<(Run, world::Source)> {
        let (block_env, mut cfg, hashes) = to_block(block)?;
        let tx = to_transaction(transaction)?;
        cfg.disable_nonce_check = !flag(checks, "nonce")?;
        cfg.disable_eip3607 = !flag(checks, "sender_code")?;
        let grant_value = !flag(checks, "balance")?;
        cfg.disable_balance_check = grant_value;
        cfg.disable_fee_charge = grant_value;
        cfg.disable_base_fee = grant_value;
        let run = Run { tx, block: block_env, p256, limits: to_limits(limits)?, grant_value, cfg };
        let source = world::Source {
            view: self.lock().view(),
            complete: self.complete,
            wanted: world::Wanted::default(),
            floor: None,
            clears_empty: run.cfg.spec.is_enabled_in(SpecId::SPURIOUS_DRAGON),
            hashes,
        };
        Ok((run, source))
    }
}

#[pymethods]
impl World {
    #[new]
    fn new(complete: bool) -> Self {
        Self { complete, state: Mutex::default() }
    }

    #[getter]
    fn complete(&self) -> bool {
        self.complete
    }

    /// Number of entries held, newer copies counted again.
    fn __len__(&self) -> usize {
        self.lock().weight()
    }

    fn load_account(
        &self,
        address: &Bound<'_, PyAny>,
        nonce: u64,
        balance: &Bound<'_, PyAny>,
        code: &[u8],
        hash: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let (address, balance, hash) = (to_address(address)?, to_word(balance)?, to_hash(hash)?);
        self.lock().load_account(address, nonce, balance, code, hash);
        Ok(())
    }

    fn load_slots(&self, slots: &Bound<'_, PyDict>) -> PyResult<()> {
        let mut entries = Vec::with_capacity(slots.len());
        for (key, value) in slots {
            let key = key.cast_into::<PyTuple>()?;
            entries.push((to_address(&key.get_item(0)?)?, to_word(&key.get_item(1)?)?, to_word(&value)?));
        }
        let mut state = self.lock();
        for (address, slot, value) in entries {
            state.load_slot(address, slot, value);
        }
        Ok(())
    }

    fn load_hash(&self, number: u64, hash: &Bound<'_, PyAny>) -> PyResult<()> {
        let hash = to_hash(hash)?;
        self.lock().load_hash(number, hash);
        Ok(())
    }

    /// Puts the effects of an executed transaction on top.
    fn apply_outcome(&self, outcome: &Outcome) {
        let mut state = self.lock();
        for change in &outcome.inner.changes {
            state.apply(change);
        }
    }

    /// Puts the change of one account on top: (before, after) pairs or None, and a dict of slots.
    fn apply_account(
        &self,
        address: &Bound<'_, PyAny>,
        balance: Option<Bound<'_, PyTuple>>,
        nonce: Option<(u64, u64)>,
        code: Option<(Vec<u8>, Vec<u8>)>,
        storage: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let mut change = crate::diff::AccountChange { address: to_address(address)?, nonce, ..Default::default() };
        if let Some(pair) = balance {
            change.balance = Some((to_word(&pair.get_item(0)?)?, to_word(&pair.get_item(1)?)?));
        }
        for item in storage.call_method0(intern!(storage.py(), "items"))?.try_iter()? {
            let item = item?;
            let pair = item.get_item(1)?;
            change.storage.push((
                to_word(&item.get_item(0)?)?,
                to_word(&pair.get_item(0)?)?,
                to_word(&pair.get_item(1)?)?,
            ));
        }
        change.code = code.map(|(before, after)| (before.into(), after.into()));
        let code_gone = change.code.as_ref().is_some_and(|(before, after)| !before.is_empty() && after.is_empty());
        change.destroyed = code_gone && change.nonce.is_some_and(|(_, after)| after == 0);
        change.created = change.code.as_ref().is_some_and(|(before, _)| before.is_empty())
            && change.nonce.is_some_and(|(before, _)| before == 0);
        self.lock().apply(&change);
        Ok(())
    }

    /// A cheap independent copy.
    fn fork(&self) -> Self {
        Self { complete: self.complete, state: Mutex::new(self.lock().fork()) }
    }

    /// Seconds of each of `times` runs, with everything recorded or (`traced` false) on revm as it comes.
    #[pyo3(signature = (transaction, block, limits, checks, times, traced))]
    #[allow(clippy::too_many_arguments)] // one Python call
    fn measure<'py>(
        &self,
        py: Python<'py>,
        transaction: &Bound<'py, PyAny>,
        block: &Bound<'py, PyAny>,
        limits: &Bound<'py, PyAny>,
        checks: &Bound<'py, PyAny>,
        times: usize,
        traced: bool,
    ) -> PyResult<Vec<f64>> {
        let (run, source) = self.prepare(transaction, block, limits, checks, false)?;
        let times = py.detach(|| measure(&run, &source, times, traced));
        Ok(times.iter().map(Duration::as_secs_f64).collect())
    }

    /// Executes one transaction; returns an `Outcome`, or `Wanted` if keys are missing.
    #[pyo3(signature = (transaction, block, limits, checks, p256))]
    fn simulate<'py>(
        &self,
        py: Python<'py>,
        transaction: &Bound<'py, PyAny>,
        block: &Bound<'py, PyAny>,
        limits: &Bound<'py, PyAny>,
        checks: &Bound<'py, PyAny>,
        p256: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (run, source) = self.prepare(transaction, block, limits, checks, p256)?;
        let ending = py
            .detach(|| catch_unwind(AssertUnwindSafe(|| execute(run, source))))
            .map_err(|_| Broken::new_err("the engine panicked; the run was discarded"))?;
        match ending {
            Ending::Executed(outcome) => Ok(Bound::new(py, Outcome { inner: Arc::from(outcome) })?.into_any()),
            Ending::Wanting(wanted) => Ok(Bound::new(py, Wanted::from_rust(py, wanted)?)?.into_any()),
            Ending::Refused(reason, detail) => Err(Refused::new_err((reason, detail))),
            Ending::Broken(reason) => Err(Broken::new_err(reason)),
        }
    }
}

impl Wanted {
    fn from_rust(py: Python<'_>, wanted: world::Wanted) -> PyResult<Self> {
        let slots = wanted
            .slots
            .iter()
            .map(|(address, slot)| Ok((bytes(py, address.as_slice()).unbind(), int(py, *slot)?.unbind())));
        Ok(Self {
            accounts: wanted.accounts.iter().map(|address| bytes(py, address.as_slice()).unbind()).collect(),
            slots: slots.collect::<PyResult<_>>()?,
            block_hashes: wanted.hashes.into_iter().collect(),
        })
    }
}

#[pymethods]
impl Outcome {
    #[getter]
    fn status(&self) -> &'static str {
        self.inner.status
    }

    #[getter]
    fn gas_used(&self) -> u64 {
        self.inner.gas_used
    }

    #[getter]
    fn output<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        bytes(py, &self.inner.output)
    }

    #[getter]
    fn error(&self) -> Option<&str> {
        self.inner.error.as_deref()
    }

    #[getter]
    fn truncated(&self) -> Option<&'static str> {
        self.inner.trace.stopped
    }

    #[getter]
    fn duration(&self) -> f64 {
        self.inner.duration
    }

    /// Addresses of contracts that were created and still stand.
    #[getter]
    fn created<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, PyBytes>> {
        let gone: HashSet<Address> =
            self.inner.changes.iter().filter(|change| change.destroyed).map(|change| change.address).collect();
        let (mut made, mut seen) = (Vec::new(), HashSet::new());
        for frame in &self.inner.trace.frames {
            if let (Kind::Create | Kind::Create2, false, Some(address)) = (frame.kind, frame.reverted, frame.to)
                && !gone.contains(&address)
                && seen.insert(address)
            {
                made.push(address);
            }
        }
        made.iter().map(|address| bytes(py, address.as_slice())).collect()
    }

    /// Addresses of accounts that were removed.
    #[getter]
    fn destroyed<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, PyBytes>> {
        let gone = self.inner.changes.iter().filter(|change| change.destroyed);
        gone.map(|change| bytes(py, change.address.as_slice())).collect()
    }

    /// One tuple per frame in the order of the gateway's `CallFrame`.
    fn frames<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for (index, frame) in self.inner.trace.frames.iter().enumerate() {
            let optional = |address: Option<Address>| address.map(|address| bytes(py, address.as_slice()));
            let fields: [Bound<'py, PyAny>; 18] = [
                index.into_pyobject(py)?.into_any(),
                frame.parent.into_pyobject(py)?.into_any(),
                frame.depth.into_pyobject(py)?.into_any(),
                (frame.kind as u8).into_pyobject(py)?.into_any(),
                bytes(py, frame.from.as_slice()).into_any(),
                optional(frame.to).into_pyobject(py)?,
                optional(frame.code_address).into_pyobject(py)?,
                frame.code_hash.map(|hash| bytes(py, hash.as_slice())).into_pyobject(py)?,
                int(py, frame.value)?,
                frame.gas.into_pyobject(py)?.into_any(),
                frame.gas_used.into_pyobject(py)?.into_any(),
                bytes(py, &frame.input).into_any(),
                bytes(py, &frame.output).into_any(),
                frame.error.as_deref().into_pyobject(py)?.into_any(),
                revert_reason(&frame.output, frame.error.as_deref()).into_pyobject(py)?.into_any(),
                frame.entered.into_pyobject(py)?.into_any(),
                frame.left.into_pyobject(py)?.into_any(),
                frame.reverted.into_pyobject(py)?.to_owned().into_any(),
            ];
            list.append(PyTuple::new(py, fields)?)?;
        }
        Ok(list)
    }

    /// One tuple per event in the order of the gateway's `Log`.
    fn logs<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for event in &self.inner.trace.events {
            let reverted = self.inner.trace.frames[event.frame as usize].reverted;
            let topics = PyTuple::new(py, event.log.data.topics().iter().map(|topic| bytes(py, topic.as_slice())))?;
            let address = bytes(py, event.log.address.as_slice());
            list.append((event.sequence, event.frame, address, topics, bytes(py, &event.log.data.data), reverted))?;
        }
        Ok(list)
    }

    /// One tuple per storage opcode in the order of the gateway's `StorageAccess`.
    fn accesses<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for access in &self.inner.trace.accesses {
            let address = bytes(py, access.address.as_slice());
            let (slot, value, previous) = (int(py, access.slot)?, int(py, access.value)?, int(py, access.previous)?);
            list.append((access.sequence, access.frame, access.kind, address, slot, value, previous))?;
        }
        Ok(list)
    }

    /// One tuple per touched slot in the order of the gateway's `SlotUse`.
    fn slots<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for slot in self.inner.trace.slots() {
            let address = bytes(py, slot.address.as_slice());
            let (number, before) = (int(py, slot.slot)?, int(py, slot.before)?);
            let (frame, sequence) = slot.changed.map_or((-1, -1), |(frame, at)| (i64::from(frame), i64::from(at)));
            list.append((address, number, before, slot.written, frame, sequence))?;
        }
        Ok(list)
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
    fn preimages<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let found = PyDict::new(py);
        for (hash, preimage) in &self.inner.trace.preimages {
            found.set_item(int(py, U256::from_be_bytes(hash.0))?, bytes(py, preimage))?;
        }
        Ok(found)
    }

    /// Code hash -> code of every frame that ran code.
    fn codes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let found = PyDict::new(py);
        for frame in &self.inner.trace.frames {
            let Some(hash) = frame.code_hash else { continue };
            let hash = bytes(py, hash.as_slice());
            if !found.contains(&hash)? {
                let code = frame.code.as_ref().map_or(&frame.input[..], Bytecode::original_byte_slice);
                found.set_item(hash, bytes(py, code))?;
            }
        }
        Ok(found)
    }

    /// One tuple per changed account: address, balance, nonce, code, storage, as in the gateway's `AccountDiff`.
    fn changes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for change in &self.inner.changes {
            let balance =
                change.balance.map(|(before, after)| PyResult::Ok((int(py, before)?, int(py, after)?))).transpose()?;
            let code = change.code.as_ref().map(|(before, after)| (bytes(py, before), bytes(py, after)));
            let storage = PyDict::new(py);
            for (slot, before, after) in &change.storage {
                storage.set_item(int(py, *slot)?, (int(py, *before)?, int(py, *after)?))?;
            }
            if balance.is_some() || change.nonce.is_some() || code.is_some() || !storage.is_empty() {
                list.append((bytes(py, change.address.as_slice()), balance, change.nonce, code, storage))?;
            }
        }
        Ok(list)
    }
}

fn bytes<'py>(py: Python<'py>, data: &[u8]) -> Bound<'py, PyBytes> {
    PyBytes::new(py, data)
}

fn int<'py>(py: Python<'py>, value: U256) -> PyResult<Bound<'py, PyAny>> {
    match u64::try_from(value) {
        Ok(small) => Ok(small.into_pyobject(py)?.into_any()),
        Err(_) => py
            .get_type::<PyInt>()
            .call_method1(intern!(py, "from_bytes"), (bytes(py, &value.to_be_bytes::<32>()), intern!(py, "big"))),
    }
}

fn revert_reason(output: &[u8], error: Option<&str>) -> Option<String> {
    if error != Some("execution reverted") || output.get(..4) != Some(&[0x08, 0xc3, 0x79, 0xa0]) {
        return None;
    }
    let body = &output[4..];
    let word = |at: usize| Some(U256::from_be_slice(body.get(at..at.checked_add(32)?)?));
    let offset = usize::try_from(word(0)?).ok()?;
    let length = usize::try_from(word(offset)?).ok()?;
    let start = offset.checked_add(32)?;
    let text = body.get(start..start.checked_add(length)?)?;
    Some(String::from_utf8_lossy(text).into_owned())
}

//! The world as Python sees it: inputs are copied first, execution runs without the GIL.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pyo3::create_exception;
use pyo3::exceptions::PyException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};
use revm::context::{BlockEnv, CfgEnv};
use revm::primitives::hardfork::SpecId;
use revm::primitives::{B256, HashMap};

use crate::bare::measure;
use crate::convert::{bytes, int};
use crate::evm::{Ending, Run, execute};
use crate::input::{flag, to_address, to_block, to_hash, to_limits, to_transaction, to_word};
use crate::outcome::Outcome;
use crate::source;
use crate::world;

create_exception!(stopgate_engine, Refused, PyException, "A node would refuse the transaction: (reason, detail).");
create_exception!(stopgate_engine, Broken, PyException, "The engine failed; nothing is known about the transaction.");

/// Known state; see the gateway's `World`.
#[pyclass(frozen, module = "stopgate_engine")]
pub struct World {
    complete: bool,
    state: Mutex<world::World>,
    blocks: Arc<Memo<Block>>,
}

type Block = (BlockEnv, CfgEnv, HashMap<u64, B256>);

/// The last value that was converted: a block is the same object for many transactions, and never changes.
struct Memo<T>(Mutex<Option<(Py<PyAny>, T)>>);

impl<T: Clone> Memo<T> {
    fn lock(&self) -> MutexGuard<'_, Option<(Py<PyAny>, T)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, key: &Bound<'_, PyAny>, make: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
        if let Some((known, value)) = &*self.lock()
            && known.is(key)
        {
            return Ok(value.clone());
        }
        // Not under the lock: Python may run another thread while it answers.
        let made = make()?;
        let before = self.lock().replace((key.clone().unbind(), made.clone()));
        drop(before);
        Ok(made)
    }
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
    ) -> PyResult<(Run, source::Source)> {
        let (block_env, mut cfg, hashes) = self.blocks.get(block, || to_block(block))?;
        let tx = to_transaction(transaction)?;
        cfg.disable_nonce_check = !flag(checks, "nonce")?;
        cfg.disable_eip3607 = !flag(checks, "sender_code")?;
        let grant_value = !flag(checks, "balance")?;
        cfg.disable_balance_check = grant_value;
        cfg.disable_fee_charge = grant_value;
        cfg.disable_base_fee = grant_value;
        let run = Run { tx, block: block_env, p256, limits: to_limits(limits)?, grant_value, cfg };
        let source = source::Source {
            view: self.lock().view(),
            complete: self.complete,
            wanted: source::Wanted::default(),
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
        Self { complete, state: Mutex::default(), blocks: Arc::new(Memo(Mutex::new(None))) }
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
        let mut change = crate::change::AccountChange { address: to_address(address)?, nonce, ..Default::default() };
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
        Self { complete: self.complete, state: Mutex::new(self.lock().fork()), blocks: Arc::clone(&self.blocks) }
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
            Ending::Executed(outcome) => Ok(Bound::new(py, Outcome::new(Arc::from(outcome)))?.into_any()),
            Ending::Wanting(wanted) => Ok(Bound::new(py, Wanted::from_rust(py, wanted)?)?.into_any()),
            Ending::Refused(reason, detail) => Err(Refused::new_err((reason, detail))),
            Ending::Broken(reason) => Err(Broken::new_err(reason)),
        }
    }
}

impl Wanted {
    fn from_rust(py: Python<'_>, wanted: source::Wanted) -> PyResult<Self> {
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

//! Rows for Python, in the order of the gateway's named tuples.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFrozenSet, PyList, PySet, PyTuple};
use revm::primitives::{Address, B256, Bytes, U256};

use crate::convert::{Maker, Words, bytes};
use crate::facts::Facts;
use crate::kept::Kept;
use crate::net::Asset;
use crate::overlap::{Answer, Overlap};
use crate::slot::SlotUse;
use crate::stock::Stocks;
use crate::survey::Comeback;
use crate::walk::Peak;

/// A list of tuples.
pub type Rows<'py> = PyResult<Bound<'py, PyList>>;

/// A tuple of `Address`.
pub fn addresses<'py>(py: Python<'py>, maker: &mut Maker<'_, 'py>, given: &[Address]) -> PyResult<Bound<'py, PyTuple>> {
    let made = given.iter().map(|address| maker.address(*address)).collect::<PyResult<Vec<_>>>()?;
    PyTuple::new(py, made)
}

/// A frozenset of `Address`.
pub fn set<'py>(
    py: Python<'py>,
    maker: &mut Maker<'_, 'py>,
    given: impl IntoIterator<Item = Address>,
) -> PyResult<Bound<'py, PyFrozenSet>> {
    PyFrozenSet::new(py, given.into_iter().map(|address| maker.address(address)).collect::<PyResult<Vec<_>>>()?)
}

/// One tuple per movement in the order of the gateway's `Transfer`.
pub fn transfers<'py>(py: Python<'py>, words: &Words, maker: &mut Maker<'_, 'py>, facts: &Facts) -> Rows<'py> {
    let list = PyList::empty(py);
    for moved in &facts.transfers {
        list.append((
            moved.sequence,
            moved.frame,
            &words.standards[moved.standard as usize],
            maker.address(moved.token)?,
            maker.address(moved.from)?,
            maker.address(moved.to)?,
            maker.number(moved.amount)?,
            moved.item.map(|item| maker.number(item)).transpose()?,
        ))?;
    }
    Ok(list)
}

/// One tuple per allowance that was set, in the order of the gateway's `Approval`.
pub fn approvals<'py>(py: Python<'py>, maker: &mut Maker<'_, 'py>, facts: &Facts) -> Rows<'py> {
    let list = PyList::empty(py);
    for set in &facts.approvals {
        let amount = set.amount.map(|amount| maker.number(amount)).transpose()?;
        let (token, owner, spender) =
            (maker.address(set.token)?, maker.address(set.owner)?, maker.address(set.spender)?);
        list.append((set.sequence, set.frame, token, owner, spender, amount))?;
    }
    Ok(list)
}

/// One tuple per return into an open account, in the order of the gateway's `Comeback`.
pub fn comebacks<'py>(py: Python<'py>, maker: &mut Maker<'_, 'py>, comebacks: &[Comeback]) -> Rows<'py> {
    let list = PyList::empty(py);
    for back in comebacks {
        list.append((maker.address(back.account)?, back.outer, back.inner))?;
    }
    Ok(list)
}

/// One tuple per pair that announced reserves, in the order of the gateway's `Reserves`.
pub fn reserves<'py>(py: Python<'py>, maker: &mut Maker<'_, 'py>, facts: &Facts) -> Rows<'py> {
    let list = PyList::empty(py);
    for row in &facts.reserves {
        let pool = maker.address(row.pool)?;
        let mut pair = |held: Option<(U256, U256)>| {
            held.map(|(one, two)| PyResult::Ok((maker.number(one)?, maker.number(two)?))).transpose()
        };
        list.append((pool, pair(row.before)?, pair(row.after)?))?;
    }
    Ok(list)
}

/// (holder, token, item, signed amount) of each holding that changed, the zero address's included.
pub fn net<'py>(py: Python<'py>, maker: &mut Maker<'_, 'py>, facts: &Facts) -> Rows<'py> {
    let list = PyList::empty(py);
    for change in &facts.net {
        let (token, item) = change.asset;
        let item = item.map(|item| maker.number(item)).transpose()?;
        let amount = maker.signed(change.lost, change.amount)?;
        list.append((maker.address(change.holder)?, maker.address(token)?, item, amount))?;
    }
    Ok(list)
}

/// (holder, token, item, indices of movements) of what was given.
pub fn outflows<'py>(py: Python<'py>, maker: &mut Maker<'_, 'py>, rows: &[(Address, Asset, Vec<usize>)]) -> Rows<'py> {
    let list = PyList::empty(py);
    for (holder, (token, item), moves) in rows {
        let item = item.map(|item| maker.number(item)).transpose()?;
        list.append((maker.address(*holder)?, maker.address(*token)?, item, moves))?;
    }
    Ok(list)
}

/// (holder, token, item, amount) of what was there before.
pub fn stocks<'py>(py: Python<'py>, maker: &mut Maker<'_, 'py>, stocks: &Stocks) -> Rows<'py> {
    let list = PyList::empty(py);
    for ((holder, (token, item)), amount) in stocks.rows() {
        let item = item.map(|item| maker.number(item)).transpose()?;
        list.append((maker.address(*holder)?, maker.address(*token)?, item, maker.signed(false, *amount)?))?;
    }
    Ok(list)
}

/// One tuple per touched slot in the order of the gateway's `SlotUse`.
pub fn slots<'py, 'a>(
    py: Python<'py>,
    maker: &mut Maker<'_, 'py>,
    slots: impl Iterator<Item = &'a SlotUse>,
) -> Rows<'py> {
    let list = PyList::empty(py);
    for slot in slots {
        let (number, before) = (maker.number(slot.slot)?, maker.number(slot.before)?);
        let (frame, sequence) = slot.changed.map_or((-1, -1), |(frame, at)| (i64::from(frame), i64::from(at)));
        list.append((maker.address(slot.address)?, number, before, slot.written, frame, sequence))?;
    }
    Ok(list)
}

/// The three parts of the gateway's `Kept`.
pub fn kept<'py>(py: Python<'py>, maker: &mut Maker<'_, 'py>, kept: &Kept) -> PyResult<Bound<'py, PyTuple>> {
    let allowances = PySet::empty(py)?;
    for (token, owner, spender) in &kept.allowances {
        allowances.add((maker.address(*token)?, maker.address(*owner)?, maker.address(*spender)?))?;
    }
    let (stored, entries) = (sets(py, maker, &kept.stored)?, sets(py, maker, &kept.entries)?);
    let terms = sets(py, maker, &kept.terms)?;
    PyTuple::new(py, [stored.into_any(), entries.into_any(), allowances.into_any(), terms.into_any()])
}

/// Contract -> set of accounts.
pub fn sets<'py>(
    py: Python<'py>,
    maker: &mut Maker<'_, 'py>,
    pairs: &[(Address, Address)],
) -> PyResult<Bound<'py, PyDict>> {
    let found = PyDict::new(py);
    for (contract, party) in pairs {
        add(py, &found, maker.address(*contract)?, maker.address(*party)?)?;
    }
    Ok(found)
}

/// Contract -> something -> set of accounts.
pub fn nested<'py, K: Copy>(
    py: Python<'py>,
    maker: &mut Maker<'_, 'py>,
    rows: &[(Address, K, Address)],
    key: impl Fn(&mut Maker<'_, 'py>, K) -> PyResult<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let found = PyDict::new(py);
    for (contract, between, account) in rows {
        let contract = maker.address(*contract)?;
        let inner = match found.get_item(&contract)? {
            Some(known) => known.cast_into::<PyDict>()?,
            None => {
                let fresh = PyDict::new(py);
                found.set_item(contract, &fresh)?;
                fresh
            }
        };
        add(py, &inner, key(maker, *between)?, maker.address(*account)?)?;
    }
    Ok(found)
}

/// Hash as int -> what was hashed.
pub fn preimages<'py, 'a>(
    py: Python<'py>,
    maker: &mut Maker<'_, 'py>,
    rows: impl Iterator<Item = &'a (U256, Bytes)>,
) -> PyResult<Bound<'py, PyDict>> {
    let found = PyDict::new(py);
    for (hash, preimage) in rows {
        found.set_item(maker.number(*hash)?, bytes(py, preimage))?;
    }
    Ok(found)
}

/// (address, slot, first, highest and last value) of slots that were written.
pub fn peaks<'py>(py: Python<'py>, maker: &mut Maker<'_, 'py>, peaks: &[Peak]) -> Rows<'py> {
    let list = PyList::empty(py);
    for row in peaks {
        let values = (maker.number(row.before)?, maker.number(row.peak)?, maker.number(row.after)?);
        list.append((maker.address(row.address)?, maker.number(row.slot)?, values.0, values.1, values.2))?;
    }
    Ok(list)
}

/// One tuple per overlap in the order of the gateway's `Overlap`.
pub fn overlaps<'py>(py: Python<'py>, maker: &mut Maker<'_, 'py>, overlaps: &[Overlap]) -> Rows<'py> {
    let list = PyList::empty(py);
    for found in overlaps {
        let slot = maker.number(found.slot)?;
        list.append((found.pair, slot, found.read_before, found.written_after, found.stale, found.restored))?;
    }
    Ok(list)
}

/// One tuple per answer in the order of the gateway's `Answer`.
pub fn answers<'py>(py: Python<'py>, maker: &mut Maker<'_, 'py>, answers: &[Answer]) -> Rows<'py> {
    let list = PyList::empty(py);
    for found in answers {
        list.append((found.pair, maker.number(found.slot)?, maker.number(found.seen)?, maker.number(found.last)?))?;
    }
    Ok(list)
}

/// Contract -> set of (account, place) of its simple mappings.
pub fn accounts<'py>(
    py: Python<'py>,
    maker: &mut Maker<'_, 'py>,
    rows: &[(Address, Address, B256)],
) -> PyResult<Bound<'py, PyDict>> {
    let found = PyDict::new(py);
    for (contract, party, place) in rows {
        let entry = (maker.address(*party)?, bytes(py, place.as_slice())).into_pyobject(py)?;
        add(py, &found, maker.address(*contract)?, entry.into_any())?;
    }
    Ok(found)
}

/// Token -> set of the other halves of the keys of its balances.
pub fn keys<'py>(py: Python<'py>, maker: &mut Maker<'_, 'py>, stocks: &Stocks) -> PyResult<Bound<'py, PyDict>> {
    let found = PyDict::new(py);
    for (token, place) in stocks.keys() {
        add(py, &found, maker.address(*token)?, bytes(py, place.as_slice()).into_any())?;
    }
    Ok(found)
}

fn add<'py>(
    py: Python<'py>,
    sets: &Bound<'py, PyDict>,
    key: Bound<'py, PyAny>,
    value: Bound<'py, PyAny>,
) -> PyResult<()> {
    match sets.get_item(&key)? {
        Some(known) => known.cast_into::<PySet>()?.add(value),
        None => {
            let known = PySet::empty(py)?;
            known.add(value)?;
            sets.set_item(key, known)
        }
    }
}

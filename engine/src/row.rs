//! Rows for Python, in the order of the gateway's named tuples.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PySet, PyTuple};
use revm::primitives::{Address, U256};

use crate::convert::{Maker, Words, bytes, int, revert_reason, signed};
use crate::facts::Facts;
use crate::kept::Kept;
use crate::overlap::{Answer, Overlap};
use crate::recorder::{Frame, Recorder};
use crate::slot::SlotUse;
use crate::stock::Stocks;
use crate::survey::Comeback;

/// A list of tuples.
pub type Rows<'py> = PyResult<Bound<'py, PyList>>;

/// `CallFrame`.
pub fn frame<'py>(
    py: Python<'py>,
    words: &Words,
    maker: &mut Maker<'_, 'py>,
    index: usize,
    frame: &Frame,
) -> PyResult<Bound<'py, PyTuple>> {
    let fields: [Bound<'py, PyAny>; 18] = [
        index.into_pyobject(py)?.into_any(),
        frame.parent.into_pyobject(py)?.into_any(),
        frame.depth.into_pyobject(py)?.into_any(),
        words.kinds[frame.kind as usize].bind(py).clone(),
        maker.address(frame.from)?,
        maker.maybe_address(frame.to)?.into_pyobject(py)?,
        maker.maybe_address(frame.code_address)?.into_pyobject(py)?,
        maker.maybe_hash(frame.code_hash)?.into_pyobject(py)?,
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
    PyTuple::new(py, fields)
}

/// One tuple per way of entry in the order of the gateway's `Link`.
pub fn links<'py>(py: Python<'py>, words: &Words, maker: &mut Maker<'_, 'py>, trace: &Recorder) -> Rows<'py> {
    let list = PyList::empty(py);
    for link in trace.links() {
        let frame = &trace.frames[link.first as usize];
        list.append((
            &words.kinds[frame.kind as usize],
            maker.address(frame.from)?,
            maker.maybe_address(frame.to)?,
            maker.maybe_address(frame.code_address)?,
            maker.maybe_hash(frame.code_hash)?,
            maker.address(link.caller)?,
            link.first,
            link.times,
        ))?;
    }
    Ok(list)
}

/// A tuple of `Address`.
pub fn addresses<'py>(py: Python<'py>, maker: &mut Maker<'_, 'py>, given: &[Address]) -> PyResult<Bound<'py, PyTuple>> {
    let made = given.iter().map(|address| maker.address(*address)).collect::<PyResult<Vec<_>>>()?;
    PyTuple::new(py, made)
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
            int(py, moved.amount)?,
            moved.item.map(|item| int(py, item)).transpose()?,
        ))?;
    }
    Ok(list)
}

/// One tuple per allowance that was set, in the order of the gateway's `Approval`.
pub fn approvals<'py>(py: Python<'py>, maker: &mut Maker<'_, 'py>, facts: &Facts) -> Rows<'py> {
    let list = PyList::empty(py);
    for set in &facts.approvals {
        let amount = set.amount.map(|amount| int(py, amount)).transpose()?;
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
    let pair = |held: Option<(U256, U256)>| held.map(|(one, two)| PyResult::Ok((int(py, one)?, int(py, two)?)));
    for row in &facts.reserves {
        let (before, after) = (pair(row.before).transpose()?, pair(row.after).transpose()?);
        list.append((maker.address(row.pool)?, before, after))?;
    }
    Ok(list)
}

/// (holder, token, item, signed amount) of each holding that changed, the zero address's included.
pub fn net<'py>(py: Python<'py>, maker: &mut Maker<'_, 'py>, facts: &Facts) -> Rows<'py> {
    let list = PyList::empty(py);
    for change in &facts.net {
        let (token, item) = change.asset;
        let item = item.map(|item| int(py, item)).transpose()?;
        let amount = signed(py, change.lost, change.amount)?;
        list.append((maker.address(change.holder)?, maker.address(token)?, item, amount))?;
    }
    Ok(list)
}

/// (holder, token, item, amount) of what was there before.
pub fn stocks<'py>(py: Python<'py>, maker: &mut Maker<'_, 'py>, stocks: &Stocks) -> Rows<'py> {
    let list = PyList::empty(py);
    for ((holder, (token, item)), amount) in stocks.rows() {
        let item = item.map(|item| int(py, item)).transpose()?;
        list.append((maker.address(*holder)?, maker.address(*token)?, item, signed(py, false, *amount)?))?;
    }
    Ok(list)
}

/// One tuple per touched slot in the order of the gateway's `SlotUse`.
pub fn slots<'py>(py: Python<'py>, maker: &mut Maker<'_, 'py>, slots: &[SlotUse]) -> Rows<'py> {
    let list = PyList::empty(py);
    for slot in slots {
        let (number, before) = (int(py, slot.slot)?, int(py, slot.before)?);
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
    PyTuple::new(py, [stored.into_any(), entries.into_any(), allowances.into_any()])
}

/// Contract -> set of accounts.
fn sets<'py>(
    py: Python<'py>,
    maker: &mut Maker<'_, 'py>,
    pairs: &[(Address, Address)],
) -> PyResult<Bound<'py, PyDict>> {
    let found = PyDict::new(py);
    for (contract, party) in pairs {
        let contract = maker.address(*contract)?;
        let known = match found.get_item(&contract)? {
            Some(known) => known.cast_into::<PySet>()?,
            None => {
                let known = PySet::empty(py)?;
                found.set_item(contract, &known)?;
                known
            }
        };
        known.add(maker.address(*party)?)?;
    }
    Ok(found)
}

/// One tuple per overlap in the order of the gateway's `Overlap`.
pub fn overlaps<'py>(py: Python<'py>, overlaps: &[Overlap]) -> Rows<'py> {
    let list = PyList::empty(py);
    for found in overlaps {
        list.append((found.pair, int(py, found.slot)?, found.read_before, found.written_after, found.stale))?;
    }
    Ok(list)
}

/// One tuple per answer in the order of the gateway's `Answer`.
pub fn answers<'py>(py: Python<'py>, answers: &[Answer]) -> Rows<'py> {
    let list = PyList::empty(py);
    for found in answers {
        list.append((found.pair, int(py, found.slot)?, int(py, found.seen)?, int(py, found.last)?))?;
    }
    Ok(list)
}

//! What was recorded, as rows for Python in the order of the gateway's named tuples.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};
use revm::primitives::HashSet;
use revm::primitives::map::AddressSet;

use crate::change::AccountChange;
use crate::convert::{Maker, Words, bytes, revert_reason};
use crate::frame::{Access, Event, Frame};
use crate::recorder::Recorder;
use crate::row::Rows;
use crate::slot::SSTORE;
use crate::survey::Link;

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
        maker.number(frame.value)?,
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
pub fn links<'py>(
    py: Python<'py>,
    words: &Words,
    maker: &mut Maker<'_, 'py>,
    trace: &Recorder,
    links: &[Link],
) -> Rows<'py> {
    let list = PyList::empty(py);
    for link in links {
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

/// `Log`, of these events.
pub fn logs<'py, 'a>(
    py: Python<'py>,
    maker: &mut Maker<'_, 'py>,
    trace: &Recorder,
    events: impl Iterator<Item = &'a Event>,
) -> Rows<'py> {
    let list = PyList::empty(py);
    for event in events {
        let reverted = trace.frames[event.frame as usize].reverted;
        let topics = PyTuple::new(py, event.log.data.topics().iter().map(|topic| bytes(py, topic.as_slice())))?;
        let address = maker.address(event.log.address)?;
        list.append((event.sequence, event.frame, address, topics, bytes(py, &event.log.data.data), reverted))?;
    }
    Ok(list)
}

/// `StorageAccess`; the arguments are those of the gateway's `accesses_of`.
pub fn accesses<'py>(
    py: Python<'py>,
    words: &Words,
    maker: &mut Maker<'_, 'py>,
    trace: &Recorder,
    accounts: Option<AddressSet>,
    changing: bool,
) -> Rows<'py> {
    let moved = if changing { trace.changed_slots() } else { HashSet::default() };
    let fits = |access: &&Access| {
        accounts.as_ref().is_none_or(|accounts| access.kind <= SSTORE && accounts.contains(&access.address))
            && (!changing || moved.contains(&(access.address, access.slot)))
    };
    let list = PyList::empty(py);
    for access in trace.accesses.iter().filter(fits) {
        let kind = &words.accesses[usize::from(access.kind)];
        let (address, slot, value) =
            (maker.address(access.address)?, maker.number(access.slot)?, maker.number(access.value)?);
        let previous = if access.previous == access.value { value.clone() } else { maker.number(access.previous)? };
        list.append((access.sequence, access.frame, kind, address, slot, value, previous))?;
    }
    Ok(list)
}

/// (balance, nonce, code, storage), as in `AccountDiff`.
pub fn change<'py>(
    py: Python<'py>,
    maker: &mut Maker<'_, 'py>,
    change: &AccountChange,
) -> PyResult<Bound<'py, PyTuple>> {
    let balance = change.balance.map(|(before, after)| PyResult::Ok((maker.number(before)?, maker.number(after)?)));
    let code = change.code.as_ref().map(|(before, after)| (bytes(py, before), bytes(py, after)));
    let storage = PyDict::new(py);
    for (slot, before, after) in &change.storage {
        storage.set_item(maker.number(*slot)?, (maker.number(*before)?, maker.number(*after)?))?;
    }
    (balance.transpose()?, change.nonce, code, storage).into_pyobject(py)
}

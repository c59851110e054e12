//! Rust values as Python's, each address, hash and large number made once a trace.

use std::sync::{Mutex, PoisonError};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt, PyType};
use revm::primitives::map::B256Map;
use revm::primitives::{Address, AddressMap, B256, HashMap, U256};

use crate::net::Sum;

/// The gateway's classes and enum members that results are made of.
#[pyclass(frozen, module = "stopgate_engine")]
pub struct Words {
    address: Py<PyType>,
    hash: Py<PyType>,
    /// `bytes.__new__` and `int.from_bytes`, looked up once.
    wrap: Py<PyAny>,
    from_bytes: Py<PyAny>,
    /// Members of `FrameKind`, `AccessKind` and `TokenStandard` in the order of the crate's own.
    pub kinds: Vec<Py<PyAny>>,
    /// As above.
    pub accesses: Vec<Py<PyAny>>,
    /// As above.
    pub standards: Vec<Py<PyAny>>,
}

#[pymethods]
impl Words {
    #[new]
    fn new(
        py: Python<'_>,
        address: Py<PyType>,
        hash: Py<PyType>,
        kinds: Vec<Py<PyAny>>,
        accesses: Vec<Py<PyAny>>,
        standards: Vec<Py<PyAny>>,
    ) -> PyResult<Self> {
        let wrap = py.get_type::<PyBytes>().getattr(intern!(py, "__new__"))?.unbind();
        let from_bytes = py.get_type::<PyInt>().getattr(intern!(py, "from_bytes"))?.unbind();
        Ok(Self { address, hash, wrap, from_bytes, kinds, accesses, standards })
    }
}

impl Words {
    /// An instance of a subclass of bytes, without its own checks: the length is right.
    fn wrap<'py>(&self, py: Python<'py>, class: &Py<PyType>, raw: &[u8]) -> PyResult<Bound<'py, PyAny>> {
        self.wrap.bind(py).call1((class.bind(py), bytes(py, raw)))
    }

    /// An int of big-endian digits.
    fn big<'py>(&self, py: Python<'py>, digits: &[u8]) -> PyResult<Bound<'py, PyAny>> {
        self.from_bytes.bind(py).call1((bytes(py, digits), intern!(py, "big")))
    }
}

/// Addresses, hashes and large numbers that were handed over already.
#[derive(Default)]
pub struct Names {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    addresses: AddressMap<Py<PyAny>>,
    hashes: B256Map<Py<PyAny>>,
    numbers: HashMap<U256, Py<PyAny>>,
}

/// Makes Python values for one call.
///
/// It takes the known names out and puts them back at its end: Python may run other threads while it makes an object,
/// and none of them may find a lock held here.
pub struct Maker<'a, 'py> {
    py: Python<'py>,
    words: &'a Words,
    names: &'a Names,
    known: Known,
}

impl Names {
    /// For the duration of one call.
    pub fn maker<'a, 'py>(&'a self, py: Python<'py>, words: &'a Words) -> Maker<'a, 'py> {
        let known = std::mem::take(&mut *self.known.lock().unwrap_or_else(PoisonError::into_inner));
        Maker { py, words, names: self, known }
    }
}

impl Drop for Maker<'_, '_> {
    fn drop(&mut self) {
        *self.names.known.lock().unwrap_or_else(PoisonError::into_inner) = std::mem::take(&mut self.known);
    }
}

impl<'py> Maker<'_, 'py> {
    /// An `Address`.
    pub fn address(&mut self, address: Address) -> PyResult<Bound<'py, PyAny>> {
        if let Some(known) = self.known.addresses.get(&address) {
            return Ok(known.bind(self.py).clone());
        }
        let made = self.words.wrap(self.py, &self.words.address, address.as_slice())?;
        self.known.addresses.insert(address, made.clone().unbind());
        Ok(made)
    }

    /// An `Address` or None.
    pub fn maybe_address(&mut self, address: Option<Address>) -> PyResult<Option<Bound<'py, PyAny>>> {
        address.map(|address| self.address(address)).transpose()
    }

    /// A `Hash32` or None.
    pub fn maybe_hash(&mut self, hash: Option<B256>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Some(hash) = hash else { return Ok(None) };
        if let Some(known) = self.known.hashes.get(&hash) {
            return Ok(Some(known.bind(self.py).clone()));
        }
        let made = self.words.wrap(self.py, &self.words.hash, hash.as_slice())?;
        self.known.hashes.insert(hash, made.clone().unbind());
        Ok(Some(made))
    }

    /// An int. Slots and amounts come again in accesses, preimages, changes and sums.
    pub fn number(&mut self, value: U256) -> PyResult<Bound<'py, PyAny>> {
        if let Ok(small) = u64::try_from(value) {
            return Ok(small.into_pyobject(self.py)?.into_any());
        }
        if let Some(known) = self.known.numbers.get(&value) {
            return Ok(known.bind(self.py).clone());
        }
        let made = self.words.big(self.py, &value.to_be_bytes::<32>())?;
        self.known.numbers.insert(value, made.clone().unbind());
        Ok(made)
    }

    /// An int with a sign.
    pub fn signed(&mut self, negative: bool, value: Sum) -> PyResult<Bound<'py, PyAny>> {
        let made = match U256::checked_from_limbs_slice(value.as_limbs()) {
            Some(word) => self.number(word)?,
            None => self.words.big(self.py, &value.to_be_bytes::<40>())?,
        };
        if negative { made.neg() } else { Ok(made) }
    }
}

/// Bytes.
pub fn bytes<'py>(py: Python<'py>, data: &[u8]) -> Bound<'py, PyBytes> {
    PyBytes::new(py, data)
}

/// An int.
pub fn int<'py>(py: Python<'py>, value: U256) -> PyResult<Bound<'py, PyAny>> {
    match u64::try_from(value) {
        Ok(small) => Ok(small.into_pyobject(py)?.into_any()),
        Err(_) => {
            let digits = bytes(py, &value.to_be_bytes::<32>());
            py.get_type::<PyInt>().call_method1(intern!(py, "from_bytes"), (digits, intern!(py, "big")))
        }
    }
}

/// The text of an `Error(string)`.
pub fn revert_reason(output: &[u8], error: Option<&str>) -> Option<String> {
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

//! The gateway's Python values as revm's.

use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use revm::context::either::Either;
use revm::context::transaction::{
    AccessList, AccessListItem, Authorization, RecoveredAuthority, RecoveredAuthorization,
};
use revm::context::{BlockEnv, CfgEnv, TxEnv};
use revm::context_interface::block::BlobExcessGasAndPrice;
use revm::primitives::hardfork::SpecId;
use revm::primitives::map::AddressSet;
use revm::primitives::{Address, B256, Bytes, HashMap, HashSet, TxKind, U256};

use crate::recorder::Limits;
use crate::spec::spec_by_name;

/// Memory that one transaction may use, in bytes; more ends the run as truncated.
pub const MEMORY_LIMIT: u64 = 256 << 20;

/// The bytes of a Python bytes object.
pub fn raw<'a>(value: &'a Bound<'_, PyAny>) -> PyResult<&'a [u8]> {
    Ok(value.cast::<PyBytes>()?.as_bytes())
}

/// 20 bytes.
pub fn to_address(value: &Bound<'_, PyAny>) -> PyResult<Address> {
    Address::try_from(raw(value)?).map_err(|_| PyValueError::new_err("an address has 20 bytes"))
}

/// 32 bytes.
pub fn to_hash(value: &Bound<'_, PyAny>) -> PyResult<B256> {
    B256::try_from(raw(value)?).map_err(|_| PyValueError::new_err("a hash has 32 bytes"))
}

/// An int of at most 256 bits.
pub fn to_word(value: &Bound<'_, PyAny>) -> PyResult<U256> {
    if let Ok(small) = value.extract::<u64>() {
        return Ok(U256::from(small));
    }
    let py = value.py();
    let big = value.call_method1(intern!(py, "to_bytes"), (32, intern!(py, "big")))?;
    Ok(U256::from_be_slice(raw(&big)?))
}

/// A boolean attribute.
pub fn flag(checks: &Bound<'_, PyAny>, name: &str) -> PyResult<bool> {
    checks.getattr(name)?.extract()
}

/// The gateway's `Limits`.
pub fn to_limits(limits: &Bound<'_, PyAny>) -> PyResult<Limits> {
    let py = limits.py();
    let seconds: f64 = limits.getattr(intern!(py, "wall_clock"))?.extract()?;
    Ok(Limits {
        wall_clock: Duration::try_from_secs_f64(seconds).map_err(|error| PyValueError::new_err(error.to_string()))?,
        frames: limits.getattr(intern!(py, "frames"))?.extract()?,
        accesses: limits.getattr(intern!(py, "accesses"))?.extract()?,
        logs: limits.getattr(intern!(py, "logs"))?.extract()?,
        bytes: limits.getattr(intern!(py, "output_bytes"))?.extract()?,
    })
}

/// Blobs that one transaction may carry: EIP-4844, EIP-7691 (as many as a block), EIP-7594.
fn max_blobs(spec: SpecId) -> u64 {
    if spec == SpecId::PRAGUE { 9 } else { 6 }
}

/// The gateway's `BlockContext`: environment, rules, and the block hashes that came with it.
pub fn to_block(block: &Bound<'_, PyAny>) -> PyResult<(BlockEnv, CfgEnv, HashMap<u64, B256>)> {
    let py = block.py();
    let fork = block.getattr(intern!(py, "fork"))?;
    let fork: &str = fork.extract()?;
    let spec = spec_by_name(fork).ok_or_else(|| PyValueError::new_err(format!("unknown fork {fork:?}")))?;
    let mut cfg = CfgEnv::new_with_spec(spec);
    cfg.chain_id = block.getattr(intern!(py, "chain_id"))?.extract()?;
    cfg.memory_limit = MEMORY_LIMIT;
    cfg.max_blobs_per_tx = Some(max_blobs(spec));
    let randao = to_hash(&block.getattr(intern!(py, "prev_randao"))?)?;
    let merged = spec.is_enabled_in(SpecId::MERGE);
    let env = BlockEnv {
        number: to_word(&block.getattr(intern!(py, "number"))?)?,
        beneficiary: to_address(&block.getattr(intern!(py, "coinbase"))?)?,
        timestamp: to_word(&block.getattr(intern!(py, "timestamp"))?)?,
        gas_limit: block.getattr(intern!(py, "gas_limit"))?.extract()?,
        basefee: block.getattr(intern!(py, "base_fee"))?.extract()?,
        difficulty: if merged { U256::ZERO } else { U256::from_be_bytes(randao.0) },
        prevrandao: merged.then_some(randao),
        blob_excess_gas_and_price: Some(BlobExcessGasAndPrice {
            excess_blob_gas: 0,
            blob_gasprice: block.getattr(intern!(py, "blob_base_fee"))?.extract()?,
        }),
        slot_num: 0,
    };
    let mut hashes = HashMap::default();
    for item in block.getattr(intern!(py, "block_hashes"))?.call_method0(intern!(py, "items"))?.try_iter()? {
        let item = item?;
        hashes.insert(item.get_item(0)?.extract()?, to_hash(&item.get_item(1)?)?);
    }
    Ok((env, cfg, hashes))
}

/// The gateway's `Transaction`.
pub fn to_transaction(tx: &Bound<'_, PyAny>) -> PyResult<TxEnv> {
    let py = tx.py();
    let to = tx.getattr(intern!(py, "to"))?;
    let kind = if to.is_none() { TxKind::Create } else { TxKind::Call(to_address(&to)?) };
    let tx_type: u8 = tx.getattr(intern!(py, "type"))?.extract()?;
    let priority: u128 = tx.getattr(intern!(py, "max_priority_fee_per_gas"))?.extract()?;
    let mut access_list = Vec::new();
    for entry in tx.getattr(intern!(py, "access_list"))?.try_iter()? {
        let entry = entry?;
        let slots = entry.getattr(intern!(py, "slots"))?;
        let storage_keys = slots.try_iter()?.map(|slot| Ok(B256::from(to_word(&slot?)?))).collect::<PyResult<_>>()?;
        access_list
            .push(AccessListItem { address: to_address(&entry.getattr(intern!(py, "address"))?)?, storage_keys });
    }
    let mut authorization_list = Vec::new();
    for entry in tx.getattr(intern!(py, "authorization_list"))?.try_iter()? {
        authorization_list.push(Either::Right(to_authorization(&entry?)?));
    }
    let hashes = tx.getattr(intern!(py, "blob_versioned_hashes"))?;
    Ok(TxEnv {
        tx_type,
        caller: to_address(&tx.getattr(intern!(py, "sender"))?)?,
        gas_limit: tx.getattr(intern!(py, "gas_limit"))?.extract()?,
        gas_price: tx.getattr(intern!(py, "max_fee_per_gas"))?.extract()?,
        kind,
        value: to_word(&tx.getattr(intern!(py, "value"))?)?,
        data: Bytes::copy_from_slice(raw(&tx.getattr(intern!(py, "input"))?)?),
        nonce: tx.getattr(intern!(py, "nonce"))?.extract()?,
        chain_id: tx.getattr(intern!(py, "chain_id"))?.extract()?,
        access_list: AccessList(access_list),
        gas_priority_fee: (tx_type >= 2).then_some(priority),
        blob_hashes: hashes.try_iter()?.map(|hash| to_hash(&hash?)).collect::<PyResult<_>>()?,
        max_fee_per_blob_gas: tx.getattr(intern!(py, "max_fee_per_blob_gas"))?.extract()?,
        authorization_list,
    })
}

fn to_authorization(entry: &Bound<'_, PyAny>) -> PyResult<RecoveredAuthorization> {
    let py = entry.py();
    let authority = entry.getattr(intern!(py, "authority"))?;
    let authority = match authority.is_none() {
        true => RecoveredAuthority::Invalid,
        false => RecoveredAuthority::Valid(to_address(&authority)?),
    };
    let inner = Authorization {
        chain_id: to_word(&entry.getattr(intern!(py, "chain_id"))?)?,
        address: to_address(&entry.getattr(intern!(py, "address"))?)?,
        nonce: entry.getattr(intern!(py, "nonce"))?.extract()?,
    };
    Ok(RecoveredAuthorization::new_unchecked(inner, authority))
}

/// A set of `Address`, if it is given.
pub fn to_addresses(given: Option<Bound<'_, PyAny>>) -> PyResult<Option<AddressSet>> {
    given.map(|given| given.try_iter()?.map(|item| to_address(&item?)).collect()).transpose()
}

/// A set of (`Address`, slot) pairs.
pub fn to_slots(given: &Bound<'_, PyAny>) -> PyResult<HashSet<(Address, U256)>> {
    let pairs = given.try_iter()?.map(|item| {
        let item = item?;
        Ok((to_address(&item.get_item(0)?)?, to_word(&item.get_item(1)?)?))
    });
    pairs.collect()
}

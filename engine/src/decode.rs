//! Signed transaction bytes to fields and sender, in one call.
//!
//! Accepts exactly what `gateway/decoding/envelope.py` accepts. A refusal carries no reason: the Python decoder then
//! runs and names it, so that there is one source of error texts.

use alloy_rlp::Header;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};
use revm::primitives::{Address, B256, U256, keccak256};
use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use secp256k1::{Message, SECP256K1};

/// EIP-2: a larger s would give the same transaction a second hash.
const HALF_ORDER: [u8; 32] = [
    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x5d, 0x57, 0x6e,
    0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0,
];
/// EIP-7702: the byte before the RLP of an authorization.
const AUTHORIZATION_MAGIC: u8 = 0x05;
/// EIP-7702 PER_EMPTY_ACCOUNT_COST; more tuples than the gas limit pays for are not worth recovering.
const AUTHORIZATION_GAS: u64 = 25_000;

/// One access list entry: address and slots.
pub type AccessListEntry = (Address, Vec<B256>);

/// One EIP-7702 authorization with its recovered signer.
#[derive(Debug, PartialEq, Eq)]
pub struct Authorization {
    chain_id: U256,
    address: Address,
    nonce: u64,
    y_parity: u8,
    r: U256,
    s: U256,
    authority: Option<Address>,
}

/// A decoded transaction of any type that a user can sign.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Decoded {
    /// EIP-2718 type; 0 for legacy.
    pub kind: u8,
    /// keccak256 of the signed bytes.
    pub hash: B256,
    /// None for a legacy transaction without EIP-155.
    pub chain_id: Option<U256>,
    /// Recovered once, here.
    pub sender: Address,
    nonce: u64,
    to: Option<Address>,
    value: U256,
    input: Vec<u8>,
    gas_limit: u64,
    max_fee: U256,
    priority_fee: U256,
    access_list: Vec<AccessListEntry>,
    authorizations: Vec<Authorization>,
    blob_fee: U256,
    blob_hashes: Vec<B256>,
}

/// Reads canonical RLP items from the front of a slice; `None` is any refusal.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn string(&mut self) -> Option<&'a [u8]> {
        Header::decode_bytes(&mut self.0, false).ok()
    }

    fn list(&mut self) -> Option<Reader<'a>> {
        Header::decode_bytes(&mut self.0, true).ok().map(Reader)
    }

    fn number(&mut self, bytes: usize) -> Option<U256> {
        let digits = self.string()?;
        (digits.len() <= bytes && digits.first() != Some(&0)).then(|| U256::from_be_slice(digits))
    }

    fn word(&mut self) -> Option<U256> {
        self.number(32)
    }

    fn small(&mut self) -> Option<u64> {
        self.number(8)?.try_into().ok()
    }

    fn byte(&mut self) -> Option<u8> {
        self.number(1)?.try_into().ok()
    }

    fn address(&mut self) -> Option<Address> {
        Address::try_from(self.string()?).ok()
    }

    /// An empty string creates a contract.
    fn recipient(&mut self) -> Option<Option<Address>> {
        let bytes = self.string()?;
        if bytes.is_empty() { Some(None) } else { Address::try_from(bytes).ok().map(Some) }
    }

    fn hash(&mut self) -> Option<B256> {
        B256::try_from(self.string()?).ok()
    }

    fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }

    fn each<T>(&mut self, mut read: impl FnMut(&mut Reader<'a>) -> Option<T>) -> Option<Vec<T>> {
        let mut items = self.list()?;
        let mut read_items = Vec::new();
        while !items.0.is_empty() {
            read_items.push(read(&mut items)?);
        }
        Some(read_items)
    }

    fn access_list(&mut self) -> Option<Vec<AccessListEntry>> {
        self.each(|items| {
            let mut entry = items.list()?;
            let (address, slots) = (entry.address()?, entry.each(Reader::hash)?);
            entry.end().map(|()| (address, slots))
        })
    }

    fn authorization(&mut self) -> Option<Authorization> {
        let mut fields = self.list()?;
        let whole = fields.0;
        let (chain_id, address, nonce) = (fields.word()?, fields.address()?, fields.small()?);
        let digest = signing_hash(&[AUTHORIZATION_MAGIC], &[consumed(whole, fields.0)]);
        let (y_parity, r, s) = (fields.byte()?, fields.word()?, fields.word()?);
        fields.end()?;
        let authority = recover(digest, y_parity, r, s);
        Some(Authorization { chain_id, address, nonce, y_parity, r, s, authority })
    }
}

fn consumed<'a>(whole: &'a [u8], rest: &[u8]) -> &'a [u8] {
    &whole[..whole.len() - rest.len()]
}

/// keccak256(prefix || list of the encoded items in `parts`).
fn signing_hash(prefix: &[u8], parts: &[&[u8]]) -> B256 {
    let payload_length = parts.iter().map(|part| part.len()).sum();
    let mut bytes = Vec::with_capacity(payload_length + prefix.len() + 9);
    bytes.extend_from_slice(prefix);
    Header { list: true, payload_length }.encode(&mut bytes);
    parts.iter().for_each(|part| bytes.extend_from_slice(part));
    keccak256(bytes)
}

fn recover(digest: B256, y_parity: u8, r: U256, s: U256) -> Option<Address> {
    if y_parity > 1 || r.is_zero() || s.is_zero() || s > U256::from_be_bytes(HALF_ORDER) {
        return None;
    }
    let mut compact = [0u8; 64];
    compact[..32].copy_from_slice(&r.to_be_bytes::<32>());
    compact[32..].copy_from_slice(&s.to_be_bytes::<32>());
    let id = RecoveryId::try_from(i32::from(y_parity)).ok()?;
    let signature = RecoverableSignature::from_compact(&compact, id).ok()?;
    let key = SECP256K1.recover_ecdsa(Message::from_digest(digest.0), &signature).ok()?;
    Some(Address::from_raw_public_key(&key.serialize_uncompressed()[1..]))
}

/// Decode exactly one signed transaction that fills `data`; `None` if any rule is broken.
pub fn decode(data: &[u8]) -> Option<Decoded> {
    let mut decoded = match *data.first()? {
        0xc0.. => decode_legacy(data),
        kind @ 1..=4 => decode_typed(kind, data),
        _ => None,
    }?;
    decoded.hash = keccak256(data);
    Some(decoded)
}

fn decode_legacy(data: &[u8]) -> Option<Decoded> {
    let mut outer = Reader(data);
    let mut fields = outer.list()?;
    outer.end()?;
    let whole = fields.0;
    let mut decoded = Decoded { nonce: fields.small()?, max_fee: fields.word()?, ..Decoded::default() };
    decoded.priority_fee = decoded.max_fee;
    decoded.gas_limit = fields.small()?;
    decoded.to = fields.recipient()?;
    decoded.value = fields.word()?;
    decoded.input = fields.string()?.to_vec();
    let body = consumed(whole, fields.0);
    let (v, r, s) = (fields.word()?, fields.word()?, fields.word()?);
    fields.end()?;
    let (parity, digest) = if v == U256::from(27) || v == U256::from(28) {
        (v - U256::from(27), signing_hash(&[], &[body]))
    } else {
        let shifted = v.checked_sub(U256::from(35))?;
        let chain_id = shifted >> 1;
        decoded.chain_id = Some(chain_id);
        // EIP-155: the chain id and two empty items are signed in place of v, r, s
        (shifted & U256::from(1), signing_hash(&[], &[body, &alloy_rlp::encode(chain_id), &[0x80, 0x80]]))
    };
    decoded.sender = recover(digest, parity.try_into().ok()?, r, s)?;
    Some(decoded)
}

fn decode_typed(kind: u8, data: &[u8]) -> Option<Decoded> {
    let mut outer = Reader(&data[1..]);
    let mut fields = outer.list()?;
    outer.end()?;
    let whole = fields.0;
    let mut decoded = Decoded { kind, chain_id: Some(fields.word()?), nonce: fields.small()?, ..Decoded::default() };
    decoded.priority_fee = fields.word()?;
    decoded.max_fee = if kind == 1 { decoded.priority_fee } else { fields.word()? };
    decoded.gas_limit = fields.small()?;
    // blob and set-code transactions cannot create (EIP-4844, EIP-7702)
    decoded.to = if kind >= 3 { Some(fields.address()?) } else { fields.recipient()? };
    decoded.value = fields.word()?;
    decoded.input = fields.string()?.to_vec();
    decoded.access_list = fields.access_list()?;
    if kind == 3 {
        decoded.blob_fee = fields.word()?;
        decoded.blob_hashes = fields.each(Reader::hash)?;
    }
    if kind == 4 {
        let tuples = Reader(fields.0).each(|items| items.list().map(drop))?.len() as u64;
        if tuples.saturating_mul(AUTHORIZATION_GAS) > decoded.gas_limit {
            return None;
        }
        decoded.authorizations = fields.each(Reader::authorization)?;
    }
    let digest = signing_hash(&[kind], &[consumed(whole, fields.0)]);
    let (y_parity, r, s) = (fields.byte()?, fields.word()?, fields.word()?);
    fields.end()?;
    decoded.sender = recover(digest, y_parity, r, s)?;
    Some(decoded)
}

fn bytes<'py>(py: Python<'py>, data: &[u8]) -> Bound<'py, PyBytes> {
    PyBytes::new(py, data)
}

/// 32 bytes, big-endian: the stable ABI has no faster way to an int of 256 bits than Python's own `int.from_bytes`.
fn word<'py>(py: Python<'py>, number: U256) -> Bound<'py, PyBytes> {
    bytes(py, &number.to_be_bytes::<32>())
}

impl Decoded {
    fn into_tuple<'py>(self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let access_list: Vec<_> = self
            .access_list
            .iter()
            .map(|(address, slots)| {
                let slots: Vec<_> = slots.iter().map(|slot| bytes(py, slot.as_slice())).collect();
                (bytes(py, address.as_slice()), slots)
            })
            .collect();
        let authorizations: Vec<_> = self
            .authorizations
            .iter()
            .map(|item| {
                (
                    word(py, item.chain_id),
                    bytes(py, item.address.as_slice()),
                    item.nonce,
                    item.y_parity,
                    word(py, item.r),
                    word(py, item.s),
                    item.authority.map(|address| bytes(py, address.as_slice())),
                )
            })
            .collect();
        let head = (
            self.kind,
            bytes(py, self.hash.as_slice()),
            self.chain_id.map(|id| word(py, id)),
            bytes(py, self.sender.as_slice()),
            self.nonce,
            self.to.map(|address| bytes(py, address.as_slice())),
            word(py, self.value),
            bytes(py, &self.input),
        );
        let tail = (
            self.gas_limit,
            word(py, self.max_fee),
            word(py, self.priority_fee),
            access_list,
            authorizations,
            word(py, self.blob_fee),
            self.blob_hashes.iter().map(|hash| bytes(py, hash.as_slice())).collect::<Vec<_>>(),
        );
        (head, tail).into_pyobject(py)
    }
}

/// Python's `decode(data) -> tuple | None`; the reader of the tuple is `gateway/decoding/native.py`.
#[pyfunction]
#[pyo3(name = "decode")]
pub fn decode_python<'py>(py: Python<'py>, data: &[u8]) -> PyResult<Option<Bound<'py, PyTuple>>> {
    decode(data).map(|decoded| decoded.into_tuple(py)).transpose()
}

"""Decoding by the native engine where it is installed: the same answers as `envelope`, several times faster.

The native decoder accepts or refuses; it gives no reasons. What it refuses, and whatever this chain does not take, goes
through `envelope.decode_transaction`, which names the error. Beside `gateway/evm/revm.py` this is the only file that
imports `stopgate_engine`.
"""

from __future__ import annotations

from typing import Any

from gateway.decoding import envelope
from gateway.model.chain import ChainProfile
from gateway.model.primitive import Address, Hash32
from gateway.model.transaction import AccessListEntry, Authorization, RawTransaction, Transaction, TransactionType

try:
    from stopgate_engine import decode as _decode
except ImportError:  # the engine is optional: without cargo everything works in Python
    _decode = None

AVAILABLE = _decode is not None
"""True if the native engine is installed."""


def decode_transaction(
    data: bytes, profile: ChainProfile, *, allow_unprotected: bool = False, replay: bool = False
) -> Transaction:
    """As `envelope.decode_transaction`, errors included; native where that is possible."""
    if _decode is not None and (replay or len(data) <= envelope.MAX_SIZE):
        fields = _decode(data)
        if fields is not None:
            transaction = _transaction(data, fields)
            if _taken(transaction, profile, allow_unprotected=allow_unprotected or replay, blobs=replay):
                return transaction
    return envelope.decode_transaction(data, profile, allow_unprotected=allow_unprotected, replay=replay)


def _taken(transaction: Transaction, profile: ChainProfile, *, allow_unprotected: bool, blobs: bool) -> bool:
    if transaction.type in profile.native_types or (transaction.type is TransactionType.BLOB and not blobs):
        return False
    if transaction.chain_id is None:
        return allow_unprotected
    return transaction.chain_id == profile.chain_id


def _number(word: bytes) -> int:
    return int.from_bytes(word, "big")


def _transaction(data: bytes, fields: tuple[tuple[Any, ...], tuple[Any, ...]]) -> Transaction:
    (kind, digest, chain_id, sender, nonce, to, value, input_), tail = fields
    gas_limit, max_fee, priority_fee, access_list, authorizations, blob_fee, blob_hashes = tail
    return Transaction(
        raw=RawTransaction(data, Hash32(digest)),
        type=TransactionType(kind),
        chain_id=None if chain_id is None else _number(chain_id),
        sender=Address(sender),
        nonce=nonce,
        to=None if to is None else Address(to),
        value=_number(value),
        input=input_,
        gas_limit=gas_limit,
        max_fee_per_gas=_number(max_fee),
        max_priority_fee_per_gas=_number(priority_fee),
        access_list=tuple(
            AccessListEntry(Address(address), tuple(map(_number, slots))) for address, slots in access_list
        ),
        authorization_list=tuple(
            Authorization(
                _number(chain),
                Address(delegate),
                authority_nonce,
                y_parity,
                _number(r),
                _number(s),
                None if authority is None else Address(authority),
            )
            for chain, delegate, authority_nonce, y_parity, r, s, authority in authorizations
        ),
        max_fee_per_blob_gas=_number(blob_fee),
        blob_versioned_hashes=tuple(map(Hash32, blob_hashes)),
    )

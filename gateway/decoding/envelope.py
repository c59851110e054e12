"""EIP-2718 bytes to a Transaction, and nothing that a node would read differently."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gateway.decoding import rlp
from gateway.decoding.keccak import keccak256
from gateway.decoding.rlp import Item
from gateway.decoding.signature import recover, recover_authority
from gateway.errors import DecodingError, Unexecutable
from gateway.model.chain import ChainProfile
from gateway.model.primitive import Address, Hash32
from gateway.model.transaction import (
    AccessListEntry,
    Authorization,
    RawTransaction,
    Transaction,
    TransactionType,
)

MAX_SIZE = 128 * 1024
"""bytes; geth's txMaxSize (core/txpool/legacypool), the largest transaction its pool takes"""

AUTHORIZATION_GAS = 25_000
"""EIP-7702 PER_EMPTY_ACCOUNT_COST"""


def decode_transaction(
    data: bytes, profile: ChainProfile, *, allow_unprotected: bool = False, replay: bool = False
) -> Transaction:
    """Decode and recover the sender once.

    `allow_unprotected` takes legacy transactions signed without EIP-155, which any chain could replay.
    `replay` is for transactions that stand in a block already: it takes unprotected ones, blob
    transactions without their sidecar, and any size.

    Raises:
        DecodingError: not canonical, not signed well, of another chain, or of a type that is not accepted.
        Unexecutable: an authorization list that the gas limit cannot pay for; it is not worth recovering.
    """
    if not data:
        raise DecodingError("the transaction is empty")
    if len(data) > MAX_SIZE and not replay:
        raise DecodingError(f"the transaction has {len(data)} bytes, the limit is {MAX_SIZE}")
    raw = RawTransaction(data, keccak256(data))
    if data[0] >= 0xC0:
        return _decode_legacy(raw, profile, allow_unprotected=allow_unprotected or replay)
    kind = data[0]
    if kind in profile.native_types:
        raise DecodingError(
            f"type {kind:#04x} is {profile.native_types[kind]} of {profile.name}: "
            "only the chain itself makes it, it cannot be submitted"
        )
    if kind == TransactionType.BLOB and not replay:
        raise DecodingError("type 0x03 is a blob transaction (EIP-4844): this RPC does not take blobs")
    decoder = _TYPED.get(kind)
    if decoder is None:
        raise DecodingError(f"transaction type {kind:#04x} is not supported (EIP-2718)")
    fields = rlp.decode(data[1:])
    if not isinstance(fields, list):
        raise DecodingError(f"type {kind:#04x} must hold an RLP list")
    return decoder(raw, fields, profile)


def _decode_legacy(raw: RawTransaction, profile: ChainProfile, *, allow_unprotected: bool) -> Transaction:
    fields = _fields(rlp.decode(raw.data), 9, "a legacy transaction")
    nonce, gas_price, gas_limit, to, value, data, v, r, s = fields
    v_number = _integer(v, "v", 256)
    body = fields[:6]
    chain_id: int | None = None
    if v_number in (27, 28):
        if not allow_unprotected:
            raise DecodingError(
                "only replay-protected (EIP-155) transactions are accepted: this one is signed without a chain id"
            )
        parity = v_number - 27
    elif v_number >= 35:
        chain_id, parity = divmod(v_number - 35, 2)
        _expect_chain(chain_id, profile)
        body += [_digits(chain_id), b"", b""]
    else:
        raise DecodingError(f"invalid signature: v is {v_number}, it must be 27, 28 or at least 35 (EIP-155)")
    price = _integer(gas_price, "gas price", 256)
    return Transaction(
        raw=raw,
        type=TransactionType.LEGACY,
        chain_id=chain_id,
        sender=recover(keccak256(rlp.encode(body)), parity, _integer(r, "r", 256), _integer(s, "s", 256)),
        nonce=_integer(nonce, "nonce", 64),
        to=_recipient(to),
        value=_integer(value, "value", 256),
        input=_bytes(data, "input"),
        gas_limit=_integer(gas_limit, "gas limit", 64),
        max_fee_per_gas=price,
        max_priority_fee_per_gas=price,
    )


def _decode_access_list(raw: RawTransaction, fields: list[Item], profile: ChainProfile) -> Transaction:
    chain_id, nonce, gas_price, gas_limit, to, value, data, access_list, *_ = _fields(
        fields, 11, "an access list transaction (type 0x01)"
    )
    price = _integer(gas_price, "gas price", 256)
    return Transaction(
        raw=raw,
        type=TransactionType.ACCESS_LIST,
        chain_id=_chain(chain_id, profile),
        sender=_typed_sender(raw, fields),
        nonce=_integer(nonce, "nonce", 64),
        to=_recipient(to),
        value=_integer(value, "value", 256),
        input=_bytes(data, "input"),
        gas_limit=_integer(gas_limit, "gas limit", 64),
        max_fee_per_gas=price,
        max_priority_fee_per_gas=price,
        access_list=_access_list(access_list),
    )


def _decode_dynamic_fee(raw: RawTransaction, fields: list[Item], profile: ChainProfile) -> Transaction:
    chain_id, nonce, priority_fee, max_fee, gas_limit, to, value, data, access_list, *_ = _fields(
        fields, 12, "a dynamic fee transaction (type 0x02)"
    )
    return Transaction(
        raw=raw,
        type=TransactionType.DYNAMIC_FEE,
        chain_id=_chain(chain_id, profile),
        sender=_typed_sender(raw, fields),
        nonce=_integer(nonce, "nonce", 64),
        to=_recipient(to),
        value=_integer(value, "value", 256),
        input=_bytes(data, "input"),
        gas_limit=_integer(gas_limit, "gas limit", 64),
        max_fee_per_gas=_integer(max_fee, "max fee per gas", 256),
        max_priority_fee_per_gas=_integer(priority_fee, "max priority fee per gas", 256),
        access_list=_access_list(access_list),
    )


def _decode_blob(raw: RawTransaction, fields: list[Item], profile: ChainProfile) -> Transaction:
    chain_id, nonce, priority_fee, max_fee, gas_limit, to, value, data, access_list, blob_fee, hashes, *_ = _fields(
        fields, 14, "a blob transaction (type 0x03)"
    )
    return Transaction(
        raw=raw,
        type=TransactionType.BLOB,
        chain_id=_chain(chain_id, profile),
        sender=_typed_sender(raw, fields),
        nonce=_integer(nonce, "nonce", 64),
        to=_address(to, "to"),
        value=_integer(value, "value", 256),
        input=_bytes(data, "input"),
        gas_limit=_integer(gas_limit, "gas limit", 64),
        max_fee_per_gas=_integer(max_fee, "max fee per gas", 256),
        max_priority_fee_per_gas=_integer(priority_fee, "max priority fee per gas", 256),
        access_list=_access_list(access_list),
        max_fee_per_blob_gas=_integer(blob_fee, "max fee per blob gas", 256),
        blob_versioned_hashes=tuple(_hash(item, "blob versioned hash") for item in _list(hashes, "blob hashes")),
    )


def _decode_set_code(raw: RawTransaction, fields: list[Item], profile: ChainProfile) -> Transaction:
    chain_id, nonce, priority_fee, max_fee, gas_limit, to, value, data, access_list, authorizations, *_ = _fields(
        fields, 13, "a set code transaction (type 0x04)"
    )
    gas = _integer(gas_limit, "gas limit", 64)
    tuples = _list(authorizations, "authorization list")
    if len(tuples) * AUTHORIZATION_GAS > gas:
        raise Unexecutable("intrinsic gas too low", f"{len(tuples)} authorizations need more than {gas} gas")
    return Transaction(
        raw=raw,
        type=TransactionType.SET_CODE,
        chain_id=_chain(chain_id, profile),
        sender=_typed_sender(raw, fields),
        nonce=_integer(nonce, "nonce", 64),
        to=_address(to, "to"),
        value=_integer(value, "value", 256),
        input=_bytes(data, "input"),
        gas_limit=gas,
        max_fee_per_gas=_integer(max_fee, "max fee per gas", 256),
        max_priority_fee_per_gas=_integer(priority_fee, "max priority fee per gas", 256),
        access_list=_access_list(access_list),
        authorization_list=tuple(_authorization(item) for item in tuples),
    )


_TYPED: Mapping[int, Callable[[RawTransaction, list[Item], ChainProfile], Transaction]] = {
    TransactionType.ACCESS_LIST: _decode_access_list,
    TransactionType.DYNAMIC_FEE: _decode_dynamic_fee,
    TransactionType.BLOB: _decode_blob,
    TransactionType.SET_CODE: _decode_set_code,
}


def _typed_sender(raw: RawTransaction, fields: list[Item]) -> Address:
    """The last three fields sign the type byte and the rest (EIP-2930, EIP-1559, EIP-4844, EIP-7702)."""
    digest = keccak256(raw.data[:1] + rlp.encode(fields[:-3]))
    y_parity, r, s = fields[-3:]
    return recover(digest, _integer(y_parity, "y parity", 8), _integer(r, "r", 256), _integer(s, "s", 256))


def _authorization(item: Item) -> Authorization:
    fields = _fields(item, 6, "an authorization (EIP-7702)")
    chain_id = _integer(fields[0], "authorization chain id", 256)
    delegate = _address(fields[1], "authorization address")
    nonce = _integer(fields[2], "authorization nonce", 64)
    y_parity = _integer(fields[3], "authorization y parity", 8)
    r, s = _integer(fields[4], "authorization r", 256), _integer(fields[5], "authorization s", 256)
    authority = recover_authority(chain_id, delegate, nonce, y_parity, r, s)
    return Authorization(chain_id, delegate, nonce, y_parity, r, s, authority)


def _access_list(item: Item) -> tuple[AccessListEntry, ...]:
    entries = []
    for entry in _list(item, "access list"):
        address, keys = _fields(entry, 2, "an access list entry (EIP-2930)")
        slots = tuple(int.from_bytes(_hash(key, "access list slot"), "big") for key in _list(keys, "slots"))
        entries.append(AccessListEntry(_address(address, "access list address"), slots))
    return tuple(entries)


def _expect_chain(chain_id: int, profile: ChainProfile) -> None:
    if chain_id != profile.chain_id:
        raise DecodingError(
            f"invalid chain id for signer: the transaction is for chain {chain_id}, "
            f"this is {profile.name} ({profile.chain_id})"
        )


def _chain(item: Item, profile: ChainProfile) -> int:
    chain_id = _integer(item, "chain id", 256)
    _expect_chain(chain_id, profile)
    return chain_id


def _fields(item: Item, count: int, what: str) -> list[Item]:
    if not isinstance(item, list) or len(item) != count:
        found = f"{len(item)} fields" if isinstance(item, list) else "a string"
        raise DecodingError(f"{what} is a list of {count} fields, found {found}")
    return item


def _list(item: Item, name: str) -> list[Item]:
    if not isinstance(item, list):
        raise DecodingError(f"{name} must be a list")
    return item


def _bytes(item: Item, name: str) -> bytes:
    if not isinstance(item, bytes):
        raise DecodingError(f"{name} must be a string, not a list")
    return item


def _integer(item: Item, name: str, bits: int) -> int:
    digits = _bytes(item, name)
    if len(digits) * 8 > bits:
        raise DecodingError(f"{name} has more than {bits} bits")
    if digits[:1] == b"\x00":
        raise DecodingError(f"{name} has a leading zero byte, which is not canonical")
    return int.from_bytes(digits, "big")


def _digits(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _address(item: Item, name: str) -> Address:
    data = _bytes(item, name)
    if len(data) != Address.size:
        raise DecodingError(f"{name} must have 20 bytes, found {len(data)}")
    return Address(data)


def _recipient(item: Item) -> Address | None:
    return None if item == b"" else _address(item, "to")


def _hash(item: Item, name: str) -> Hash32:
    data = _bytes(item, name)
    if len(data) != Hash32.size:
        raise DecodingError(f"{name} must have 32 bytes, found {len(data)}")
    return Hash32(data)

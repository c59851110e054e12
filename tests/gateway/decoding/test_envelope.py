from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.decoding import rlp
from gateway.decoding.envelope import MAX_SIZE, decode_transaction
from gateway.decoding.keccak import keccak256
from gateway.decoding.signature import CURVE_ORDER
from gateway.errors import DecodingError, InvalidTransaction, Unexecutable
from gateway.evaluate.benign import BENIGN, BenignSet
from gateway.model.chain import ChainProfile
from gateway.model.primitive import Address
from gateway.model.profiles import ARBITRUM_ONE, DEVELOPMENT, ETHEREUM, OP_MAINNET, ZKSYNC_ERA
from gateway.model.transaction import TransactionType

KEY = "0x" + "4f" * 32
SENDER = Address.from_hex(Account.from_key(KEY).address)
SMALL = st.integers(min_value=0, max_value=2**96)
ADDRESSES = st.binary(min_size=20, max_size=20)
ACCESS_LISTS = st.lists(
    st.fixed_dictionaries(
        {
            "address": ADDRESSES.map(lambda data: "0x" + data.hex()),
            "storageKeys": st.lists(
                st.binary(min_size=32, max_size=32).map(lambda data: "0x" + data.hex()), max_size=3
            ),
        }
    ),
    max_size=3,
)


def sign(fields: dict[str, Any], key: str = KEY) -> bytes:
    return bytes(Account.sign_transaction(fields, key).raw_transaction)


def fields(**changes: Any) -> dict[str, Any]:
    return {
        "type": 2,
        "chainId": 31337,
        "nonce": 3,
        "maxPriorityFeePerGas": 1,
        "maxFeePerGas": 2,
        "gas": 21000,
        "to": b"\x22" * 20,
        "value": 9,
        "data": b"",
    } | changes


@st.composite
def unsigned(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from([0, 1, 2]))
    made: dict[str, Any] = {
        "chainId": 31337,
        "nonce": draw(st.integers(min_value=0, max_value=2**64 - 2)),
        "gas": draw(st.integers(min_value=0, max_value=2**63)),
        "value": draw(SMALL),
        "data": draw(st.binary(max_size=200)),
        "to": draw(st.one_of(ADDRESSES, st.just(b""))),
    }
    if kind:
        made |= {"type": kind, "accessList": draw(ACCESS_LISTS)}
    if kind == 2:
        made |= {"maxPriorityFeePerGas": draw(SMALL), "maxFeePerGas": draw(SMALL)}
    else:
        made["gasPrice"] = draw(SMALL)
    return made


@settings(max_examples=60, deadline=None)
@given(unsigned())
def test_every_field_is_what_eth_account_signed(wanted: dict[str, Any]) -> None:
    signed = Account.sign_transaction(wanted, KEY)
    raw = bytes(signed.raw_transaction)
    decoded = decode_transaction(raw, DEVELOPMENT)
    assert decoded.raw.data == raw
    assert decoded.hash == signed.hash
    assert decoded.sender == SENDER
    assert decoded.chain_id == 31337
    assert (decoded.to or b"") == wanted["to"]
    assert (decoded.nonce, decoded.value, decoded.input) == (wanted["nonce"], wanted["value"], wanted["data"])
    assert decoded.gas_limit == wanted["gas"]
    assert decoded.max_fee_per_gas == wanted.get("maxFeePerGas", wanted.get("gasPrice"))
    assert decoded.max_priority_fee_per_gas == wanted.get("maxPriorityFeePerGas", wanted.get("gasPrice"))
    assert [(str(entry.address), [f"0x{slot:064x}" for slot in entry.slots]) for entry in decoded.access_list] == [
        (entry["address"], entry["storageKeys"]) for entry in wanted.get("accessList", [])
    ]


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=300), st.binary(max_size=200).map(lambda tail: b"\x02" + tail)))
def test_hostile_bytes_give_a_named_error(data: bytes) -> None:
    with pytest.raises(InvalidTransaction):
        decode_transaction(data, DEVELOPMENT)


@settings(max_examples=150, deadline=None)
@given(position=st.integers(min_value=0), value=st.integers(min_value=0, max_value=255))
def test_no_changed_byte_keeps_the_hash_and_the_sender(position: int, value: int) -> None:
    raw = bytearray(sign(fields(data=b"abc")))
    position %= len(raw)
    if raw[position] == value:
        return
    raw[position] = value
    try:
        changed = decode_transaction(bytes(raw), DEVELOPMENT)
    except InvalidTransaction:
        return
    original = decode_transaction(sign(fields(data=b"abc")), DEVELOPMENT)
    assert changed.hash != original.hash
    assert (changed.sender, changed.nonce) != (original.sender, original.nonce) or changed != original


def resigned(position: int, value: bytes, data: bytes | None = None) -> bytes:
    """A signed type 2 transaction with one field of its list replaced."""
    data = data or sign(fields())
    items = rlp.decode(data[1:])
    assert isinstance(items, list)
    items[position] = value
    return data[:1] + rlp.encode(items)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "empty"),
        (b"\x05\xc0", "type 0x05 is not supported"),
        (b"\x7f\xc0", "type 0x7f is not supported"),
        (b"\x02\x80", "must hold an RLP list"),
        (b"\x02\xc0", "12 fields, found 0 fields"),
        (b"\xc0", "9 fields, found 0 fields"),
        (sign(fields())[:-1], "bytes are left|are left"),
        (sign(fields()) + b"\0", "trailing"),
        (resigned(0, b"\x01"), "is for chain 1, this is development"),
        (resigned(1, b"\x00"), "nonce has a leading zero"),
        (resigned(1, b"\x01" * 9), "nonce has more than 64 bits"),
        (resigned(6, b"\x01" * 33), "value has more than 256 bits"),
        (resigned(5, b"\x01" * 19), "to must have 20 bytes, found 19"),
        (resigned(8, b"\x01"), "access list must be a list"),
        (resigned(9, b"\x02"), "y parity is 2"),
        (resigned(10, b""), "r is zero"),
        (resigned(11, b""), "s is zero"),
        (resigned(10, CURVE_ORDER.to_bytes(32, "big")), "r is zero or not below"),
        (resigned(11, (CURVE_ORDER - 1).to_bytes(32, "big")), "upper half"),
    ],
)
def test_each_broken_rule_is_named(raw: bytes, words: str) -> None:
    with pytest.raises(DecodingError, match=words):
        decode_transaction(raw, DEVELOPMENT)


def test_a_list_where_bytes_belong_is_named() -> None:
    items = rlp.decode(sign(fields())[1:])
    assert isinstance(items, list)
    items[7] = []
    with pytest.raises(DecodingError, match="input must be a string"):
        decode_transaction(b"\x02" + rlp.encode(items), DEVELOPMENT)


def test_the_mirror_signature_is_refused() -> None:
    items = rlp.decode(sign(fields())[1:])
    assert isinstance(items, list)
    s = int.from_bytes(bytes(items[11]), "big")  # type: ignore[arg-type]
    items[11] = (CURVE_ORDER - s).to_bytes(32, "big")
    items[9] = b"" if items[9] == b"\x01" else b"\x01"
    with pytest.raises(DecodingError, match="EIP-2"):
        decode_transaction(b"\x02" + rlp.encode(items), DEVELOPMENT)


def test_a_legacy_transaction_without_chain_id_needs_permission() -> None:

    body = [0, 1, 21000, b"\x22" * 20, 1, b""]
    signature = Account.from_key(KEY).unsafe_sign_hash(keccak256(rlp.encode(body)))
    raw = rlp.encode([*body, 27 + (signature.v - 27), signature.r, signature.s])
    with pytest.raises(DecodingError, match="EIP-155"):
        decode_transaction(raw, DEVELOPMENT)
    decoded = decode_transaction(raw, DEVELOPMENT, allow_unprotected=True)
    assert (decoded.sender, decoded.chain_id) == (SENDER, None)


@pytest.mark.parametrize(
    ("kind", "profile", "words"),
    [
        (0x7E, OP_MAINNET, "deposit"),
        (0x64, ARBITRUM_ONE, "Arbitrum deposit"),
        (0x65, ARBITRUM_ONE, "ArbitrumUnsignedTx"),
        (0x66, ARBITRUM_ONE, "ArbitrumContractTx"),
        (0x68, ARBITRUM_ONE, "ArbitrumRetryTx"),
        (0x69, ARBITRUM_ONE, "ArbitrumSubmitRetryableTx"),
        (0x6A, ARBITRUM_ONE, "ArbitrumInternalTx"),
        (0x78, ARBITRUM_ONE, "legacy Arbitrum"),
        (0x71, ZKSYNC_ERA, "EIP-712"),
    ],
)
def test_chain_native_types_are_refused_by_name(kind: int, profile: ChainProfile, words: str) -> None:
    with pytest.raises(DecodingError, match=words):
        decode_transaction(bytes([kind]) + b"\xc0", profile)


def test_blob_transactions_are_decoded_for_replay_alone() -> None:
    body = [1, 0, 1, 2, 21000, b"\x22" * 20, 0, b"", [], 3, [b"\x01" + b"\0" * 31]]
    signature = Account.from_key(KEY).unsafe_sign_hash(keccak256(b"\x03" + rlp.encode(body)))
    raw = b"\x03" + rlp.encode([*body, signature.v - 27, signature.r, signature.s])
    with pytest.raises(DecodingError, match="EIP-4844"):
        decode_transaction(raw, ETHEREUM)
    decoded = decode_transaction(raw, ETHEREUM, replay=True)
    assert decoded.type is TransactionType.BLOB
    assert decoded.sender == SENDER
    assert decoded.max_fee_per_blob_gas == 3
    assert decoded.blob_versioned_hashes == (b"\x01" + b"\0" * 31,)


def authorization(chain_id: int = 31337, nonce: int = 0, delegate: bytes = b"\x77" * 20) -> Any:
    return Account.sign_authorization({"chainId": chain_id, "address": delegate, "nonce": nonce}, "0x" + "5a" * 32)


def set_code(*authorizations: Any, gas: int = 200_000) -> bytes:
    return sign(fields(type=4, gas=gas, authorizationList=list(authorizations)))


def test_each_authority_is_recovered_and_an_invalid_one_is_none() -> None:
    decoded = decode_transaction(set_code(authorization(), authorization(chain_id=0, nonce=7)), DEVELOPMENT)
    authority = Address.from_hex(Account.from_key("0x" + "5a" * 32).address)
    assert decoded.type is TransactionType.SET_CODE
    assert [entry.authority for entry in decoded.authorization_list] == [authority, authority]
    assert [(entry.chain_id, entry.nonce) for entry in decoded.authorization_list] == [(31337, 0), (0, 7)]

    items = rlp.decode(set_code(authorization())[1:])
    assert isinstance(items, list)
    items[9][0][5] = (CURVE_ORDER - 1).to_bytes(32, "big")  # type: ignore[index]
    signature = Account.from_key(KEY).unsafe_sign_hash(keccak256(b"\x04" + rlp.encode(items[:-3])))
    raw = b"\x04" + rlp.encode([*items[:-3], signature.v - 27, signature.r, signature.s])
    broken = decode_transaction(raw, DEVELOPMENT)
    assert broken.sender == SENDER
    assert broken.authorization_list[0].authority is None


def test_authorizations_that_the_gas_cannot_pay_are_not_recovered() -> None:
    with pytest.raises(Unexecutable, match="intrinsic gas too low"):
        decode_transaction(set_code(authorization(), authorization(), gas=49_999), DEVELOPMENT)


def test_an_oversize_transaction_is_refused_but_replayed() -> None:
    raw = sign(fields(data=b"\1" * MAX_SIZE, gas=10_000_000))
    with pytest.raises(DecodingError, match=f"the limit is {MAX_SIZE}"):
        decode_transaction(raw, DEVELOPMENT)
    assert len(decode_transaction(raw, DEVELOPMENT, replay=True).input) == MAX_SIZE


@pytest.mark.skipif(not BENIGN.exists(), reason=f"the benign blocks are not at {BENIGN}")
def test_recorded_transactions_decode_to_their_recorded_fields() -> None:
    blocks = BenignSet()
    forks = {row.fork: row for row in sorted(blocks.rows, key=lambda row: row.gas_used, reverse=True)}
    decoded = 0
    for row in forks.values():
        for recorded in blocks.read(row).transactions:
            wanted = recorded.transaction
            found = decode_transaction(wanted.raw.data, ETHEREUM, replay=True)
            assert found == replace(wanted, authorization_list=found.authorization_list), recorded.index
            decoded += 1
    assert decoded > 0

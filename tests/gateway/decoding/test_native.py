"""The native decoder and the Python decoder give one answer to everything, hostile bytes included."""

from __future__ import annotations

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from gateway.decoding import envelope, native
from gateway.errors import InvalidTransaction
from gateway.model.block import Fork
from gateway.model.chain import ChainProfile
from gateway.model.transaction import Transaction

pytestmark = pytest.mark.skipif(not native.AVAILABLE, reason="the native engine is not installed (no cargo)")

CHAIN = ChainProfile("test", 1337, ((0, Fork.OSAKA),))
KEY = bytes(31) + b"\x01"
OTHER = bytes(31) + b"\x02"
TO = "0x" + "42" * 20

Answer = Transaction | tuple[type[InvalidTransaction], str]


def answer(decode: object, data: bytes, **options: bool) -> Answer:
    try:
        return decode(data, CHAIN, **options)  # type: ignore[operator,no-any-return]
    except InvalidTransaction as error:
        return type(error), str(error)


def agree(data: bytes) -> Answer:
    for options in ({}, {"allow_unprotected": True}, {"replay": True}):
        expected = answer(envelope.decode_transaction, data, **options)
        assert answer(native.decode_transaction, data, **options) == expected
    return expected


def accepted_natively(data: bytes) -> bool:
    return native._decode(data) is not None


def authorization(chain_id: int) -> object:
    return Account.sign_authorization({"chainId": chain_id, "address": TO, "nonce": 3}, OTHER)


def signed(kind: int, **changes: object) -> bytes:
    fields: dict[str, object] = {
        "nonce": 5,
        "gas": 400_000,
        "to": TO,
        "value": 10**18,
        "data": b"\x01\x02",
        "chainId": 1337,
    }
    if kind in (0, 1):
        fields["gasPrice"] = 10**9
    else:
        fields |= {"maxFeePerGas": 2 * 10**9, "maxPriorityFeePerGas": 10**9}
    if kind:
        fields |= {"type": kind, "accessList": [{"address": TO, "storageKeys": ["0x" + "07" * 32]}]}
    if kind == 3:
        fields |= {"maxFeePerBlobGas": 7, "blobVersionedHashes": [b"\x01" + bytes(31)]}
    if kind == 4:
        fields["authorizationList"] = [authorization(1337), authorization(0)]
    return bytes(Account.sign_transaction(fields | changes, KEY).raw_transaction)


KINDS = [0, 1, 2, 3, 4]


@pytest.mark.parametrize("kind", KINDS)
def test_every_type_is_accepted_by_both_with_equal_fields(kind: int) -> None:
    data = signed(kind)
    assert accepted_natively(data)
    decoded = agree(data)
    assert isinstance(decoded, Transaction)
    assert str(decoded.sender) == Account.from_key(KEY).address.lower()
    for item in decoded.authorization_list:
        assert str(item.authority) == Account.from_key(OTHER).address.lower()


@pytest.mark.parametrize("changes", [{"chainId": 1}, {"to": ""}, {"nonce": 0, "value": 0, "data": b""}])
@pytest.mark.parametrize("kind", [0, 1, 2])
def test_other_chains_creations_and_zeros_agree(kind: int, changes: dict[str, object]) -> None:
    agree(signed(kind, **changes))


@pytest.mark.parametrize("kind", KINDS)
def test_every_single_byte_change_agrees(kind: int) -> None:
    data = signed(kind)
    for position in range(len(data)):
        for value in (0x00, 0x7F, 0x80, 0xC0, data[position] ^ 1):
            agree(data[:position] + bytes([value]) + data[position + 1 :])


@pytest.mark.parametrize("kind", KINDS)
def test_every_truncation_and_extension_agrees(kind: int) -> None:
    data = signed(kind)
    for end in range(len(data)):
        agree(data[:end])
    agree(data + b"\x00")


@given(st.binary(max_size=300))
def test_any_bytes_agree(data: bytes) -> None:
    agree(data)


@given(st.sampled_from(KINDS), st.data())
def test_spliced_transactions_agree(kind: int, draw: st.DataObject) -> None:
    data = bytearray(signed(kind))
    for _ in range(draw.draw(st.integers(1, 4))):
        at = draw.draw(st.integers(0, len(data)))
        data[at : at + draw.draw(st.integers(0, 3))] = draw.draw(st.binary(max_size=4))
    agree(bytes(data))

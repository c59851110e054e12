from __future__ import annotations

import pytest
from eth_abi import encode
from hypothesis import given
from hypothesis import strategies as st

from gateway.decoding import abi
from gateway.decoding.keccak import keccak256
from gateway.model.primitive import Address

OWNER, TARGET = Address(b"\x0a" * 20), Address(b"\x0b" * 20)


@pytest.mark.parametrize(
    ("topic", "event"),
    [
        (abi.TRANSFER_TOPIC, b"Transfer(address,address,uint256)"),
        (abi.APPROVAL_TOPIC, b"Approval(address,address,uint256)"),
        (abi.APPROVAL_FOR_ALL_TOPIC, b"ApprovalForAll(address,address,bool)"),
        (abi.TRANSFER_SINGLE_TOPIC, b"TransferSingle(address,address,address,uint256,uint256)"),
        (abi.TRANSFER_BATCH_TOPIC, b"TransferBatch(address,address,address,uint256[],uint256[])"),
    ],
)
def test_topics_are_hashes_of_their_events(topic: bytes, event: bytes) -> None:
    assert topic == keccak256(event)


@pytest.mark.parametrize(
    ("selector", "function"),
    [
        (abi.TRANSFER_SELECTOR, b"transfer(address,uint256)"),
        (abi.TRANSFER_FROM_SELECTOR, b"transferFrom(address,address,uint256)"),
        (abi.APPROVE_SELECTOR, b"approve(address,uint256)"),
    ],
)
def test_selectors_are_hashes_of_their_functions(selector: bytes, function: bytes) -> None:
    assert selector == keccak256(function)[:4]


@given(st.integers(min_value=0, max_value=2**256 - 1))
def test_token_calls_read_as_eth_abi_wrote_them(amount: int) -> None:
    transfer = abi.TRANSFER_SELECTOR + encode(["address", "uint256"], [TARGET, amount])
    assert abi.decode_token_call(transfer) == abi.TokenCall(abi.TRANSFER_SELECTOR, None, TARGET, amount)
    pulled = abi.TRANSFER_FROM_SELECTOR + encode(["address", "address", "uint256"], [OWNER, TARGET, amount])
    assert abi.decode_token_call(pulled) == abi.TokenCall(abi.TRANSFER_FROM_SELECTOR, OWNER, TARGET, amount)


@given(st.binary(max_size=120))
def test_other_calls_and_short_ones_are_none_or_whole(data: bytes) -> None:
    assert abi.decode_token_call(data) is None
    found = abi.decode_token_call(abi.APPROVE_SELECTOR + data)
    assert (found is None) or len(data) >= 64


def test_an_address_with_dirty_upper_bytes_is_none() -> None:
    assert abi.address_of(b"\x01" + b"\0" * 31) is None
    assert abi.address_of(b"\0" * 12 + TARGET) == TARGET


@given(st.text(max_size=300))
def test_a_reason_is_read_as_eth_abi_wrote_it(text: str) -> None:
    assert abi.revert_reason(keccak256(b"Error(string)")[:4] + encode(["string"], [text])) == text


@given(st.binary(max_size=200))
def test_a_malformed_reason_is_none_or_text(data: bytes) -> None:
    found = abi.revert_reason(keccak256(b"Error(string)")[:4] + data)
    assert found is None or isinstance(found, str)
    assert abi.revert_reason(data) is None or data.startswith(keccak256(b"Error(string)")[:4])

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Unexecutable
from gateway.evm import admission
from gateway.evm.simulator import ADMISSION, REPLAY, Checks
from gateway.model.block import Fork
from gateway.model.primitive import Address, Hash32
from gateway.model.transaction import AccessListEntry, Authorization, TransactionType
from tests.gateway.evm.scenes import CONTRACT, ETHER, account, block, transaction

AUTHORIZATION = Authorization(1, CONTRACT, 0, 0, 1, 1, None)


@pytest.mark.parametrize(
    ("fork", "data", "to", "gas"),
    [
        (Fork.FRONTIER, b"", None, 21_000),
        (Fork.HOMESTEAD, b"", None, 53_000),
        (Fork.BYZANTIUM, b"\0\x01", CONTRACT, 21_000 + 4 + 68),
        (Fork.ISTANBUL, b"\0\x01", CONTRACT, 21_000 + 4 + 16),
        (Fork.PARIS, b"\x01" * 33, None, 53_000 + 33 * 16),
        (Fork.SHANGHAI, b"\x01" * 33, None, 53_000 + 33 * 16 + 2 * 2),
    ],
)
def test_intrinsic_gas_follows_the_fork(fork: Fork, data: bytes, to: Address | None, gas: int) -> None:
    assert admission.intrinsic_gas(transaction(to, data=data), fork) == gas


def test_access_lists_and_authorizations_are_paid_for() -> None:
    listed = transaction(access_list=(AccessListEntry(CONTRACT, (1, 2)), AccessListEntry(CONTRACT, ())))
    assert admission.intrinsic_gas(listed, Fork.PRAGUE) == 21_000 + 2 * 2400 + 2 * 1900
    assert admission.intrinsic_gas(transaction(authorizations=(AUTHORIZATION,) * 3), Fork.PRAGUE) == 96_000


@given(st.binary(max_size=400))
def test_the_floor_is_ten_gas_a_token_from_prague_on(data: bytes) -> None:
    tokens = sum(1 if byte == 0 else 4 for byte in data)
    assert admission.floor_gas(transaction(data=data), Fork.PRAGUE) == 21_000 + 10 * tokens
    assert admission.floor_gas(transaction(data=data), Fork.CANCUN) == 0


@pytest.mark.parametrize(
    ("wrong", "fork", "words"),
    [
        (transaction(kind=TransactionType.DYNAMIC_FEE), Fork.BERLIN, "transaction type not supported"),
        (transaction(gas=30_000_001), Fork.PRAGUE, "exceeds block gas limit"),
        (transaction(gas=2**24 + 1), Fork.OSAKA, "transaction gas limit too high"),
        (transaction(nonce=2**64 - 1), Fork.PRAGUE, "nonce has max value"),
        (transaction(gas=20_999), Fork.PRAGUE, "intrinsic gas too low"),
        (transaction(data=b"\x01" * 1000, gas=40_000), Fork.PRAGUE, "insufficient gas for floor data gas cost"),
        (transaction(None, data=b"\x01" * 49_153, gas=10**6), Fork.SHANGHAI, "max initcode size exceeded"),
        (transaction(kind=TransactionType.SET_CODE), Fork.PRAGUE, "empty auth list"),
        (transaction(kind=TransactionType.BLOB), Fork.CANCUN, "missing blob hashes"),
    ],
)
def test_each_refusal_has_geths_words(wrong: admission.Transaction, fork: Fork, words: str) -> None:
    with pytest.raises(Unexecutable, match=words) as refusal:
        admission.check_transaction(wrong, block(fork))
    assert words in refusal.value.reason


def blob_transaction(count: int, first_byte: int = 1) -> admission.Transaction:
    from dataclasses import replace

    hashes = (Hash32(bytes([first_byte]) + b"\0" * 31),) * count
    return replace(transaction(kind=TransactionType.BLOB), blob_versioned_hashes=hashes, max_fee_per_blob_gas=5)


def test_blobs_are_counted_by_fork_and_their_version_is_one() -> None:
    admission.check_transaction(blob_transaction(6), block(Fork.CANCUN))
    admission.check_transaction(blob_transaction(9), block(Fork.PRAGUE))
    with pytest.raises(Unexecutable, match="too many blobs"):
        admission.check_transaction(blob_transaction(7), block(Fork.CANCUN))
    with pytest.raises(Unexecutable, match="invalid hash version"):
        admission.check_transaction(blob_transaction(1, first_byte=2), block(Fork.CANCUN))


def test_the_upfront_cost_counts_value_gas_and_blobs_at_their_caps() -> None:
    assert admission.upfront_cost(transaction(value=5, gas=100_000, fee=3)) == 300_005
    assert admission.upfront_cost(blob_transaction(2)) == 1_000_000 * 10 + 2 * 131_072 * 5


@pytest.mark.parametrize(
    ("changes", "sender", "words"),
    [
        ({"nonce": 4}, account(nonce=5, balance=ETHER), "nonce too low"),
        ({"nonce": 6}, account(nonce=5, balance=ETHER), "nonce too high"),
        ({}, account(b"\x60", balance=ETHER), "sender not an eoa"),
        ({"fee": 6, "tip": 6}, account(balance=ETHER), "max fee per gas less than block base fee"),
        ({"fee": 9, "tip": 10}, account(balance=ETHER), "max priority fee per gas higher than max fee per gas"),
        ({"value": 1}, account(balance=10_000_000), "insufficient funds for gas \\* price \\+ value"),
    ],
)
def test_the_sender_is_checked(changes: dict[str, int], sender: admission.AccountState, words: str) -> None:
    with pytest.raises(Unexecutable, match=words):
        admission.check_sender(transaction(**changes), sender, block(), ADMISSION)  # type: ignore[arg-type]
    admission.check_sender(transaction(**changes), sender, block(), REPLAY)  # type: ignore[arg-type]


def test_exactly_the_cost_is_enough_and_a_delegated_sender_is_an_eoa() -> None:
    exact = account(b"\xef\x01\x00" + CONTRACT, balance=1_000_000 * 10 + 3)
    admission.check_sender(transaction(value=3), exact, block(), ADMISSION)


def test_switched_off_checks_are_off_one_by_one() -> None:
    poor = account(nonce=7)
    admission.check_sender(transaction(nonce=7), poor, block(), Checks(balance=False))
    with pytest.raises(Unexecutable, match="insufficient funds"):
        admission.check_sender(transaction(), poor, block(), Checks(nonce=False))


def test_the_effective_price_is_capped() -> None:
    assert admission.effective_gas_price(transaction(fee=10, tip=2), 7) == 9
    assert admission.effective_gas_price(transaction(fee=8, tip=2), 7) == 8

from __future__ import annotations

import dataclasses

import pytest

from gateway.live.context import NextFees, next_base_fee, next_blob_base_fee, next_context, next_timestamp
from gateway.model.block import BlockRef, Fork
from gateway.model.chain import ChainProfile
from gateway.model.head import Header
from gateway.model.primitive import Address, Hash32

PROFILE = ChainProfile("test", 7, ((0, Fork.CANCUN), (1_000, Fork.PRAGUE)))
PARENT = Header(
    ref=BlockRef(9, Hash32(b"\x09" * 32), Hash32(b"\x08" * 32), 990),
    coinbase=Address(b"\x01" * 20),
    gas_limit=30_000_000,
    gas_used=15_000_000,
    base_fee=1_000_000_000,
    prev_randao=Hash32(b"\x07" * 32),
    excess_blob_gas=0,
    blob_gas_used=0,
)


@pytest.mark.parametrize(
    ("gas_used", "base_fee", "expected"),
    [
        # EIP-1559: at target unchanged, empty one eighth down, full one eighth up, and never stuck just above target.
        (15_000_000, 1_000_000_000, 1_000_000_000),
        (0, 1_000_000_000, 875_000_000),
        (30_000_000, 1_000_000_000, 1_125_000_000),
        (15_000_001, 1, 2),
        (0, 7, 7),
    ],
)
def test_the_base_fee_follows_eip_1559(gas_used: int, base_fee: int, expected: int) -> None:
    assert next_base_fee(dataclasses.replace(PARENT, gas_used=gas_used, base_fee=base_fee)) == expected


def test_there_is_no_base_fee_before_london() -> None:
    assert next_base_fee(dataclasses.replace(PARENT, base_fee=None)) == 0


@pytest.mark.parametrize(
    ("excess", "used", "fork", "expected"),
    [
        (0, 0, Fork.CANCUN, 1),
        # EIP-4844's own test vectors of fake_exponential, through the excess they belong to.
        (2_314_057 + 393_216, 0, Fork.CANCUN, 1),
        (2_314_058 + 393_216, 0, Fork.CANCUN, 2),
        (10 * 1024 * 1024 + 393_216, 0, Fork.CANCUN, 23),
        (None, None, Fork.CANCUN, 1),
    ],
)
def test_the_blob_base_fee_follows_eip_4844(excess: int | None, used: int | None, fork: Fork, expected: int) -> None:
    assert next_blob_base_fee(dataclasses.replace(PARENT, excess_blob_gas=excess, blob_gas_used=used), fork) == expected


@pytest.mark.parametrize(
    ("recent", "now", "expected"),
    [
        ((980, 982, 984, 986, 988, 990), 990.9, 992),
        ((980, 982, 984, 986, 988, 990), 995.0, 992),
        ((980, 982, 984, 986, 988, 990), 1_001.0, 1_000),
        ((980, 982, 984, 986, 988, 990), 100.0, 992),
        ((980, 981, 985, 986, 990), 993.7, 993),
        ((), 993.7, 993),
        ((), 100.0, 990),
    ],
)
def test_the_timestamp_keeps_the_chains_step_whatever_the_clock_says(
    recent: tuple[int, ...], now: float, expected: int
) -> None:
    assert next_timestamp(990, recent, now) == expected


def test_the_fork_is_that_of_the_block_being_built() -> None:
    assert next_context(PARENT, PROFILE, now=999.0).fork is Fork.CANCUN
    assert next_context(PARENT, PROFILE, now=1_000.0).fork is Fork.PRAGUE


def test_what_the_node_says_of_its_fees_goes_before_the_formula() -> None:
    context = next_context(PARENT, PROFILE, now=995.0, fees=NextFees(42, 3))
    assert (context.base_fee, context.blob_base_fee) == (42, 3)
    assert (context.number, context.coinbase, context.chain_id) == (10, PARENT.coinbase, 7)
    assert next_context(PARENT, PROFILE, now=995.0, fees=NextFees(42)).blob_base_fee == 1

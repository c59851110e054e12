"""Random programs on both engines: whatever they do, the two must see the same."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import SimulationError
from gateway.evm.crosscheck import compare
from gateway.evm.simulator import Limits
from gateway.evm.workers import PyEvmPool
from gateway.model.block import Fork
from gateway.model.state import AccountState, StateBatch
from gateway.model.trace import SimulationResult
from tests.gateway.evm.scenes import (
    ADD_ONE,
    ANNOUNCE,
    COINBASE,
    CONTRACT,
    ETHER,
    OTHER,
    REVERT,
    SENDER,
    STOP,
    account,
    block,
    call,
    push,
    transaction,
)

revm = pytest.importorskip("gateway.evm.revm", reason="the native engine is not installed (no cargo)")

NATIVE = revm.RevmSimulator()

ADDRESSES = st.sampled_from([CONTRACT, OTHER, SENDER, COINBASE])
NUMBERS = st.one_of(st.integers(0, 70), st.sampled_from([2**160 - 1, 2**255, 2**256 - 1, 1024, 31337]))
ONE_BYTE = (
    st.integers(0x01, 0x5F).filter(lambda value: value not in (0x5A, 0x56, 0x57)).map(lambda value: bytes([value]))
)
CALLS = st.builds(
    lambda to, value, opcode, gas, size: call(to, value=value, opcode=opcode, gas=gas, size=size),
    ADDRESSES,
    st.sampled_from([0, 1, 2 * ETHER]),
    st.sampled_from([0xF1, 0xF2, 0xF4, 0xFA]),
    st.one_of(st.none(), st.sampled_from([0, 700, 30_000])),
    st.sampled_from([0, 4, 33]),
)
PRECOMPILES = st.builds(
    lambda number, size: push(size) + push(0) + push(size) + push(0) + push(0) + push(number) + b"\x5a\xf1",
    st.sampled_from([1, 2, 3, 4, 5, 6, 7, 9]),
    st.sampled_from([0, 32, 64, 128, 213]),
)
CREATIONS = st.builds(
    lambda opcode, size, value: (
        (push(5) if opcode == 0xF5 else b"") + push(size) + push(0) + push(value) + bytes([opcode])
    ),
    st.sampled_from([0xF0, 0xF5]),
    st.sampled_from([0, 3, 40]),
    st.sampled_from([0, 1, 2 * ETHER]),
)
STORES = st.builds(lambda slot, value: push(value) + push(slot) + b"\x55", st.integers(0, 3), st.integers(0, 2))
TRANSIENT = st.builds(lambda slot, value: push(value) + push(slot) + b"\x5d", st.integers(0, 2), st.integers(0, 2))
MEMORY = st.builds(lambda value, offset: push(value) + push(offset) + b"\x52", NUMBERS, st.integers(0, 64))
STEPS = st.one_of(
    NUMBERS.map(push),
    ADDRESSES.map(push),
    ONE_BYTE,
    st.integers(0x80, 0x9F).map(lambda value: bytes([value])),
    CALLS,
    PRECOMPILES,
    CREATIONS,
    STORES,
    TRANSIENT,
    MEMORY,
    st.sampled_from([ADD_ONE, ANNOUNCE]),
)
ENDS = st.sampled_from([STOP, REVERT, push(32) + push(0) + b"\xf3", push(OTHER) + b"\xff", b"\xfe", b""])
PROGRAMS = st.builds(lambda steps, end: b"".join(steps) + end, st.lists(STEPS, max_size=12), ENDS)
FORKS = st.sampled_from([Fork.ISTANBUL, Fork.BERLIN, Fork.LONDON, Fork.SHANGHAI, Fork.CANCUN, Fork.PRAGUE])


def state(first: bytes, second: bytes) -> StateBatch:
    accounts: dict[object, AccountState] = {
        SENDER: account(balance=100 * ETHER),
        CONTRACT: account(first, balance=ETHER, nonce=1),
        OTHER: account(second, balance=5, nonce=1),
        COINBASE: account(balance=1),
    }
    return StateBatch(accounts, {(CONTRACT, 0): 1, (OTHER, 0): 2, (OTHER, 1): 1})  # type: ignore[arg-type]


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool() -> AsyncIterator[PyEvmPool]:
    """In a process of its own, for hypothesis lowers the recursion limit of this one."""
    made = PyEvmPool(size=1)
    await made.start()
    yield made
    await made.close()


@settings(max_examples=250, deadline=None)
@given(first=PROGRAMS, second=PROGRAMS, fork=FORKS, data=st.binary(max_size=40), create=st.booleans())
async def test_two_engines_see_the_same(
    pool: PyEvmPool, first: bytes, second: bytes, fork: Fork, data: bytes, create: bool
) -> None:
    results: list[SimulationResult] = []
    kind = None if fork.at_least(Fork.LONDON) else 0
    run = transaction(None if create else CONTRACT, data=first if create else data, gas=400_000, kind=kind)  # type: ignore[arg-type]
    for engine in (pool, NATIVE):
        world = engine.world(complete=True)
        world.load(state(first, second))
        try:
            results.append(await engine.simulate(world, run, block(fork), limits=Limits(wall_clock=30)))
        except SimulationError as error:
            pytest.fail(f"{engine.name} failed: {error}")
    ours, native = results
    difference = compare(ours, native)
    assert difference is None, str(difference)
    assert ours.trace.accesses == native.trace.accesses
    assert ours.trace.logs == native.trace.logs
    assert [(frame.entered, frame.left, frame.reverted) for frame in ours.trace.frames] == [
        (frame.entered, frame.left, frame.reverted) for frame in native.trace.frames
    ]

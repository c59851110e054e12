"""The pool with real processes: what is killed, what survives, and that answers equal those of this process."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from gateway.errors import SimulationError, StateMissing, Unexecutable
from gateway.evm.crosscheck import compare
from gateway.evm.local import LocalPyEvm
from gateway.evm.node import NodeWorld
from gateway.evm.py_evm import execute
from gateway.evm.simulator import Limits
from gateway.evm.workers import PyEvmPool
from gateway.model.block import Fork
from gateway.model.primitive import Address, Hash32
from gateway.model.profiles import BASE
from gateway.model.state import StateBatch
from gateway.model.transaction import Transaction
from tests.gateway.evm.scenes import (
    ADD_ONE,
    ANNOUNCE,
    CONTRACT,
    FOREVER,
    KECCAK_FOREVER,
    OTHER,
    STOP,
    account,
    block,
    call,
    push,
    transaction,
    world,
)

BUSY = ADD_ONE + call(OTHER) + ANNOUNCE + STOP


def modexp_bomb(rounds: int) -> Transaction:
    """MODEXP on large numbers: one precompile call, in which no Python runs that could look at a clock."""
    size = 4096 * rounds
    data = size.to_bytes(32, "big") * 2 + size.to_bytes(32, "big")
    data += b"\xfe" * size + b"\xff" * size + b"\xfd" * size
    return transaction(Address((5).to_bytes(20, "big")), data=data, gas=10**13, fee=7, tip=0)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool() -> AsyncIterator[PyEvmPool]:
    made = PyEvmPool(size=1)
    await made.start()
    yield made
    await made.close()


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_pool_and_this_process_give_the_same_answer(pool: PyEvmPool) -> None:
    made = world(BUSY, accounts={OTHER: account(ANNOUNCE + STOP)}, slots={(CONTRACT, 0): 1})
    there = await pool.simulate(made, transaction(), block())
    here = execute(made, transaction(), block())
    assert compare(there, here) is None
    assert there.trace.frames == here.trace.frames
    assert there.trace.accesses == here.trace.accesses
    assert there.trace.logs == here.trace.logs
    assert there.trace.environment == here.trace.environment


async def test_a_world_that_changed_is_seen_changed(pool: PyEvmPool) -> None:
    made = world(BUSY, accounts={OTHER: account()}, slots={(CONTRACT, 0): 1})
    fork = made.fork()
    fork.load(StateBatch(slots={(CONTRACT, 0): 41}))
    changed = await pool.simulate(fork, transaction(), block())
    original = await pool.simulate(made, transaction(), block())
    made.apply(original.state_diff)
    later = await pool.simulate(made, transaction(nonce=1), block())
    pairs = [result.state_diff[CONTRACT].storage[0] for result in (changed, original, later)]
    assert pairs == [(41, 42), (1, 2), (2, 3)]


async def test_errors_come_back_as_what_they_are(pool: PyEvmPool) -> None:
    with pytest.raises(Unexecutable, match="nonce too high: address") as refusal:
        await pool.simulate(world(), transaction(nonce=9), block())
    assert refusal.value.reason == "nonce too high"
    with pytest.raises(StateMissing) as missing:
        await pool.simulate(pool.world(), transaction(), block())
    assert CONTRACT in missing.value.keys.accounts
    with pytest.raises(SimulationError, match="another engine"):
        await pool.simulate(NodeWorld(Hash32()), transaction(), block())


@pytest.mark.parametrize("code", [FOREVER, KECCAK_FOREVER], ids=["jumps", "hashes"])
async def test_an_endless_loop_stops_by_itself_and_the_next_run_is_right(pool: PyEvmPool, code: bytes) -> None:
    killed = pool.killed
    started = time.monotonic()
    result = await pool.simulate(world(code), transaction(gas=30_000_000), block(), limits=Limits(wall_clock=0.3))
    assert result.truncated == "wall clock"
    assert time.monotonic() - started < 5
    assert pool.killed == killed
    assert (await pool.simulate(world(STOP), transaction(), block())).gas_used == 21_000


async def test_what_its_own_clock_cannot_stop_is_killed_and_replaced(pool: PyEvmPool) -> None:
    killed = pool.killed
    started = time.monotonic()
    with pytest.raises(SimulationError, match="was killed"):
        await pool.simulate(
            world(), modexp_bomb(8), block(Fork.CANCUN, gas_limit=10**13), limits=Limits(wall_clock=0.3)
        )
    assert time.monotonic() - started < 5
    assert pool.killed == killed + 1
    made = world(BUSY, accounts={OTHER: account(ANNOUNCE + STOP)})
    assert compare(await pool.simulate(made, transaction(), block()), execute(made, transaction(), block())) is None


async def test_a_worker_that_dies_fails_one_run_and_is_replaced(pool: PyEvmPool) -> None:
    (worker,) = pool._workers
    run = asyncio.ensure_future(
        pool.simulate(world(FOREVER), transaction(gas=30_000_000), block(), limits=Limits(wall_clock=20))
    )
    await asyncio.sleep(0.2)
    os.kill(worker._process.pid, signal.SIGKILL)
    with pytest.raises(SimulationError, match="worker was lost"):
        await run
    assert (await pool.simulate(world(STOP), transaction(), block())).succeeded
    assert pool._workers != {worker}


async def test_runs_beyond_the_size_of_the_pool_wait_and_a_caller_that_left_harms_nobody(pool: PyEvmPool) -> None:
    made = world(BUSY, accounts={OTHER: account(ANNOUNCE + STOP)})
    slow = asyncio.ensure_future(
        pool.simulate(world(FOREVER), transaction(gas=30_000_000), block(), limits=Limits(wall_clock=0.5))
    )
    runs = [asyncio.ensure_future(pool.simulate(made, transaction(), block())) for _ in range(5)]
    await asyncio.sleep(0.1)
    slow.cancel()
    runs[0].cancel()
    finished = await asyncio.gather(*runs[1:])
    assert {result.gas_used for result in finished} == {execute(made, transaction(), block()).gas_used}
    with pytest.raises(asyncio.CancelledError):
        await runs[0]


async def test_workers_are_recycled_and_the_pool_can_be_closed_twice() -> None:
    pool = PyEvmPool(BASE, size=1, runs_per_worker=2)
    await pool.start()
    (first,) = pool._workers
    for _ in range(2):
        assert (await pool.simulate(world(STOP), transaction(), block())).succeeded
    successor = first.successor
    assert successor is not None
    # the old one serves until the new one is warm
    assert (await pool.simulate(world(STOP), transaction(), block())).succeeded
    await successor.ready
    assert (await pool.simulate(world(STOP), transaction(), block())).succeeded
    assert pool._workers == {successor}
    await pool.close()
    await pool.close()
    with pytest.raises(SimulationError, match="closed"):
        await pool.simulate(world(STOP), transaction(), block())


async def test_what_a_worker_remembers_is_bounded(pool: PyEvmPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.evm.workers._CACHED_ENTRIES", 100)
    worlds = []
    for number in range(10):
        made = world(push(number) + b"\x54" + STOP, slots={(CONTRACT, slot): slot for slot in range(30)})
        worlds.append(made)
        await pool.simulate(made, transaction(), block())
    (worker,) = pool._workers
    assert sum(worker._known.values()) <= 150
    assert (await pool.simulate(worlds[0], transaction(), block())).succeeded


async def test_the_local_engine_speaks_the_same_protocol() -> None:
    engine = LocalPyEvm(BASE)
    made = engine.world(complete=True)
    made.load(StateBatch({transaction().sender: account(balance=10**18)}))
    precompile = Address((0x100).to_bytes(20, "big"))
    result = await engine.simulate(made, transaction(precompile), block())
    assert result.gas_used == 21_000 + 3450
    await engine.close()

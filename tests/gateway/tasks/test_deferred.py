from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from gateway.errors import Unexecutable, UpstreamSilent
from gateway.model.case import Decision
from gateway.model.primitive import Address
from gateway.model.quarantine import CaseState, QuarantineEntry
from gateway.model.verdict import Action
from gateway.store.cases.record import SqlRecord
from gateway.store.shared.memory import MemoryQueue
from gateway.tasks.conclude import Conclusion
from gateway.tasks.deferred import DeferredLane, DeferredLimits
from gateway.tasks.lane import LaneLimits
from tests.cases import detail, entry
from tests.gateway.tasks.judging import Judge, decode

LIMITS = DeferredLimits(workers=2, lane=LaneLimits(4, 4, 2), sweep_seconds=0.05, retry_seconds=0.02)


@pytest.fixture
def memory_queue() -> MemoryQueue:
    return MemoryQueue()


@pytest.fixture
def judge() -> Judge:
    return Judge()


@pytest.fixture
def lane(record: SqlRecord, memory_queue: MemoryQueue, judge: Judge) -> DeferredLane:
    return DeferredLane(record, Conclusion(record, memory_queue), judge, decode, LIMITS)


@contextlib.asynccontextmanager
async def running(lane: DeferredLane) -> AsyncIterator[None]:
    task = asyncio.ensure_future(lane.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def defer(record: SqlRecord, queue: MemoryQueue, number: int, sender: int = 1) -> QuarantineEntry:
    made = entry(number, state=CaseState.DEFERRED, sender=Address(bytes([sender]) * 20))
    kept = await record.hold(made, detail(number))
    await queue.put(kept)
    return kept


async def state_of(record: SqlRecord, number: int) -> CaseState:
    found = await record.case(f"case-{number}")
    assert found is not None
    return found.state


async def until(record: SqlRecord, number: int, state: CaseState) -> None:
    async with asyncio.timeout(10):
        while await state_of(record, number) is not state:  # noqa: ASYNC110 - the record is asked, as a client would
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("action", "state"),
    [
        (Action.FORWARD, CaseState.RELEASED),
        (Action.HOLD, CaseState.HELD),
        (Action.DEFER, CaseState.HELD),
        (Action.REJECT, CaseState.REJECTED),
        (Unexecutable("nonce too low"), CaseState.SUPERSEDED),
        (Unexecutable("insufficient funds for gas * price + value"), CaseState.REJECTED),
    ],
)
async def test_each_outcome_has_its_state(
    record: SqlRecord,
    memory_queue: MemoryQueue,
    judge: Judge,
    lane: DeferredLane,
    action: Action | Exception,
    state: CaseState,
) -> None:
    judge.actions[1] = action
    deferred = await defer(record, memory_queue, 1)
    async with running(lane):
        assert lane.offer(deferred)
        await until(record, 1, state)
    assert set(judge.charged) == {deferred.client}, "the slow lane is on its client's account"
    items = await record.outbox_take()
    assert len(items) == (1 if state is CaseState.RELEASED else 0)
    queued = await memory_queue.case("case-1")
    assert queued is None or queued.state is state


async def test_what_a_crash_left_behind_is_found_in_the_record(
    record: SqlRecord, memory_queue: MemoryQueue, lane: DeferredLane
) -> None:
    await defer(record, memory_queue, 1)
    async with running(lane):
        await until(record, 1, CaseState.RELEASED)


async def test_one_sender_cannot_fill_the_lane(
    record: SqlRecord, memory_queue: MemoryQueue, judge: Judge, lane: DeferredLane
) -> None:
    judge.gate = asyncio.Event()
    greedy = [await defer(record, memory_queue, number, sender=1) for number in (1, 2, 3)]
    assert [lane.offer(case) for case in greedy] == [True, True, False]
    assert not lane.has_room(greedy[0].client, greedy[0].sender)
    honest = await defer(record, memory_queue, 4, sender=2)
    assert lane.has_room(honest.client, honest.sender)
    assert lane.offer(honest)
    async with running(lane):
        await asyncio.sleep(0.1)
        assert judge.at_work == 2, "one of each sender"
        judge.gate.set()
        for number in (1, 2, 3, 4):
            await until(record, number, CaseState.RELEASED)
    assert judge.most_at_work == 2
    assert judge.judged.index(4) < judge.judged.index(2)


async def test_an_absent_upstream_delays_and_loses_nothing(
    record: SqlRecord, memory_queue: MemoryQueue, judge: Judge, lane: DeferredLane
) -> None:
    judge.actions[1] = UpstreamSilent("stalled")
    deferred = await defer(record, memory_queue, 1)
    async with running(lane):
        lane.offer(deferred)
        async with asyncio.timeout(10):
            while judge.judged.count(1) < 3:  # noqa: ASYNC110 - the judge only counts
                await asyncio.sleep(0.01)
        assert await state_of(record, 1) is CaseState.DEFERRED
        judge.actions[1] = Action.FORWARD
        await until(record, 1, CaseState.RELEASED)


async def test_an_analyst_who_was_quicker_wins(
    record: SqlRecord, memory_queue: MemoryQueue, judge: Judge, lane: DeferredLane
) -> None:
    judge.gate = asyncio.Event()
    deferred = await defer(record, memory_queue, 1)
    async with running(lane):
        lane.offer(deferred)
        await asyncio.sleep(0.05)
        await record.decide("case-1", Decision(CaseState.REJECTED, "ada", "known drainer"))
        judge.gate.set()
        await asyncio.sleep(0.2)
        assert await state_of(record, 1) is CaseState.REJECTED
    assert not await record.outbox_take()


async def test_two_replicas_release_once(record: SqlRecord, memory_queue: MemoryQueue, judge: Judge) -> None:
    lanes = [DeferredLane(record, Conclusion(record, memory_queue), judge, decode, LIMITS) for _ in range(2)]
    await defer(record, memory_queue, 1)
    async with running(lanes[0]), running(lanes[1]):
        await until(record, 1, CaseState.RELEASED)
        await asyncio.sleep(0.1)
    assert len(await record.outbox_take()) == 1

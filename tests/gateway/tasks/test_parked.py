from __future__ import annotations

import asyncio
import contextlib

import pytest

from gateway.errors import Unexecutable
from gateway.model.primitive import Address
from gateway.model.quarantine import CaseState
from gateway.model.verdict import Action
from gateway.store.cases.record import SqlRecord
from gateway.store.shared.memory import MemoryQueue
from gateway.tasks.conclude import Conclusion
from gateway.tasks.parked import ParkedLane, ParkedLimits
from tests.cases import detail, entry
from tests.gateway.tasks.judging import Judge, decode


class Nonces:
    """The next nonce of every sender."""

    def __init__(self) -> None:
        self.next = 5

    async def __call__(self, sender: Address) -> int:
        return self.next


@pytest.fixture
def nonces() -> Nonces:
    return Nonces()


@pytest.fixture
def judge() -> Judge:
    return Judge()


@pytest.fixture
def lane(record: SqlRecord, judge: Judge, nonces: Nonces) -> ParkedLane:
    return ParkedLane(record, Conclusion(record, MemoryQueue()), judge, decode, nonces, ParkedLimits(interval=5.0))


async def park(record: SqlRecord, *numbers: int) -> None:
    for number in numbers:
        await record.hold(entry(number, state=CaseState.PARKED), detail(number))


async def states(record: SqlRecord, *numbers: int) -> list[CaseState]:
    found = [await record.case(f"case-{number}") for number in numbers]
    return [case.state for case in found if case is not None]


async def test_a_gap_stays_parked_and_uninspected(record: SqlRecord, lane: ParkedLane, judge: Judge) -> None:
    await park(record, 6, 7)
    assert await lane.round() == 0
    assert await states(record, 6, 7) == [CaseState.PARKED, CaseState.PARKED]
    assert judge.judged == []


async def test_they_wake_one_by_one_in_order(record: SqlRecord, lane: ParkedLane, judge: Judge, nonces: Nonces) -> None:
    await park(record, 7, 6)
    nonces.next = 6
    assert await lane.round() == 1
    assert await states(record, 6, 7) == [CaseState.RELEASED, CaseState.PARKED]
    nonces.next = 7
    assert await lane.round() == 1
    assert judge.judged == [6, 7]


@pytest.mark.parametrize(
    ("action", "state"),
    [
        (Action.HOLD, CaseState.HELD),
        (Action.DEFER, CaseState.HELD),
        (Action.REJECT, CaseState.REJECTED),
        (Unexecutable("nonce too low"), CaseState.SUPERSEDED),
        (Unexecutable("insufficient funds for gas * price + value"), CaseState.PARKED),
    ],
)
async def test_what_wakes_is_inspected(
    record: SqlRecord, lane: ParkedLane, judge: Judge, action: Action | Exception, state: CaseState
) -> None:
    await park(record, 5)
    judge.actions[5] = action
    await lane.round()
    assert await states(record, 5) == [state]
    assert not await record.outbox_take()


async def test_a_nudge_is_quicker_than_the_round(record: SqlRecord, lane: ParkedLane, nonces: Nonces) -> None:
    await park(record, 6)
    task = asyncio.ensure_future(lane.run())
    await asyncio.sleep(0.2)
    assert await states(record, 6) == [CaseState.PARKED]
    nonces.next = 6
    lane.nudge()
    async with asyncio.timeout(3):
        while await states(record, 6) != [CaseState.RELEASED]:  # noqa: ASYNC110 - the record is asked
            await asyncio.sleep(0.02)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task

from __future__ import annotations

from datetime import timedelta

import pytest

from gateway.model.case import Decision
from gateway.model.quarantine import CaseState
from gateway.store.cases.record import SqlRecord
from gateway.store.shared.memory import MemoryQueue
from gateway.tasks.expiry import BELIEVED_AFTER, Expiry
from tests.cases import NOON, Clock, detail, entry


async def hold(
    record: SqlRecord, live: MemoryQueue, number: int, hours: int, state: CaseState = CaseState.HELD
) -> None:
    case = entry(number, expires_at=NOON + timedelta(hours=hours), state=state)
    await live.put(await record.hold(case, detail(number)))


async def test_cases_end_when_their_time_is_over(record: SqlRecord, clock: Clock) -> None:
    live = MemoryQueue()
    await hold(record, live, 1, hours=1)
    await hold(record, live, 2, hours=1, state=CaseState.PARKED)
    await hold(record, live, 3, hours=5)
    await hold(record, live, 4, hours=1)
    await record.decide("case-4", Decision(CaseState.RELEASED, "ann", "fine"))
    expiry = Expiry(record, live, now=clock, monotonic=lambda: clock().timestamp())
    assert await expiry.once() == 0
    clock.forward(hours=2)
    assert await expiry.once() == 2
    assert await expiry.once() == 0
    assert await record.counts() == {CaseState.EXPIRED: 2, CaseState.HELD: 1, CaseState.RELEASED: 1}
    assert await live.case_ids() == {"case-3", "case-4"}


async def test_where_the_operator_wants_delay_alone(record: SqlRecord, clock: Clock) -> None:
    live = MemoryQueue()
    await hold(record, live, 1, hours=1)
    clock.forward(hours=2)
    assert (
        await Expiry(record, live, target=CaseState.RELEASED, now=clock, monotonic=lambda: clock().timestamp()).once()
        == 1
    )
    assert len(await record.outbox_take()) == 1


async def test_a_queue_that_is_away_does_not_stop_it(record: SqlRecord, clock: Clock) -> None:
    live = MemoryQueue()
    await hold(record, live, 1, hours=1)
    live.available = False
    clock.forward(hours=2)
    assert await Expiry(record, live, now=clock, monotonic=lambda: clock().timestamp()).once() == 1


def test_no_end_that_the_table_forbids(record: SqlRecord) -> None:
    with pytest.raises(ValueError, match="FORWARDED"):
        Expiry(record, MemoryQueue(), target=CaseState.FORWARDED)


async def test_a_clock_that_jumps_ends_nothing_at_once(record: SqlRecord, clock: Clock) -> None:
    live, elapsed = MemoryQueue(), [100.0]
    await hold(record, live, 1, hours=1)
    expiry = Expiry(record, live, now=clock, monotonic=lambda: elapsed[0])

    def pass_by(seconds: float) -> None:
        clock.forward(seconds=seconds)
        elapsed[0] += seconds

    clock.forward(hours=3)
    assert await expiry.once() == 0, "three hours in no time"
    pass_by(60)
    assert await expiry.once() == 0
    clock.forward(hours=-3)
    pass_by(1)
    assert await expiry.once() == 0, "set right again"
    pass_by(3600)
    assert await expiry.once() == 1, "after an hour that really passed"


async def test_a_clock_that_stays_where_it_jumped_is_believed(record: SqlRecord, clock: Clock) -> None:
    live, elapsed = MemoryQueue(), [100.0]
    await hold(record, live, 1, hours=1)
    expiry = Expiry(record, live, now=clock, monotonic=lambda: elapsed[0])
    clock.forward(hours=3)
    assert await expiry.once() == 0
    elapsed[0] += BELIEVED_AFTER.total_seconds()
    clock.forward(seconds=BELIEVED_AFTER.total_seconds())
    assert await expiry.once() == 1

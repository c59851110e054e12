from __future__ import annotations

import asyncio
from datetime import timedelta

from gateway.model.case import Decision
from gateway.model.notice import ChannelKind, ChannelRule, NoticeKind
from gateway.model.quarantine import CaseState
from gateway.store.cases.expiring import ExpiryWarnings
from gateway.store.cases.record import SqlRecord
from gateway.store.database import Database
from gateway.store.notices import Notices
from tests.cases import NOON, Clock, detail, entry

HALF_AN_HOUR = timedelta(minutes=30)


async def _hold(record: SqlRecord, number: int, hours: float, state: CaseState = CaseState.HELD) -> None:
    await record.hold(entry(number, expires_at=NOON + timedelta(hours=hours), state=state), detail(number))


async def test_a_held_case_is_told_once_before_each_end(record: SqlRecord, database: Database, clock: Clock) -> None:
    warnings, notices = ExpiryWarnings(database, now=clock), Notices(database, now=clock)
    rule = ChannelRule(kinds=frozenset({NoticeKind.EXPIRING}), grouping=timedelta(0))
    await notices.add("night", ChannelKind.WEBHOOK, "https://hooks.example/x", rule, actor="otto")
    await _hold(record, 1, hours=2)
    await _hold(record, 2, hours=2, state=CaseState.PARKED)
    await _hold(record, 3, hours=2)
    await _hold(record, 4, hours=9)
    await record.decide("case-3", Decision(CaseState.REJECTED, "anna", "x"))
    assert await warnings.tell(HALF_AN_HOUR) == ()
    clock.forward(minutes=95)
    assert await warnings.tell(HALF_AN_HOUR) == ["case-1"]
    assert await warnings.tell(HALF_AN_HOUR) == ()
    await record.extend("case-1", NOON + timedelta(hours=4), "anna", "they call back")
    assert await warnings.tell(HALF_AN_HOUR) == ()
    clock.forward(hours=2)
    assert await warnings.tell(HALF_AN_HOUR) == ["case-1"]
    while await notices.collect():
        pass
    told = [notice for sent in await notices.take() for notice in sent.notices]
    assert [(notice.kind, notice.case_id) for notice in told] == [(NoticeKind.EXPIRING, "case-1")] * 2
    assert {notice.actor for notice in told} == {"gateway"}


async def test_of_two_replicas_one_tells(record: SqlRecord, database: Database, clock: Clock) -> None:
    await _hold(record, 1, hours=1)
    clock.forward(minutes=45)
    both = await asyncio.gather(*(ExpiryWarnings(database, now=clock).tell(HALF_AN_HOUR) for _ in range(2)))
    assert sorted(map(list, both)) == [[], ["case-1"]]


async def test_where_holds_are_short_the_hold_itself_is_the_warning(
    record: SqlRecord, database: Database, clock: Clock
) -> None:
    await _hold(record, 1, hours=0.25)
    assert await ExpiryWarnings(database, now=clock).tell(HALF_AN_HOUR) == ()

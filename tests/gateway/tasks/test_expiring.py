from __future__ import annotations

from datetime import timedelta

from gateway.store.audit import AuditLog
from gateway.store.cases.expiring import ExpiryWarnings
from gateway.store.cases.record import SqlRecord
from gateway.store.database import Database
from gateway.tasks.expiring import Expiring
from tests.cases import NOON, Clock, detail, entry


async def test_what_is_near_its_end_is_told_in_the_chain(record: SqlRecord, database: Database, clock: Clock) -> None:
    await record.hold(entry(1, expires_at=NOON + timedelta(hours=2)), detail(1))
    expiring = Expiring(ExpiryWarnings(database, now=clock), timedelta(minutes=30))
    assert await expiring.once() == 0
    clock.forward(minutes=100)
    assert await expiring.once() == 1
    assert await expiring.once() == 0
    (link, *_) = await AuditLog(database).records(newest_first=True, subject="case-1")
    assert (link.actor, link.detail["step"]) == ("gateway", "expiring")

from __future__ import annotations

import pytest

from gateway.model.case import CaseOrder, CaseQuery, Decision, LossBasis, LossEstimate, OutboxOutcome
from gateway.model.casework import BlockChanges
from gateway.model.primitive import Address, Hash32
from gateway.model.quarantine import CaseState, QuarantineEntry
from gateway.store.cases.record import SqlRecord
from gateway.store.casework.appeals import Appeals
from gateway.store.casework.desk import Desk
from gateway.store.casework.evidence import Evidence
from gateway.store.casework.runs import OPEN_AT_ONCE, Runs
from gateway.store.database import Database
from tests.cases import Clock, detail, entry, finding, verdict


@pytest.fixture
async def held(record: SqlRecord) -> QuarantineEntry:
    return await record.hold(entry(1), detail(1))


async def test_runs_are_leased_and_come_back(
    database: Database, clock: Clock, record: SqlRecord, held: QuarantineEntry
) -> None:
    runs = Runs(database, now=clock)
    changes = BlockChanges(7, 8, Address(b"\x01" * 20), 2**90, Hash32(b"\x02" * 32))
    number = await runs.ask(held.case_id, changes, "ann")
    (taken,) = await runs.take()
    assert (taken.id, taken.changes) == (number, changes)
    assert await runs.take() == ()
    clock.forward(seconds=31)
    (again,) = await runs.take()
    await runs.fail(again, "no")
    clock.forward(seconds=31)
    assert await runs.take() == ()
    assert [run.problem for run in await runs.of_case(held.case_id)] == ["no"]
    for _ in range(OPEN_AT_ONCE):
        assert await runs.ask(held.case_id, BlockChanges(), "ann") is not None
    assert await runs.ask(held.case_id, BlockChanges(), "ann") is None
    assert await runs.ask(held.case_id, BlockChanges(), "bob") is not None
    assert await runs.run("case-9", again.id) is None


async def test_one_appeal_is_open_at_a_time(database: Database, clock: Clock, held: QuarantineEntry) -> None:
    appeals = Appeals(database, now=clock)
    assert await appeals.add(held, "one", "m", "0x1")
    assert not await appeals.add(held, "two", "m", "0x2")
    assert await appeals.open_cases() == [held.case_id]
    assert await appeals.open_of([held.case_id, "case-9"]) == {held.case_id}
    (made,) = await appeals.of_case(held.case_id)
    assert await appeals.answer(held.case_id, made.id, "ann", "no")
    assert not await appeals.answer(held.case_id, made.id, "bob", "yes")
    assert await appeals.open_cases() == []
    assert await appeals.add(held, "three", "m", "0x3")


async def test_files_keep_their_digest_when_their_bytes_go(
    database: Database, clock: Clock, held: QuarantineEntry
) -> None:
    evidence = Evidence(database, now=clock)
    assert await evidence.attach(held.case_id, "ann", "a.txt", "text/plain", b"words")
    (kept,) = await evidence.attachments(held.case_id)
    found = await evidence.content(held.case_id, kept.id)
    assert found == (kept, b"words")
    assert await evidence.content("case-9", kept.id) is None
    assert await evidence.remove(held.case_id, kept.id, "bob")
    assert not await evidence.remove(held.case_id, kept.id, "bob")
    (gone,) = await evidence.attachments(held.case_id)
    assert (gone.removed_by, gone.digest) == ("bob", kept.digest)
    assert await evidence.content(held.case_id, kept.id) is None


async def test_mentions_wait_until_they_are_seen(database: Database, clock: Clock, held: QuarantineEntry) -> None:
    evidence, desk = Evidence(database, now=clock), Desk(database, now=clock)
    await desk.add_note(held.case_id, "ann", "look, @bob")
    await evidence.mention(held.case_id, "ann", {"bob", "eve"})
    assert [mention.text for mention in await evidence.unseen("bob")] == ["look, @bob"]
    await evidence.seen(held.case_id, "bob")
    assert not await evidence.unseen("bob")
    assert len(await evidence.unseen("eve")) == 1


async def test_a_new_inspection_brings_its_own_estimate(record: SqlRecord, held: QuarantineEntry) -> None:
    await record.hold(entry(2, estimated_loss=None), detail(2))
    await record.hold(entry(3, estimated_loss=5000.0), detail(3))

    async def order() -> list[str]:
        return [found.case_id for found in (await record.cases(CaseQuery(order=CaseOrder.LOSS))).entries]

    assert await order() == ["case-3", "case-1", "case-2"]
    await record.decide(held.case_id, Decision(CaseState.RELEASED, "ann", "fine"))
    (item,) = await record.outbox_take()
    larger = detail(1, loss=LossEstimate(90_000.0, "USD", LossBasis.POOLS, 2))
    after = await record.outbox_settle(item, OutboxOutcome.REOPENED, "other", verdict=verdict(finding()), detail=larger)
    assert isinstance(after, QuarantineEntry)
    assert after.estimated_loss == 90_000.0
    assert await order() == ["case-1", "case-3", "case-2"]
    stored = await record.detail(held.case_id)
    assert stored is not None
    assert stored.loss == larger.loss

from __future__ import annotations

from datetime import timedelta

import pytest

from gateway.model.account import Mark
from gateway.model.audit import AuditKind
from gateway.model.primitive import Hash32
from gateway.model.signature import Signature, SignatureKind, SignatureState
from gateway.store.audit import AuditLog
from gateway.store.cases.record import SqlRecord
from gateway.store.casework.desk import Desk
from gateway.store.database import Database
from gateway.store.knowledge.signatures import Signatures
from tests.cases import NOON, ROUTER, Clock, detail, entry


def made(case_id: str = "case-1") -> list[Signature]:
    return [
        Signature(
            kind, Hash32(bytes([number]) * 32), case_id, "ann", NOON, NOON + timedelta(days=90),
            SignatureState.ENFORCED, ROUTER, 300 if kind is SignatureKind.CODE else 0,
        )
        for number, kind in enumerate(SignatureKind)
    ]  # fmt: skip


@pytest.fixture
def desk(database: Database, clock: Clock) -> Desk:
    return Desk(database, now=clock)


@pytest.fixture
def kept(database: Database, clock: Clock) -> Signatures:
    return Signatures(database, now=clock)


async def test_a_confirmed_case_waits_for_its_signatures_and_gets_them_once(
    record: SqlRecord, desk: Desk, kept: Signatures, database: Database
) -> None:
    await record.hold(entry(1), detail(1))
    assert await kept.unsigned() == []
    await desk.mark("case-1", Mark.CONFIRMED, "ann", "it drains the pool")
    (confirmed,) = await kept.unsigned()
    assert (confirmed.case_id, confirmed.author) == ("case-1", "ann")
    before = await kept.version()
    assert await kept.add(confirmed, made()) == 3
    assert await kept.add(confirmed, made()) == 0, "another replica was first"
    assert await kept.unsigned() == []
    assert await kept.version() != before
    assert {one.kind for one in await kept.speaking()} == set(SignatureKind)
    assert all(one.entry == ROUTER and one.id for one in await kept.speaking())
    (link,) = [link for link in await AuditLog(database).records() if link.kind is AuditKind.CONFIGURATION]
    assert link.detail["confirmed by"] == "ann"


async def test_undoing_the_confirmation_ends_what_was_made_on_its_word(
    record: SqlRecord, desk: Desk, kept: Signatures
) -> None:
    await record.hold(entry(1), detail(1))
    await desk.mark("case-1", Mark.CONFIRMED, "ann", "it drains the pool")
    (confirmed,) = await kept.unsigned()
    await kept.add(confirmed, made())
    (mark,) = (await desk.marks(["case-1"]))["case-1"]
    assert await desk.undo_mark("case-1", mark.id, "ben")
    assert await kept.speaking() == []
    assert {one.ended_by for one in await kept.listed()} == {"ben"}
    await desk.mark("case-1", Mark.CONFIRMED, "ann", "it does after all")
    (again,) = await kept.unsigned()
    assert await kept.add(again, made()) == 3
    await desk.mark("case-1", Mark.FALSE_ALARM, "ann", "no, it does not")
    assert await kept.speaking() == [], "a false alarm replaces the confirmation"


async def test_a_mark_that_was_undone_meanwhile_makes_none(record: SqlRecord, desk: Desk, kept: Signatures) -> None:
    await record.hold(entry(1), detail(1))
    await desk.mark("case-1", Mark.CONFIRMED, "ann", "it drains the pool")
    (confirmed,) = await kept.unsigned()
    await desk.undo_mark("case-1", confirmed.mark_id, "ann")
    assert await kept.add(confirmed, made()) == 0
    assert await kept.listed() == []


async def test_one_is_withdrawn_with_a_reason_counts_its_hits_and_expires(
    record: SqlRecord, desk: Desk, kept: Signatures, clock: Clock
) -> None:
    await record.hold(entry(1), detail(1))
    await desk.mark("case-1", Mark.CONFIRMED, "ann", "it drains the pool")
    await kept.add((await kept.unsigned())[0], made())
    first, second, third = await kept.listed(case_id="case-1")
    await kept.add_hits({second.signature.id: 2, third.signature.id: 1})
    assert await kept.withdraw(first.signature.id, "lead", "it stops a keeper")
    assert not await kept.withdraw(first.signature.id, "lead", "again")
    with pytest.raises(ValueError, match="reason"):
        await kept.withdraw(second.signature.id, "lead", " ")
    ended = await kept.one(first.signature.id)
    assert ended is not None
    assert (ended.signature.state, ended.end_reason) == (SignatureState.WITHDRAWN, "it stops a keeper")
    counted = await kept.one(second.signature.id)
    assert counted is not None
    assert (counted.hits, counted.last_hit_at) == (2, NOON)
    assert len(await kept.speaking()) == 2
    clock.forward(days=91)
    assert await kept.speaking() == []
    assert await kept.one(99) is None

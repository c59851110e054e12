from __future__ import annotations

import pytest

from gateway.model.account import Mark, Role
from gateway.model.quarantine import CaseState
from gateway.store.cases.record import SqlRecord
from gateway.store.casework.desk import Desk
from gateway.store.database import Database
from gateway.store.people.account import People
from tests.cases import Clock, detail, entry


@pytest.fixture
async def desk(database: Database, clock: Clock, record: SqlRecord) -> Desk:
    for number in (1, 2):
        await record.hold(entry(number), detail(number))
    return Desk(database, now=clock)


async def test_notes_and_marks_stay_in_order_and_are_undone(desk: Desk) -> None:
    for text in ("first", "second"):
        await desk.add_note("case-1", "anna", text)
    assert [remark.text for remark in await desk.notes("case-1")] == ["first", "second"]
    await desk.mark("case-1", Mark.FALSE_ALARM, "anna", "x")
    await desk.mark("case-1", Mark.ESCALATED, "anna", "x")
    await desk.mark("case-1", Mark.CONFIRMED, "bela", "y")
    standing = (await desk.marks(["case-1", "case-2"]))["case-1"]
    assert [mark.mark for mark in standing] == [Mark.ESCALATED, Mark.CONFIRMED]
    assert await desk.undo_mark("case-1", standing[0].id, "bela")
    assert not await desk.undo_mark("case-1", standing[0].id, "bela")
    assert not await desk.undo_mark("case-2", standing[1].id, "bela")


async def test_a_first_voice_waits_is_replaced_and_closed(desk: Desk) -> None:
    await desk.ask("case-1", CaseState.RELEASED, "anna", "x")
    await desk.ask("case-1", CaseState.REJECTED, "bela", "y")
    asked = await desk.asked("case-1")
    assert asked is not None
    assert (asked.actor, asked.target) == ("bela", "REJECTED")
    assert await desk.asked_cases() == ["case-1"]
    assert await desk.close_asked("case-1", "bela", "withdrawn")
    assert not await desk.close_asked("case-1", "bela", "withdrawn")


async def test_views_are_their_owners_alone(desk: Desk, database: Database, clock: Clock) -> None:
    people = People(database, now=clock)
    anna, bela = [await people.add(name, Role.ANALYST, actor="otto") for name in ("anna", "bela")]
    await desk.save_view(anna, "grave", "severity=critical")
    await desk.save_view(anna, "grave", "severity=high")
    (view,) = await desk.views(anna)
    assert view.query == "severity=high"
    await desk.drop_view(bela, view.id)
    assert await desk.views(anna) == [view]
    await desk.drop_view(anna, view.id)
    assert await desk.views(anna) == []

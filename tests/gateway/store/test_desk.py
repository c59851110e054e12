from __future__ import annotations

from datetime import timedelta

import pytest

from gateway.model.account import Mark, Role
from gateway.model.case import Decision
from gateway.model.quarantine import CaseState
from gateway.store.database import Database
from gateway.store.desk import Desk
from gateway.store.people import People
from gateway.store.published import count_days
from gateway.store.record import SqlRecord
from tests.cases import Clock, detail, entry, note


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


async def test_figures_count_what_happened(desk: Desk, record: SqlRecord, database: Database, clock: Clock) -> None:
    await record.note([note(7)])
    clock.forward(minutes=20)
    await record.decide("case-1", Decision(CaseState.REJECTED, "anna", "x"))
    figures = await desk.figures()
    assert (figures.held, figures.rejected, figures.submissions) == (2, 1, 1)
    assert figures.median_decision == timedelta(minutes=20)
    assert sum(figures.held_by_hour) == 2
    (talker,) = await desk.detectors()
    assert (talker.cases, talker.rejected) == (2, 1)
    assert (await count_days(database, clock())).held == 0  # today is not counted
    counted = await count_days(database, clock() + timedelta(days=1))
    assert (counted.held, counted.rejected, counted.decisions, counted.appeals) == (2, 1, 1, 0)

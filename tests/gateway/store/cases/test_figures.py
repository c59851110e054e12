from __future__ import annotations

from datetime import timedelta

from gateway.model.case import Decision
from gateway.model.quarantine import CaseState
from gateway.store.cases.figures import CaseFigures
from gateway.store.cases.published import count_days
from gateway.store.cases.record import SqlRecord
from gateway.store.database import Database
from tests.cases import Clock, detail, entry, note


async def test_figures_count_what_happened(record: SqlRecord, database: Database, clock: Clock) -> None:
    for number in (1, 2):
        await record.hold(entry(number), detail(number))
    await record.note([note(7)])
    clock.forward(minutes=20)
    await record.decide("case-1", Decision(CaseState.REJECTED, "anna", "x"))
    figures = await CaseFigures(database, now=clock).day()
    assert (figures.held, figures.rejected, figures.submissions) == (2, 1, 1)
    assert figures.median_decision == timedelta(minutes=20)
    assert sum(figures.held_by_hour) == 2
    (talker,) = await CaseFigures(database, now=clock).detectors()
    assert (talker.cases, talker.rejected) == (2, 1)
    assert (await count_days(database, clock())).held == 0  # today is not counted
    counted = await count_days(database, clock() + timedelta(days=1))
    assert (counted.held, counted.rejected, counted.decisions, counted.appeals) == (2, 1, 1, 0)

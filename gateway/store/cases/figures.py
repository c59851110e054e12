"""Figures over all cases: the last day, and how the detectors fare."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway.model.account import Mark
from gateway.model.quarantine import CaseState
from gateway.store.database import Database
from gateway.store.tables.case import CaseRow, DecisionRow, SubmissionRow
from gateway.store.tables.people import CaseMarkRow

_SAMPLE = 5_000
"""Cases that figures by detector are counted over: the latest ones, so that the page stays fast."""


@dataclass(frozen=True, slots=True)
class DetectorFigures:
    """How often a detector spoke in the latest cases, and what became of them."""

    detector_id: str
    cases: int
    released: int
    """released or forwarded: overruled"""
    rejected: int
    false_alarms: int
    confirmed: int

    @property
    def overruled(self) -> float | None:
        """Share of decided cases that were released; None before the first decision."""
        decided = self.released + self.rejected
        return self.released / decided if decided else None


@dataclass(frozen=True, slots=True)
class Figures:
    """The numbers of the overview."""

    since: datetime
    submissions: int
    """that were not held"""
    refused: int
    """of them, answered with an error at once"""
    held: int
    released: int
    rejected: int
    expired: int
    median_decision: timedelta | None
    """from the hold to the decision of a person"""
    hours: tuple[datetime, ...]
    """start of each hour of the charts"""
    arrived_by_hour: tuple[int, ...]
    """submissions that were not held"""
    held_by_hour: tuple[int, ...]


class CaseFigures:
    """Every method raises RecordUnavailable if SQL is away."""

    def __init__(self, database: Database, *, now: Callable[[], datetime]) -> None:
        self._database, self._now = database, now

    async def day(self, window: timedelta = timedelta(hours=24)) -> Figures:
        """Counts over the last `window`, and by the hour."""
        now = self._now()
        start = (now - window).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        hours = tuple(start + timedelta(hours=number) for number in range(int(window / timedelta(hours=1))))
        async with self._database.read() as session:
            refused = (
                await session.execute(
                    select(func.count())
                    .select_from(SubmissionRow)
                    .where(col(SubmissionRow.received_at) >= start, col(SubmissionRow.action) == "reject")
                )
            ).scalar_one()
            arrived = await _by_hour(session, col(SubmissionRow.received_at), hours)
            held = await _by_hour(session, col(CaseRow.held_at), hours)
            steps = await session.execute(
                select(col(DecisionRow.to_state), func.count())
                .where(col(DecisionRow.at) >= start, col(DecisionRow.from_state).is_not(None))
                .group_by(col(DecisionRow.to_state))
            )
            moved = {row[0]: row[1] for row in steps}
            waits = await session.execute(
                select(col(CaseRow.held_at), col(CaseRow.decided_at)).where(
                    col(CaseRow.decided_at) >= start, col(CaseRow.decided_by) != "gateway"
                )
            )
            times = sorted(decided - at for at, decided in waits.all() if decided is not None)
        return Figures(
            since=start,
            submissions=sum(arrived),
            refused=refused,
            held=sum(held),
            released=moved.get(CaseState.RELEASED.value, 0),
            rejected=moved.get(CaseState.REJECTED.value, 0),
            expired=moved.get(CaseState.EXPIRED.value, 0),
            median_decision=times[len(times) // 2] if times else None,
            hours=hours,
            arrived_by_hour=arrived,
            held_by_hour=held,
        )

    async def detectors(self) -> Sequence[DetectorFigures]:
        """Every detector that spoke in the latest cases, the most talkative first."""
        latest = (
            select(col(CaseRow.case_id), col(CaseRow.state), col(CaseRow.verdict))
            .order_by(col(CaseRow.held_at).desc())
            .limit(_SAMPLE)
        )
        counts: dict[str, Counter[str]] = {}
        async with self._database.read() as session:
            standing = await session.execute(
                select(col(CaseMarkRow.case_id), col(CaseMarkRow.mark)).where(
                    col(CaseMarkRow.undone_at).is_(None), col(CaseMarkRow.mark) != Mark.ESCALATED.value
                )
            )
            marks: dict[str, str] = {row.case_id: row.mark for row in standing}
            for case_id, state, verdict in await session.execute(latest):
                for detector_id in {finding["detector_id"] for finding in json.loads(verdict)["report"]["findings"]}:
                    counted = counts.setdefault(detector_id, Counter())
                    counted["cases"] += 1
                    counted[state] += 1
                    counted[marks.get(case_id, "")] += 1
        return sorted(
            (
                DetectorFigures(
                    detector_id=detector_id,
                    cases=counted["cases"],
                    released=counted[CaseState.RELEASED] + counted[CaseState.FORWARDED],
                    rejected=counted[CaseState.REJECTED],
                    false_alarms=counted[Mark.FALSE_ALARM],
                    confirmed=counted[Mark.CONFIRMED],
                )
                for detector_id, counted in counts.items()
            ),
            key=lambda figures: (-figures.cases, figures.detector_id),
        )


async def _by_hour(session: AsyncSession, moment: Any, hours: Sequence[datetime]) -> tuple[int, ...]:
    """One statement of counts over an index, one for each hour."""
    counts = [
        select(func.count()).where(moment >= hour, moment < hour + timedelta(hours=1)).scalar_subquery()
        for hour in hours
    ]
    return tuple((await session.execute(select(*counts))).one())

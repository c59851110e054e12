"""What people add to cases, and figures over them: notes, marks, first voices, saved views."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway.model.account import Account, Approval, CaseMark, CaseNote, Mark, SavedView
from gateway.model.audit import AuditKind
from gateway.model.quarantine import WAITING, CaseState
from gateway.store.audit import append
from gateway.store.database import Database
from gateway.store.signatures import withdraw_undone
from gateway.store.tables import CaseRow, DecisionRow, SubmissionRow
from gateway.store.tables_people import ApprovalRow, CaseMarkRow, CaseNoteRow, SavedViewRow

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


class Desk:
    """Every method raises RecordUnavailable if SQL is away. Each change is one audited transaction."""

    def __init__(self, database: Database, *, now: Callable[[], datetime]) -> None:
        self._database, self._now = database, now

    async def add_note(self, case_id: str, author: str, text: str) -> None:
        """Add a remark to a case."""
        async with self._database.write() as session:
            row = {"case_id": case_id, "author": author, "at": self._now(), "text": text}
            await session.execute(insert(CaseNoteRow).values(row))
            detail = {"step": "note", "text": text}
            await append(session, AuditKind.DECISION, self._now(), author, case_id, detail)

    async def notes(self, case_id: str) -> Sequence[CaseNote]:
        """Remarks on a case, the oldest first."""
        query = select(CaseNoteRow).where(col(CaseNoteRow.case_id) == case_id).order_by(col(CaseNoteRow.id))
        async with self._database.read() as session:
            rows = (await session.execute(query)).scalars()
            return [CaseNote(row.id or 0, row.author, row.at, row.text) for row in rows]

    async def mark(self, case_id: str, mark: Mark, actor: str, reason: str) -> None:
        """Say what a case is. The same mark twice is one; false alarm and confirmed attack replace each other."""
        now = self._now()
        replaced = {Mark.FALSE_ALARM, Mark.CONFIRMED} if mark is not Mark.ESCALATED else {mark}
        async with self._database.write() as session:
            await session.execute(
                update(CaseMarkRow)
                .where(
                    col(CaseMarkRow.case_id) == case_id,
                    col(CaseMarkRow.mark).in_(sorted(replaced)),
                    col(CaseMarkRow.undone_at).is_(None),
                )
                .values(undone_by=actor, undone_at=now)
            )
            await withdraw_undone(session, case_id, actor, now)
            row = {"case_id": case_id, "mark": mark.value, "actor": actor, "reason": reason, "at": now}
            await session.execute(insert(CaseMarkRow).values(row))
            detail = {"step": "mark", "mark": mark.value, "reason": reason}
            await append(session, AuditKind.DECISION, now, actor, case_id, detail)

    async def undo_mark(self, case_id: str, mark_id: int, actor: str) -> bool:
        """Take a mark back; False if it was not there or not standing."""
        now = self._now()
        async with self._database.write() as session:
            undone = await session.execute(
                update(CaseMarkRow)
                .where(
                    col(CaseMarkRow.id) == mark_id,
                    col(CaseMarkRow.case_id) == case_id,
                    col(CaseMarkRow.undone_at).is_(None),
                )
                .values(undone_by=actor, undone_at=now)
                .returning(col(CaseMarkRow.mark))
            )
            mark = undone.scalar()
            if mark is None:
                return False
            await withdraw_undone(session, case_id, actor, now)
            detail = {"step": "mark undone", "mark": mark}
            await append(session, AuditKind.DECISION, now, actor, case_id, detail)
            return True

    async def marks(self, case_ids: Collection[str]) -> Mapping[str, Sequence[CaseMark]]:
        """The standing marks of each case."""
        query = (
            select(CaseMarkRow)
            .where(col(CaseMarkRow.case_id).in_(sorted(case_ids)), col(CaseMarkRow.undone_at).is_(None))
            .order_by(col(CaseMarkRow.id))
        )
        found: dict[str, list[CaseMark]] = {}
        async with self._database.read() as session:
            for row in (await session.execute(query)).scalars():
                mark = CaseMark(
                    row.id or 0,
                    row.case_id,
                    Mark(row.mark),
                    row.actor,
                    row.reason,
                    row.at,
                    row.undone_by,
                    row.undone_at,
                )
                found.setdefault(row.case_id, []).append(mark)
        return found

    async def ask(self, case_id: str, target: CaseState, actor: str, reason: str) -> None:
        """Record the first voice of a decision that needs two; it replaces an earlier one for the same case."""
        now = self._now()
        async with self._database.write() as session:
            await session.execute(
                update(ApprovalRow)
                .where(col(ApprovalRow.case_id) == case_id, col(ApprovalRow.closed_at).is_(None))
                .values(closed_at=now)
            )
            row = {"case_id": case_id, "target": target.value, "actor": actor, "reason": reason, "at": now}
            await session.execute(insert(ApprovalRow).values(row))
            detail = {"step": "first voice", "target": target.value, "reason": reason}
            await append(session, AuditKind.DECISION, now, actor, case_id, detail)

    async def asked(self, case_id: str) -> Approval | None:
        """The first voice that waits for a second one."""
        return (await self.asked_of([case_id])).get(case_id)

    async def asked_of(self, case_ids: Collection[str]) -> Mapping[str, Approval]:
        """The waiting first voice of each case that has one."""
        query = select(ApprovalRow).where(
            col(ApprovalRow.case_id).in_(sorted(case_ids)), col(ApprovalRow.closed_at).is_(None)
        )
        async with self._database.read() as session:
            rows = (await session.execute(query.order_by(col(ApprovalRow.id)))).scalars()
            return {
                row.case_id: Approval(row.id or 0, row.case_id, row.target, row.actor, row.reason, row.at)
                for row in rows
            }

    async def asked_cases(self, limit: int = 50) -> Sequence[str]:
        """Ids of cases that wait for a second voice, the longest waiting first."""
        asked = select(col(ApprovalRow.case_id)).where(col(ApprovalRow.closed_at).is_(None)).order_by(ApprovalRow.id)  # type: ignore[arg-type]
        async with self._database.read() as session:
            ids = list((await session.execute(asked.limit(1_000))).scalars())
            still = select(col(CaseRow.case_id)).where(
                col(CaseRow.case_id).in_(ids), col(CaseRow.state).in_(sorted(WAITING))
            )
            waiting = set((await session.execute(still)).scalars()) if ids else set()
        return [case_id for case_id in ids if case_id in waiting][:limit]

    async def close_asked(self, case_id: str, actor: str, why: str) -> bool:
        """Withdraw or use up a first voice; False if none waited."""
        now = self._now()
        async with self._database.write() as session:
            closed = await session.execute(
                update(ApprovalRow)
                .where(col(ApprovalRow.case_id) == case_id, col(ApprovalRow.closed_at).is_(None))
                .values(closed_at=now)
                .returning(col(ApprovalRow.id))
            )
            if closed.first() is None:
                return False
            detail = {"step": "first voice closed", "why": why}
            await append(session, AuditKind.DECISION, now, actor, case_id, detail)
            return True

    async def save_view(self, account: Account, name: str, query: str) -> None:
        """Keep a filter under a name; the same name again replaces it."""
        mine = (col(SavedViewRow.user_id) == account.id, col(SavedViewRow.name) == name[:64])
        async with self._database.write() as session:
            await session.execute(delete(SavedViewRow).where(*mine))
            await session.execute(insert(SavedViewRow).values(user_id=account.id, name=name[:64], query=query[:1000]))

    async def drop_view(self, account: Account, view_id: int) -> None:
        """Forget a filter of that account."""
        async with self._database.write() as session:
            await session.execute(
                delete(SavedViewRow).where(col(SavedViewRow.id) == view_id, col(SavedViewRow.user_id) == account.id)
            )

    async def views(self, account: Account) -> Sequence[SavedView]:
        """The filters of an account, by name."""
        query = select(SavedViewRow).where(col(SavedViewRow.user_id) == account.id).order_by(col(SavedViewRow.name))
        async with self._database.read() as session:
            return [SavedView(row.id or 0, row.name, row.query) for row in (await session.execute(query)).scalars()]

    async def figures(self, window: timedelta = timedelta(hours=24)) -> Figures:
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


def _mark(row: CaseMarkRow) -> CaseMark:
    return CaseMark(
        id=row.id or 0,
        case_id=row.case_id,
        mark=Mark(row.mark),
        actor=row.actor,
        reason=row.reason,
        at=row.at,
        undone_by=row.undone_by,
        undone_at=row.undone_at,
    )

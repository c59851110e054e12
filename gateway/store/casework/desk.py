"""What people add to cases: notes, marks, first voices, saved views."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import delete, insert, select, update
from sqlmodel import col

from gateway.model.account import Account, Approval, CaseMark, CaseNote, Mark, SavedView
from gateway.model.audit import AuditKind
from gateway.model.quarantine import CaseState
from gateway.store.audit import append
from gateway.store.cases.reader import still_waiting
from gateway.store.database import Database
from gateway.store.knowledge.signatures import withdraw_undone
from gateway.store.tables.people import ApprovalRow, CaseMarkRow, CaseNoteRow, SavedViewRow


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
                found.setdefault(row.case_id, []).append(_mark(row))
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
        asked = select(col(ApprovalRow.case_id)).where(col(ApprovalRow.closed_at).is_(None))
        async with self._database.read() as session:
            return await still_waiting(session, asked.order_by(col(ApprovalRow.id)), limit)

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

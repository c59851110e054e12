"""Appeals of senders. One may be open for a case; an answer closes it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col

from gateway.model.audit import AuditKind
from gateway.model.casework import Appeal
from gateway.model.primitive import Address
from gateway.model.quarantine import QuarantineEntry
from gateway.store.audit import append
from gateway.store.cases.reader import still_waiting
from gateway.store.database import Database
from gateway.store.tables.casework import AppealRow

MOST_FOR_A_CASE = 3
"""answered or not: who repeats himself is not heard more"""


class Appeals:
    """Every method raises RecordUnavailable if SQL is away. Each change is one audited transaction."""

    def __init__(self, database: Database, *, now: Callable[[], datetime]) -> None:
        self._database, self._now = database, now

    async def add(self, entry: QuarantineEntry, text: str, message: str, signature: str) -> bool:
        """Keep an appeal whose signature was checked; False if one is open, or there were enough."""
        now = self._now()
        dialect: Any = sqlite if self._database.is_sqlite else postgresql
        async with self._database.write() as session:
            made = await session.execute(
                select(func.count()).select_from(AppealRow).where(col(AppealRow.case_id) == entry.case_id)
            )
            if made.scalar_one() >= MOST_FOR_A_CASE:
                return False
            row = {
                "case_id": entry.case_id,
                "sender": str(entry.sender),
                "at": now,
                "text": text,
                "message": message,
                "signature": signature,
            }
            added = await session.execute(
                dialect.insert(AppealRow).values(row).on_conflict_do_nothing().returning(col(AppealRow.id))
            )
            if added.first() is None:
                return False
            detail = {"step": "appeal", "text": text, "message": message, "signature": signature}
            await append(session, AuditKind.DECISION, now, str(entry.sender), entry.case_id, detail)
            return True

    async def answer(self, case_id: str, appeal_id: int, actor: str, text: str) -> bool:
        """Answer an open appeal; False if it was not there or not open."""
        now = self._now()
        async with self._database.write() as session:
            answered = await session.execute(
                update(AppealRow)
                .where(
                    col(AppealRow.id) == appeal_id,
                    col(AppealRow.case_id) == case_id,
                    col(AppealRow.answered_at).is_(None),
                )
                .values(answer=text, answered_by=actor, answered_at=now)
                .returning(col(AppealRow.id))
            )
            if answered.first() is None:
                return False
            await append(session, AuditKind.DECISION, now, actor, case_id, {"step": "appeal answered", "text": text})
            return True

    async def of_case(self, case_id: str) -> Sequence[Appeal]:
        """The appeals of a case, the oldest first."""
        query = select(AppealRow).where(col(AppealRow.case_id) == case_id).order_by(col(AppealRow.id))
        async with self._database.read() as session:
            return [
                Appeal(
                    id=row.id or 0,
                    case_id=row.case_id,
                    sender=Address.from_hex(row.sender),
                    at=row.at,
                    text=row.text,
                    message=row.message,
                    signature=row.signature,
                    answer=row.answer,
                    answered_by=row.answered_by,
                    answered_at=row.answered_at,
                )
                for row in (await session.execute(query)).scalars()
            ]

    async def open_of(self, case_ids: Collection[str]) -> frozenset[str]:
        """Which of these cases have an open appeal."""
        query = select(col(AppealRow.case_id)).where(
            col(AppealRow.case_id).in_(sorted(case_ids)), col(AppealRow.answered_at).is_(None)
        )
        async with self._database.read() as session:
            return frozenset((await session.execute(query)).scalars())

    async def open_cases(self, limit: int = 50) -> Sequence[str]:
        """Ids of waiting cases with an open appeal, the longest waiting first."""
        query = select(col(AppealRow.case_id)).where(col(AppealRow.answered_at).is_(None)).order_by(col(AppealRow.id))
        async with self._database.read() as session:
            return await still_waiting(session, query, limit)

"""Held cases whose time is nearly over: told once for each time limit, whichever replica looks first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col

from gateway.model.audit import AuditKind
from gateway.model.quarantine import CaseState
from gateway.store.audit import append
from gateway.store.database import Database
from gateway.store.tables.case import CaseRow
from gateway.store.tables.casework import ExpiryWarningRow

_AT_ONCE = 100


class ExpiryWarnings:
    """Every method raises RecordUnavailable if SQL is away."""

    def __init__(self, database: Database, *, now: Callable[[], datetime]) -> None:
        self._database, self._now = database, now

    async def tell(self, within: timedelta) -> Sequence[str]:
        """Write into the audit chain, from which notices are made, which held cases end within this time.

        A case that was given more time is told again before its new end. Gives the ids of the cases told now.
        """
        now = self._now()
        told_before = exists().where(
            col(ExpiryWarningRow.case_id) == col(CaseRow.case_id),
            col(ExpiryWarningRow.expires_at) == col(CaseRow.expires_at),
        )
        ending = (
            select(col(CaseRow.case_id), col(CaseRow.expires_at))
            .where(
                col(CaseRow.state) == CaseState.HELD.value,
                col(CaseRow.expires_at) > now,
                col(CaseRow.expires_at) <= now + within,
                # where holds are shorter than this, the notice of the hold itself is not repeated in the same breath
                col(CaseRow.held_at) <= now - within / 2,
                ~told_before,
            )
            .order_by(col(CaseRow.expires_at))
            .limit(_AT_ONCE)
        )
        async with self._database.read() as session:
            if (await session.execute(ending.limit(1))).first() is None:
                return ()
        dialect: Any = sqlite if self._database.is_sqlite else postgresql
        told = []
        async with self._database.write() as session:
            for case_id, expires_at in (await session.execute(ending)).all():
                row = {"case_id": case_id, "expires_at": expires_at, "at": now}
                first = await session.execute(
                    dialect.insert(ExpiryWarningRow)
                    .values(row)
                    .on_conflict_do_nothing()
                    .returning(col(ExpiryWarningRow.case_id))
                )
                if first.first() is None:
                    continue  # another replica was faster
                detail = {"step": "expiring", "expires_at": expires_at.isoformat()}
                await append(session, AuditKind.DECISION, now, "gateway", case_id, detail)
                told.append(case_id)
        return told

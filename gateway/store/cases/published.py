"""Counts the last thirty whole days for the public page. Whole days only: asked twice a day, it says the same twice."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway.model.published import DAYS, Counted
from gateway.model.quarantine import CaseState
from gateway.store.database import Database
from gateway.store.tables.case import CaseRow, DecisionRow
from gateway.store.tables.casework import AppealRow


async def count_days(database: Database, now: datetime) -> Counted:
    """Thirty days that end with the last midnight UTC before `now`. Raises RecordUnavailable."""
    until = datetime.combine(now.date(), time(), now.tzinfo)
    since = until - timedelta(days=DAYS)
    async with database.read() as session:
        steps = await session.execute(
            select(col(DecisionRow.to_state), func.count())
            .where(col(DecisionRow.at) >= since, col(DecisionRow.at) < until, col(DecisionRow.from_state).is_not(None))
            .group_by(col(DecisionRow.to_state))
        )
        moved = {row[0]: int(row[1]) for row in steps}
        waits = await session.execute(
            select(col(CaseRow.held_at), col(CaseRow.decided_at)).where(
                col(CaseRow.decided_at) >= since, col(CaseRow.decided_at) < until, col(CaseRow.decided_by) != "gateway"
            )
        )
        times = sorted(decided - at for at, decided in waits.all() if decided is not None)
        return Counted(
            since=since.date(),
            until=until.date(),
            held=await _number(session, col(CaseRow.held_at) >= since, col(CaseRow.held_at) < until),
            released=moved.get(CaseState.RELEASED.value, 0),
            rejected=moved.get(CaseState.REJECTED.value, 0),
            expired=moved.get(CaseState.EXPIRED.value, 0),
            appeals=await _number(session, col(AppealRow.at) >= since, col(AppealRow.at) < until),
            decisions=len(times),
            median=times[len(times) // 2] if times else None,
        )


async def _number(session: AsyncSession, *within: ColumnElement[bool]) -> int:
    return int((await session.execute(select(func.count()).where(*within))).scalar_one())

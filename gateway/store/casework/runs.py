"""Runs that analysts ask for: written by the dashboard, carried out by the gateway."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import defer
from sqlmodel import col

from gateway.model.audit import AuditKind
from gateway.model.case import CaseDetail
from gateway.model.casework import BlockChanges, CaseRun
from gateway.model.primitive import Address, Hash32
from gateway.model.verdict import Verdict
from gateway.store.audit import append
from gateway.store.database import Database
from gateway.store.document.case import decode_detail, encode_detail
from gateway.store.document.report import verdict_from, verdict_to
from gateway.store.tables.casework import RunRow

OPEN_AT_ONCE = 3
"""runs of one account that may wait: each costs the gateway an inspection"""
KEPT = 20
"""latest runs of a case that are listed"""


class Runs:
    """Every method raises RecordUnavailable if SQL is away."""

    def __init__(self, database: Database, *, now: Callable[[], datetime]) -> None:
        self._database, self._now = database, now

    async def ask(self, case_id: str, changes: BlockChanges, actor: str) -> int | None:
        """Ask for a run and give its number; None if this account has too many waiting."""
        now = self._now()
        async with self._database.write() as session:
            waiting = await session.execute(
                select(func.count())
                .select_from(RunRow)
                .where(col(RunRow.asked_by) == actor, col(RunRow.finished_at).is_(None))
            )
            if waiting.scalar_one() >= OPEN_AT_ONCE:
                return None
            told = _told(changes)
            row = {
                "case_id": case_id,
                "asked_by": actor,
                "asked_at": now,
                "changes": json.dumps(told),
                "not_before": now,
            }
            added = await session.execute(insert(RunRow).values(row).returning(col(RunRow.id)))
            await append(session, AuditKind.DECISION, now, actor, case_id, {"step": "run asked", "changes": told})
            return int(added.scalar_one() or 0)

    async def take(self, limit: int = 4, *, lease: timedelta = timedelta(seconds=30)) -> Sequence[CaseRun]:
        """Runs that wait, the oldest first; no other gateway gets them during the lease."""
        now = self._now()
        due = (col(RunRow.finished_at).is_(None), col(RunRow.not_before) <= now)
        async with self._database.read() as session:
            if (await session.execute(select(col(RunRow.id)).where(*due).limit(1))).first() is None:
                return ()
        async with self._database.write() as session:
            first = select(col(RunRow.id)).where(*due).order_by(col(RunRow.id)).limit(limit)
            if not self._database.is_sqlite:
                first = first.with_for_update(skip_locked=True)
            ids = list((await session.execute(first)).scalars())
            taken = await session.execute(
                update(RunRow).where(col(RunRow.id).in_(ids)).values(not_before=now + lease).returning(RunRow)
            )
            return [_run(row, None) for row in taken.scalars()]

    async def finish(self, run: CaseRun, verdict: Verdict, detail: CaseDetail) -> None:
        """Write the result of a run."""
        data = await asyncio.to_thread(encode_detail, detail)
        await self._close(run, verdict=json.dumps(verdict_to(verdict), separators=(",", ":")), detail=data)

    async def fail(self, run: CaseRun, problem: str) -> None:
        """Write why there is none."""
        await self._close(run, problem=problem[:2000])

    async def run(self, case_id: str, run_id: int) -> CaseRun | None:
        """One run of a case with its result."""
        query = select(RunRow).where(col(RunRow.id) == run_id, col(RunRow.case_id) == case_id)
        async with self._database.read() as session:
            row = (await session.execute(query)).scalar_one_or_none()
        if row is None:
            return None
        return _run(row, None if row.detail is None else await asyncio.to_thread(decode_detail, row.detail))

    async def of_case(self, case_id: str) -> Sequence[CaseRun]:
        """The latest runs of a case, the latest first, without their details."""
        query = (
            select(RunRow)
            .options(defer(RunRow.detail, raiseload=True))  # type: ignore[arg-type]  # a column here, bytes to mypy
            .where(col(RunRow.case_id) == case_id)
            .order_by(col(RunRow.id).desc())
            .limit(KEPT)
        )
        async with self._database.read() as session:
            return [_run(row, None) for row in (await session.execute(query)).scalars()]

    async def _close(self, run: CaseRun, **values: object) -> None:
        async with self._database.write() as session:
            await session.execute(
                update(RunRow)
                .where(col(RunRow.id) == run.id, col(RunRow.finished_at).is_(None))
                .values(finished_at=self._now(), **values)
            )


def _told(changes: BlockChanges) -> dict[str, object]:
    """Plain JSON; what is not changed is left out."""
    given: dict[str, object] = {
        "timestamp": changes.timestamp,
        "number": changes.number,
        "coinbase": None if changes.coinbase is None else str(changes.coinbase),
        "base_fee": None if changes.base_fee is None else str(changes.base_fee),
        "prev_randao": None if changes.prev_randao is None else str(changes.prev_randao),
    }
    return {key: value for key, value in given.items() if value is not None}


def _changes(told: Mapping[str, Any]) -> BlockChanges:
    return BlockChanges(
        timestamp=told.get("timestamp"),
        number=told.get("number"),
        coinbase=Address.from_hex(told["coinbase"]) if "coinbase" in told else None,
        base_fee=int(told["base_fee"]) if "base_fee" in told else None,
        prev_randao=Hash32.from_hex(told["prev_randao"]) if "prev_randao" in told else None,
    )


def _run(row: RunRow, detail: CaseDetail | None) -> CaseRun:
    return CaseRun(
        id=row.id or 0,
        case_id=row.case_id,
        asked_by=row.asked_by,
        asked_at=row.asked_at,
        changes=_changes(json.loads(row.changes)),
        finished_at=row.finished_at,
        problem=row.problem,
        verdict=verdict_from(json.loads(row.verdict)) if row.verdict else None,
        detail=detail,
    )

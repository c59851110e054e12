"""One step of a case: the UPDATE that names the winner, with history, intent and audit in the same transaction."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway.model.audit import AuditKind
from gateway.model.case import Conflict
from gateway.model.finding import finding_key
from gateway.model.quarantine import WAITING, CaseState, QuarantineEntry
from gateway.model.verdict import Verdict
from gateway.store.audit import append
from gateway.store.cases import outbox
from gateway.store.cases.row import entry_of, verdict_columns
from gateway.store.document.report import verdict_from
from gateway.store.tables.case import CaseRow, DecisionRow, DetailRow


@dataclass(frozen=True, slots=True)
class Step:
    """What is to happen to a case, from which states, and what comes with it."""

    from_: frozenset[CaseState]
    to: CaseState
    actor: str
    reason: str
    at: datetime
    second_actor: str | None = None
    seen_findings: frozenset[str] | None = None
    verdict: Verdict | None = None
    detail: bytes | None = None
    """encoded"""
    estimated_loss: float | None = None
    """of `detail`"""
    expires_at: datetime | None = None


async def transition(session: AsyncSession, case_id: str, step: Step) -> QuarantineEntry | Conflict:
    """Take the step if the case is in one of its states, else tell where the case is."""
    row = await locked_case(session, case_id)
    if row is None or CaseState(row.state) not in step.from_:
        return conflict(case_id, row, step.to)
    before = CaseState(row.state)
    link: dict[str, object] = {
        "step": "move",
        "from": before.value,
        "to": step.to.value,
        "reason": step.reason,
        "second_actor": step.second_actor,
    }
    if step.to is CaseState.RELEASED:
        seen = step.seen_findings
        if seen is None:
            verdict = step.verdict or verdict_from(json.loads(row.verdict))
            seen = frozenset(map(finding_key, verdict.report.findings))
        link["seen_findings"] = sorted(seen)
        await outbox.intend(session, case_id, seen, step.at)
    elif before is CaseState.RELEASED and not await outbox.withdraw(
        session, case_id, step.to.value.lower(), step.reason, step.at, sent=step.to is CaseState.FORWARDED
    ):
        return conflict(case_id, row, step.to)
    if step.verdict is not None:
        link |= {"clause": step.verdict.clause, "ruleset_hash": step.verdict.report.ruleset_hash}
    if step.detail is not None:
        revision = await _next_revision(session, case_id)
        link |= {"revision": revision, "detail_digest": await add_detail(session, case_id, revision, step.detail)}
    changed = await session.execute(
        update(CaseRow)
        .where(col(CaseRow.case_id) == case_id, col(CaseRow.state) == before.value)
        .values(**_columns(row, step))
        .returning(CaseRow)
        .execution_options(populate_existing=True)
    )
    after = entry_of(changed.scalar_one())
    await add_step(session, case_id, before, step.to, step.actor, step.reason, step.at, step.second_actor)
    await append(session, AuditKind.DECISION, step.at, step.actor, case_id, link)
    return after


def _columns(row: CaseRow, step: Step) -> dict[str, Any]:
    values: dict[str, Any] = {"state": step.to.value, "version": row.version + 1}
    if step.to in WAITING:
        values |= {"decided_by": None, "decision_reason": None, "decided_at": None}
    elif step.to is not CaseState.FORWARDED:  # forwarding carries out a decision and keeps its name
        values |= {"decided_by": step.actor, "decision_reason": step.reason, "decided_at": step.at}
    if step.verdict is not None:
        loss = row.estimated_loss if step.detail is None else step.estimated_loss
        values |= {"estimated_loss": loss, **verdict_columns(step.verdict, loss)}
    if step.expires_at is not None:
        values["expires_at"] = step.expires_at
    return values


async def locked_case(session: AsyncSession, case_id: str) -> CaseRow | None:
    """The row, locked until the transaction ends (SQLite: the whole database is)."""
    found = await session.execute(select(CaseRow).where(col(CaseRow.case_id) == case_id).with_for_update())
    return found.scalar_one_or_none()


def conflict(case_id: str, row: CaseRow | None, wanted: CaseState) -> Conflict:
    """Why a step was not possible."""
    if row is None:
        return Conflict(case_id, None, None, wanted)
    return Conflict(case_id, CaseState(row.state), row.decided_by or row.assigned_to, wanted)


async def add_detail(session: AsyncSession, case_id: str, revision: int, data: bytes) -> str:
    """Store one revision of a detail and give its digest."""
    digest = hashlib.sha256(data).hexdigest()
    await session.execute(insert(DetailRow).values(case_id=case_id, revision=revision, data=data, digest=digest))
    return digest


async def _next_revision(session: AsyncSession, case_id: str) -> int:
    last = select(func.max(col(DetailRow.revision))).where(col(DetailRow.case_id) == case_id)
    return ((await session.execute(last)).scalar() or 0) + 1


async def add_step(
    session: AsyncSession,
    case_id: str,
    before: CaseState | None,
    after: CaseState,
    actor: str,
    reason: str,
    at: datetime,
    second_actor: str | None = None,
) -> None:
    """Remember one step for the history of the case."""
    await session.execute(
        insert(DecisionRow).values(
            case_id=case_id,
            from_state=None if before is None else before.value,
            to_state=after.value,
            actor=actor,
            second_actor=second_actor,
            reason=reason,
            at=at,
        )
    )

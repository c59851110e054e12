"""The durable record in SQL: the arbiter of every transition."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway.model.audit import AuditKind
from gateway.model.case import CaseDetail, Conflict, Decision, OutboxItem, OutboxOutcome, SubmissionNote
from gateway.model.finding import OutcomeStatus, finding_key
from gateway.model.quarantine import WAITING, CaseState, QuarantineEntry, may_become
from gateway.model.verdict import Verdict
from gateway.store.audit import append, append_notes, note_document
from gateway.store.cases import outbox
from gateway.store.cases.reader import CaseReader
from gateway.store.cases.row import case_columns, entry_of, terms_of
from gateway.store.cases.transition import Step, add_detail, add_step, conflict, locked_case, transition
from gateway.store.database import Database
from gateway.store.document.case import encode_detail
from gateway.store.tables.case import CaseRow, SubmissionRow, TermRow

_OUTCOME_STATES = {
    OutboxOutcome.SENT: CaseState.FORWARDED,
    OutboxOutcome.REOPENED: CaseState.HELD,
    OutboxOutcome.SUPERSEDED: CaseState.SUPERSEDED,
    OutboxOutcome.REFUSED: CaseState.REJECTED,
}


def _utc_now() -> datetime:
    return datetime.now(UTC)


class SqlRecord(CaseReader):
    """`Record` over SQLite or Postgres. Run `store.migrate` before the first use."""

    def __init__(self, database: Database, *, now: Callable[[], datetime] = _utc_now) -> None:
        super().__init__(database)
        self._now = now

    async def hold(self, entry: QuarantineEntry, detail: CaseDetail) -> QuarantineEntry:
        """See Record.hold."""
        data = await asyncio.to_thread(encode_detail, detail)  # a large trace takes tens of milliseconds
        terms = terms_of(entry, detail)
        dialect = sqlite if self._database.is_sqlite else postgresql
        async with self._database.write() as session:
            if not await _add_case(session, dialect, case_columns(entry, detail)):
                return entry_of(await _case(session, col(CaseRow.hash) == str(entry.hash)))
            await session.execute(insert(TermRow), [{"term": term, "case_id": entry.case_id} for term in terms])
            digest = await add_detail(session, entry.case_id, 1, data)
            await add_step(session, entry.case_id, None, entry.state, "gateway", entry.verdict.reason, self._now())
            link = {**_hold_link(entry), "revision": 1, "detail_digest": digest}
            await append(session, AuditKind.SUBMISSION, self._now(), "gateway", entry.case_id, link)
            return entry_of(await _case(session, col(CaseRow.case_id) == entry.case_id))

    async def note(self, notes: Sequence[SubmissionNote]) -> None:
        """See Record.note."""
        if not notes:
            return
        async with self._database.write() as session:
            known = await session.execute(
                select(col(SubmissionRow.id)).where(
                    col(SubmissionRow.hash) == str(notes[0].hash),
                    col(SubmissionRow.document) == note_document(notes[0]),
                )
            )
            if known.first() is None:
                await append_notes(session, notes, self._now())

    async def decide(self, case_id: str, decision: Decision) -> QuarantineEntry | Conflict:
        """See Record.decide."""
        if decision.target not in (CaseState.RELEASED, CaseState.REJECTED):
            raise ValueError(f"a decision releases or rejects; it cannot make a case {decision.target}")
        if not decision.reason.strip():
            raise ValueError("a decision needs a reason")
        if decision.second_actor is not None and decision.second_actor == decision.actor:
            raise ValueError(f"{decision.actor} cannot be the second person of a decision of their own")
        step = Step(
            from_=frozenset(state for state in WAITING if may_become(state, decision.target)),
            to=decision.target,
            actor=decision.actor,
            reason=decision.reason,
            at=self._now(),
            second_actor=decision.second_actor,
            seen_findings=decision.seen_findings,
        )
        async with self._database.write() as session:
            return await transition(session, case_id, step)

    async def move(
        self,
        case_id: str,
        from_: Collection[CaseState],
        to: CaseState,
        actor: str,
        reason: str,
        *,
        verdict: Verdict | None = None,
        detail: CaseDetail | None = None,
        expires_at: datetime | None = None,
    ) -> QuarantineEntry | Conflict:
        """See Record.move."""
        for state in from_:
            if not may_become(state, to):
                raise ValueError(f"no case may go from {state} to {to}")
        step = Step(
            from_=frozenset(from_),
            to=to,
            actor=actor,
            reason=reason,
            at=self._now(),
            verdict=verdict,
            detail=None if detail is None else await asyncio.to_thread(encode_detail, detail),
            estimated_loss=detail.loss.amount if detail is not None and detail.loss is not None else None,
            expires_at=expires_at,
        )
        async with self._database.write() as session:
            return await transition(session, case_id, step)

    async def extend(self, case_id: str, expires_at: datetime, actor: str, reason: str) -> QuarantineEntry | Conflict:
        """See Record.extend."""
        async with self._database.write() as session:
            row = await locked_case(session, case_id)
            if row is None or CaseState(row.state) not in WAITING:
                return conflict(case_id, row, CaseState.HELD)
            link = {"step": "extend", "from": row.expires_at.isoformat(), "to": expires_at.isoformat()}
            return await self._amend(session, row, actor, {**link, "reason": reason}, expires_at=expires_at)

    async def assign(
        self, case_id: str, to: str | None, actor: str, *, expected: str | None
    ) -> QuarantineEntry | Conflict:
        """See Record.assign."""
        async with self._database.write() as session:
            row = await locked_case(session, case_id)
            if row is None or CaseState(row.state) not in WAITING or row.assigned_to != expected:
                return conflict(case_id, row, CaseState.HELD)
            link = {"step": "assign", "from": row.assigned_to, "to": to}
            return await self._amend(session, row, actor, link, assigned_to=to)

    async def outbox_take(self, limit: int = 10, *, lease: timedelta = timedelta(seconds=30)) -> Sequence[OutboxItem]:
        """See Record.outbox_take."""
        async with self._database.read() as session:
            if not await outbox.any_due(session, self._now()):
                return ()
        async with self._database.write() as session:
            return await outbox.take(session, limit, lease, self._now())

    async def outbox_sending(self, item: OutboxItem) -> bool:
        """See Record.outbox_sending."""
        async with self._database.write() as session:
            return await outbox.sending(session, item, self._now())

    async def outbox_defer(
        self, item: OutboxItem, until: datetime, problem: str, *, nothing_sent: bool = False
    ) -> None:
        """See Record.outbox_defer."""
        async with self._database.write() as session:
            await outbox.defer(session, item, until, problem, nothing_sent=nothing_sent)

    async def outbox_settle(
        self,
        item: OutboxItem,
        outcome: OutboxOutcome,
        reason: str,
        *,
        verdict: Verdict | None = None,
        detail: CaseDetail | None = None,
        expires_at: datetime | None = None,
    ) -> QuarantineEntry | Conflict:
        """See Record.outbox_settle."""
        step = Step(
            from_=frozenset({CaseState.RELEASED}),
            to=_OUTCOME_STATES[outcome],
            actor="gateway",
            reason=reason,
            at=self._now(),
            verdict=verdict,
            detail=None if detail is None else await asyncio.to_thread(encode_detail, detail),
            estimated_loss=detail.loss.amount if detail is not None and detail.loss is not None else None,
            expires_at=expires_at,
        )
        async with self._database.write() as session:
            row = await locked_case(session, item.entry.case_id)
            if not await outbox.settle(session, item, outcome, reason, self._now()):
                return conflict(item.entry.case_id, row, step.to)
            return await transition(session, item.entry.case_id, step)

    async def mark_forwarded(self, case_id: str, actor: str, reason: str) -> QuarantineEntry | Conflict:
        """See Record.mark_forwarded."""
        step = Step(frozenset({CaseState.RELEASED}), CaseState.FORWARDED, actor, reason, self._now())
        async with self._database.write() as session:
            row = await locked_case(session, case_id)
            if row is not None and row.state == CaseState.FORWARDED:
                return entry_of(row)
            return await transition(session, case_id, step)

    async def close(self) -> None:
        """See Record.close."""
        await self._database.close()

    async def _amend(
        self, session: AsyncSession, row: CaseRow, actor: str, link: Mapping[str, object], **values: object
    ) -> QuarantineEntry:
        """Change a case that stays in its state, and tell the audit."""
        await append(session, AuditKind.DECISION, self._now(), actor, row.case_id, link)
        changed = await session.execute(
            update(CaseRow)
            .where(col(CaseRow.case_id) == row.case_id)
            .values(version=col(CaseRow.version) + 1, **values)
            .returning(CaseRow)
            .execution_options(populate_existing=True)
        )
        return entry_of(changed.scalar_one())


async def _case(session: AsyncSession, condition: ColumnElement[bool]) -> CaseRow:
    return (await session.execute(select(CaseRow).where(condition))).scalar_one()


async def _add_case(session: AsyncSession, dialect: Any, columns: Mapping[str, Any]) -> bool:
    """False if the hash has a case already; a racing insert of the same hash waits for the other to commit."""
    added = await session.execute(
        dialect.insert(CaseRow)
        .values(columns)
        .on_conflict_do_nothing(index_elements=["hash"])
        .returning(col(CaseRow.case_id))
    )
    return added.first() is not None


def _hold_link(entry: QuarantineEntry) -> dict[str, object]:
    report = entry.verdict.report
    return {
        "step": "hold",
        "hash": str(entry.hash),
        "raw_digest": hashlib.sha256(entry.raw.data).hexdigest(),
        "sender": str(entry.sender),
        "nonce": entry.nonce,
        "client": [entry.client.address, entry.client.key],
        "state": entry.state.value,
        "clause": entry.verdict.clause,
        "score": entry.verdict.score,
        "findings": sorted(map(finding_key, report.findings)),
        "incomplete": [
            f"{outcome.detector_id} {outcome.status}"
            for outcome in report.outcomes
            if outcome.status is not OutcomeStatus.COMPLETED
        ],
        "ruleset_hash": report.ruleset_hash,
        "expires_at": entry.expires_at.isoformat(),
    }

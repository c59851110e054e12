"""The append-only hash chain: append under a row lock, verify, export.

Holds and decisions are links of their own. A group of submissions is one link whose detail carries the digest of all
its documents. Whoever edits a row breaks the chain from there on; a head kept elsewhere shows that its end was cut.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway.model.audit import AuditKind, AuditRecord
from gateway.model.case import ChainBreak, ChainHead, SubmissionNote
from gateway.store.database import Database
from gateway.store.tables.case import AuditHeadRow, AuditRow, DetailRow, SubmissionRow

GENESIS = bytes(32)
"""What the first record names as its previous hash."""
_BATCH = 500


def canonical_json(value: object) -> str:
    """The one spelling that is hashed: sorted members, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def record_hash(
    sequence: int, kind: str, at: datetime, actor: str, subject: str, detail: str, previous_hash: bytes
) -> bytes:
    """sha256 over the previous hash and the canonical JSON of the rest; `detail` is canonical JSON itself."""
    rest = canonical_json([sequence, kind, at.astimezone(UTC).isoformat(), actor, subject, detail])
    return hashlib.sha256(previous_hash + rest.encode()).digest()


async def append(
    session: AsyncSession, kind: AuditKind, at: datetime, actor: str, subject: str, detail: Mapping[str, object]
) -> int:
    """Add one link inside the caller's transaction and give its sequence number.

    The lock on the head row is held until that transaction ends, so links are numbered in the order of commits.
    """
    head = (
        await session.execute(
            update(AuditHeadRow)
            .where(col(AuditHeadRow.id) == AuditHeadRow.ONLY)
            .values(sequence=col(AuditHeadRow.sequence) + 1)
            .returning(col(AuditHeadRow.sequence), col(AuditHeadRow.hash))
        )
    ).one()
    sequence, previous = int(head[0]), bytes.fromhex(head[1])
    text = canonical_json(detail)
    digest = record_hash(sequence, kind.value, at, actor, subject, text, previous)
    await session.execute(
        insert(AuditRow).values(
            sequence=sequence,
            kind=kind.value,
            at=at,
            actor=actor,
            subject=subject,
            detail=text,
            previous_hash=previous.hex(),
            hash=digest.hex(),
        )
    )
    await session.execute(
        update(AuditHeadRow).where(col(AuditHeadRow.id) == AuditHeadRow.ONLY).values(hash=digest.hex())
    )
    return sequence


def note_document(note: SubmissionNote) -> str:
    """A submission note as canonical JSON."""
    return canonical_json(
        {
            "hash": str(note.hash),
            "sender": None if note.sender is None else str(note.sender),
            "nonce": note.nonce,
            "to": None if note.to is None else str(note.to),
            "value": None if note.value is None else hex(note.value),
            "method": note.method,
            "client": [note.client.address, note.client.key],
            "received_at": note.received_at.astimezone(UTC).isoformat(),
            "action": note.action.value,
            "clause": note.clause,
            "reason_class": note.reason_class.value,
            "score": note.score,
            "findings": list(note.findings),
            "incomplete": list(note.incomplete),
            "ruleset_hash": note.ruleset_hash,
            "duration": note.duration,
            "answer": note.answer[:200],
            "observed": note.observed,
        }
    )


async def append_notes(session: AsyncSession, notes: Sequence[SubmissionNote], at: datetime) -> None:
    """Add submissions as one link and one row each, inside the caller's transaction."""
    documents = [note_document(note) for note in notes]
    detail = {"count": len(notes), "digest": _group_digest(documents)}
    sequence = await append(session, AuditKind.SUBMISSION, at, "gateway", str(notes[0].hash), detail)
    await session.execute(
        insert(SubmissionRow),
        [
            {
                "audit_sequence": sequence,
                "hash": str(note.hash),
                "sender": None if note.sender is None else str(note.sender),
                "action": note.action.value,
                "reason_class": note.reason_class.value,
                "received_at": note.received_at,
                "document": document,
            }
            for note, document in zip(notes, documents, strict=True)
        ],
    )


def _group_digest(documents: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(documents).encode()).hexdigest()


class AuditLog:
    """Reads the chain: records, head, verification, export."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def head(self) -> ChainHead:
        """The last link; keep it elsewhere to notice a cut end."""
        async with self._database.read() as session:
            row = (await session.execute(select(AuditRow).order_by(col(AuditRow.sequence).desc()).limit(1))).first()
        return (
            ChainHead(0, GENESIS) if row is None else ChainHead(row[0].sequence, bytes.fromhex(row[0].hash), row[0].at)
        )

    async def record(
        self, kind: AuditKind, actor: str, subject: str, detail: Mapping[str, object], at: datetime | None = None
    ) -> int:
        """Append one link in a transaction of its own: a sign-in, a change of configuration."""
        async with self._database.write() as session:
            return await append(session, kind, at or datetime.now(UTC), actor, subject, detail)

    async def records(
        self,
        *,
        after: int = 0,
        limit: int = 100,
        newest_first: bool = False,
        subject: str = "",
        actor: str = "",
        kind: AuditKind | None = None,
    ) -> Sequence[AuditRecord]:
        """Links in order. `after` is the sequence number already seen; with `newest_first` smaller ones follow it."""
        query = select(AuditRow)
        sequence = col(AuditRow.sequence)
        if newest_first:
            query = query.order_by(sequence.desc())
            query = query.where(sequence < after) if after else query
        else:
            query = query.order_by(sequence).where(sequence > after)
        if subject:
            query = query.where(col(AuditRow.subject) == subject)
        if actor:
            query = query.where(col(AuditRow.actor) == actor)
        if kind is not None:
            query = query.where(col(AuditRow.kind) == kind.value)
        async with self._database.read() as session:
            return [_record(row) for row in (await session.execute(query.limit(limit))).scalars()]

    async def export(self) -> AsyncIterator[str]:
        """Every link as one JSON line, groups of submissions with their documents, a page of links at a time."""
        after = 0
        while rows := await self._page(after):
            for row, documents in rows:
                line = {
                    "sequence": row.sequence,
                    "kind": row.kind,
                    "at": row.at.isoformat(),
                    "actor": row.actor,
                    "subject": row.subject,
                    "detail": json.loads(row.detail),
                    "previous_hash": row.previous_hash,
                    "hash": row.hash,
                }
                if documents:
                    line["submissions"] = [json.loads(document) for document in documents]
                yield canonical_json(line)
            after = rows[-1][0].sequence

    async def verify(self, expected_head: ChainHead | None = None) -> ChainBreak | ChainHead:
        """Walk the whole chain and name the first link that does not hold, or give the head if all do.

        Checked: numbers without gaps, each hash, the documents of each group, the stored detail of each hold, and,
        if given, that the chain still contains `expected_head`.
        """
        after, previous = 0, GENESIS
        head = ChainHead(0, GENESIS)
        seen_expected = expected_head is None or expected_head.sequence == 0
        while rows := await self._page(after):
            digests = await self._detail_digests([row.subject for row, _ in rows if '"revision"' in row.detail])
            for row, documents in rows:
                if problem := _problem(row, documents, previous, after + 1, digests):
                    return ChainBreak(after + 1 if row.sequence != after + 1 else row.sequence, problem)
                previous, after = bytes.fromhex(row.hash), row.sequence
                head = ChainHead(row.sequence, previous, row.at)
                if expected_head is not None and row.sequence == expected_head.sequence:
                    if previous != expected_head.hash:
                        return ChainBreak(row.sequence, "the chain was rewritten: the kept head differs")
                    seen_expected = True
        if not seen_expected:
            return ChainBreak(after + 1, "the end of the chain is missing: the kept head is further on")
        async with self._database.read() as session:
            stored = (await session.execute(select(AuditHeadRow))).scalar_one()
        if stored.sequence > head.sequence:
            return ChainBreak(after + 1, f"the end of the chain is missing: {stored.sequence - after} records")
        return head

    async def _page(self, after: int) -> list[tuple[Any, list[str]]]:
        async with self._database.read() as session:
            rows = (
                (
                    await session.execute(
                        select(AuditRow)
                        .where(col(AuditRow.sequence) > after)
                        .order_by(col(AuditRow.sequence))
                        .limit(_BATCH)
                    )
                )
                .scalars()
                .all()
            )
            documents: dict[int, list[str]] = {}
            if rows:
                found = await session.execute(
                    select(col(SubmissionRow.audit_sequence), col(SubmissionRow.document))
                    .where(col(SubmissionRow.audit_sequence).between(rows[0].sequence, rows[-1].sequence))
                    .order_by(col(SubmissionRow.id))
                )
                for sequence, document in found:
                    documents.setdefault(sequence, []).append(document)
        return [(row, documents.get(row.sequence, [])) for row in rows]

    async def _detail_digests(self, case_ids: Sequence[str]) -> dict[tuple[str, int], str]:
        """What the stored details hash to now."""
        async with self._database.read() as session:
            found = await session.stream(
                select(col(DetailRow.case_id), col(DetailRow.revision), col(DetailRow.data)).where(
                    col(DetailRow.case_id).in_(set(case_ids))
                )
            )
            return {(case_id, revision): hashlib.sha256(data).hexdigest() async for case_id, revision, data in found}


def _problem(
    row: AuditRow,
    documents: Sequence[str],
    previous: bytes,
    sequence: int,
    digests: Mapping[tuple[str, int], str],
) -> str | None:
    if row.sequence != sequence:
        return f"the record is missing: the next one has number {row.sequence}"
    if row.previous_hash != previous.hex():
        return "it does not name the hash of the record before it"
    if row.hash != record_hash(row.sequence, row.kind, row.at, row.actor, row.subject, row.detail, previous).hex():
        return "its content does not match its hash: it was edited"
    detail = json.loads(row.detail)
    if row.kind == AuditKind.SUBMISSION and "count" in detail:
        if detail["count"] != len(documents):
            return f"it covers {detail['count']} submissions, {len(documents)} are there"
        if detail["digest"] != _group_digest(documents):
            return "a submission that it covers was edited"
    if "revision" in detail:
        stored = digests.get((row.subject, detail["revision"]))
        if stored != detail["detail_digest"]:
            return "the case detail that it covers " + ("is missing" if stored is None else "was edited")
    return None


def _record(row: AuditRow) -> AuditRecord:
    return AuditRecord(
        sequence=row.sequence,
        kind=AuditKind(row.kind),
        at=row.at,
        actor=row.actor,
        subject=row.subject,
        detail=json.loads(row.detail),
        previous_hash=bytes.fromhex(row.previous_hash),
        hash=bytes.fromhex(row.hash),
    )

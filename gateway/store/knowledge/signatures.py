"""Copycat signatures in SQL: made of confirmed cases, ended with a reason, counted when they match."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway.model.account import Mark
from gateway.model.audit import AuditKind
from gateway.model.primitive import Address, Hash32
from gateway.model.signature import KeptSignature, Signature, SignatureKind, SignatureState
from gateway.store.audit import append
from gateway.store.database import Database
from gateway.store.tables.knowledge import SignatureRow
from gateway.store.tables.people import CaseMarkRow


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class ConfirmedCase:
    """A case that somebody marked as a confirmed attack, and of which no signature was made yet."""

    mark_id: int
    case_id: str
    author: str
    at: datetime


class Signatures:
    """Every method raises RecordUnavailable if SQL is away. Each change is one audited transaction."""

    def __init__(self, database: Database, *, now: Callable[[], datetime] = _utc_now) -> None:
        self._database, self._now = database, now

    async def unsigned(self, after: int = 0, limit: int = 20) -> Sequence[ConfirmedCase]:
        """Standing confirmations without a signature, of marks with ids above `after`, the oldest first."""
        made = select(col(SignatureRow.mark_id))
        query = (
            select(CaseMarkRow)
            .where(
                col(CaseMarkRow.mark) == Mark.CONFIRMED.value,
                col(CaseMarkRow.undone_at).is_(None),
                col(CaseMarkRow.id) > after,
                col(CaseMarkRow.id).not_in(made),
            )
            .order_by(col(CaseMarkRow.id))
            .limit(limit)
        )
        async with self._database.read() as session:
            rows = (await session.execute(query)).scalars()
            return [ConfirmedCase(row.id or 0, row.case_id, row.actor, row.at) for row in rows]

    async def add(self, confirmed: ConfirmedCase, made: Sequence[Signature]) -> int:
        """Keep signatures of a confirmed case; how many. Zero if the mark was undone meanwhile, or another was first.

        The row of the mark is locked, so that an undo comes before or after, never in between.
        """
        now = self._now()
        async with self._database.write() as session:
            mark = await session.execute(
                select(col(CaseMarkRow.undone_at)).where(col(CaseMarkRow.id) == confirmed.mark_id).with_for_update()
            )
            there = await session.execute(
                select(func.count()).select_from(SignatureRow).where(col(SignatureRow.mark_id) == confirmed.mark_id)
            )
            if not made or mark.scalar_one() is not None or there.scalar_one():
                return 0
            await session.execute(insert(SignatureRow), [_columns(one, confirmed.mark_id) for one in made])
            detail = {
                "step": "signatures made",
                "confirmed by": confirmed.author,
                "kinds": sorted({one.kind.value for one in made}),
                "expires": made[0].expires_at.isoformat(),
            }
            await append(session, AuditKind.CONFIGURATION, now, "gateway", confirmed.case_id, detail)
        return len(made)

    async def version(self) -> tuple[int, int, int]:
        """Changes whenever a signature is added or ended: compare it to know whether to load again."""
        query = select(func.count(), func.count(col(SignatureRow.ended_at)), func.max(col(SignatureRow.id)))
        async with self._database.read() as session:
            count, ended, last = (await session.execute(query.select_from(SignatureRow))).one()
        return int(count), int(ended), int(last or 0)

    async def speaking(self) -> Sequence[Signature]:
        """Those that are neither withdrawn nor expired."""
        query = select(SignatureRow).where(
            col(SignatureRow.ended_at).is_(None), col(SignatureRow.expires_at) > self._now()
        )
        async with self._database.read() as session:
            return [_signature(row) for row in (await session.execute(query)).scalars()]

    async def listed(self, *, case_id: str = "", limit: int = 200) -> Sequence[KeptSignature]:
        """All of them, the newest first."""
        query = select(SignatureRow).order_by(col(SignatureRow.id).desc()).limit(limit)
        if case_id:
            query = query.where(col(SignatureRow.case_id) == case_id)
        async with self._database.read() as session:
            return [_kept(row) for row in (await session.execute(query)).scalars()]

    async def one(self, id: int) -> KeptSignature | None:
        """The signature with that number."""
        async with self._database.read() as session:
            row = (await session.execute(select(SignatureRow).where(col(SignatureRow.id) == id))).scalar()
        return None if row is None else _kept(row)

    async def withdraw(self, id: int, actor: str, reason: str) -> bool:
        """End one for good; False if it is not there or ended before. ValueError without a reason."""
        if not reason.strip():
            raise ValueError("a withdrawal needs a reason")
        now = self._now()
        async with self._database.write() as session:
            case_id = await _end(session, col(SignatureRow.id) == id, actor, now, reason)
            if not case_id:
                return False
            detail = {"step": "signature withdrawn", "signature": id, "reason": reason}
            await append(session, AuditKind.CONFIGURATION, now, actor, case_id[0], detail)
            return True

    async def add_hits(self, hits: Mapping[int, int]) -> None:
        """Count matches by signature number."""
        async with self._database.write() as session:
            for id, count in sorted(hits.items()):
                await session.execute(
                    update(SignatureRow)
                    .where(col(SignatureRow.id) == id)
                    .values(hits=col(SignatureRow.hits) + count, last_hit_at=self._now())
                )


async def withdraw_undone(session: AsyncSession, case_id: str, actor: str, now: datetime) -> None:
    """Inside a transaction that undid marks of a case: the signatures made on their word end with them."""
    undone = select(col(CaseMarkRow.id)).where(
        col(CaseMarkRow.case_id) == case_id, col(CaseMarkRow.undone_at).is_not(None)
    )
    condition = (col(SignatureRow.case_id) == case_id) & col(SignatureRow.mark_id).in_(undone)
    if await _end(session, condition, actor, now, "the confirmation was undone"):
        detail = {"step": "signatures withdrawn", "reason": "the confirmation was undone"}
        await append(session, AuditKind.CONFIGURATION, now, actor, case_id, detail)


async def _end(session: AsyncSession, which: object, actor: str, now: datetime, reason: str) -> list[str]:
    ended = await session.execute(
        update(SignatureRow)
        .where(which, col(SignatureRow.ended_at).is_(None))  # type: ignore[arg-type]  # sqlmodel types a condition as bool
        .values(state=SignatureState.WITHDRAWN.value, ended_by=actor, ended_at=now, end_reason=reason)
        .returning(col(SignatureRow.case_id))
    )
    return list(ended.scalars())


def _columns(signature: Signature, mark_id: int) -> dict[str, object]:
    return {
        "kind": signature.kind.value,
        "digest": signature.digest.hex(),
        "size": signature.size,
        "case_id": signature.case_id,
        "mark_id": mark_id,
        "entry": None if signature.entry is None else str(signature.entry),
        "author": signature.author,
        "created_at": signature.created_at,
        "expires_at": signature.expires_at,
        "state": signature.state.value,
        "hits": 0,
    }


def _signature(row: SignatureRow) -> Signature:
    return Signature(
        kind=SignatureKind(row.kind),
        digest=Hash32(bytes.fromhex(row.digest)),
        case_id=row.case_id,
        author=row.author,
        created_at=row.created_at,
        expires_at=row.expires_at,
        state=SignatureState(row.state),
        entry=None if row.entry is None else Address.from_hex(row.entry),
        size=row.size,
        id=row.id or 0,
    )


def _kept(row: SignatureRow) -> KeptSignature:
    return KeptSignature(_signature(row), row.hits, row.last_hit_at, row.ended_by, row.ended_at, row.end_reason)

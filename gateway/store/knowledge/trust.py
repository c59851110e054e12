"""Allow list and reputation in SQL."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway.model.account import Mark
from gateway.model.audit import AuditKind
from gateway.model.primitive import Address
from gateway.model.trust import WELL_KNOWN_SENDERS, Reputation, TrustEntry
from gateway.store.audit import append
from gateway.store.database import Database
from gateway.store.tables.case import CaseRow
from gateway.store.tables.knowledge import ReputationRow, ReputationSenderRow, TrustRow
from gateway.store.tables.people import CaseMarkRow

MOST_ADDRESSES = 200_000
"""addresses with a history; beyond, those seen longest ago are forgotten"""


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Clean:
    """Clean, mined transactions of one address that are to be counted."""

    count: int = 0
    senders: set[Address] = field(default_factory=set)
    """who called it; empty for an account that only sends"""


class TrustBook:
    """Every method raises RecordUnavailable if SQL is away. Each change of the allow list is audited."""

    def __init__(self, database: Database, *, now: Callable[[], datetime] = _utc_now) -> None:
        self._database, self._now = database, now

    async def add(
        self,
        *,
        author: str,
        reason: str,
        expires_at: datetime,
        sender: Address | None = None,
        contract: Address | None = None,
        selector: bytes | None = None,
        detector: str | None = None,
    ) -> int:
        """Write one line; its number.

        Raises:
            ValueError: it names nobody, a selector without a contract, no reason, or an end that is past.
        """
        if sender is None and contract is None:
            raise ValueError("a line of the allow list names a sender, a contract, or both")
        if selector is not None and (contract is None or len(selector) != 4):
            raise ValueError("a selector is four bytes and stands beside a contract")
        if not reason.strip():
            raise ValueError("a line of the allow list needs a reason")
        now = self._now()
        if expires_at <= now:
            raise ValueError("a line of the allow list ends in the future")
        values = {
            "sender": None if sender is None else str(sender),
            "contract": None if contract is None else str(contract),
            "selector": None if selector is None else selector.hex(),
            "detector": detector or None,
            "reason": reason.strip()[:2000],
        }
        async with self._database.write() as session:
            row = {**values, "author": author, "created_at": now, "expires_at": expires_at}
            made = await session.execute(insert(TrustRow).values(row).returning(col(TrustRow.id)))
            id = int(made.scalar_one() or 0)
            detail = {"step": "trust added", **values, "expires": expires_at.isoformat()}
            await append(session, AuditKind.CONFIGURATION, now, author, f"trust:{id}", detail)
        return id

    async def withdraw(self, id: int, actor: str, reason: str) -> bool:
        """End one line; False if it is not there or ended before. ValueError without a reason."""
        if not reason.strip():
            raise ValueError("a withdrawal needs a reason")
        now = self._now()
        async with self._database.write() as session:
            ended = await session.execute(
                update(TrustRow)
                .where(col(TrustRow.id) == id, col(TrustRow.ended_at).is_(None))
                .values(ended_by=actor, ended_at=now)
                .returning(col(TrustRow.id))
            )
            if ended.scalar() is None:
                return False
            detail = {"step": "trust withdrawn", "reason": reason.strip()[:2000]}
            await append(session, AuditKind.CONFIGURATION, now, actor, f"trust:{id}", detail)
            return True

    async def entries(self, *, ended: bool = False, limit: int = 1_000) -> Sequence[TrustEntry]:
        """Lines, the newest first; `ended`: also those that were withdrawn or have expired."""
        query = select(TrustRow).order_by(col(TrustRow.id).desc()).limit(limit)
        if not ended:
            query = query.where(col(TrustRow.ended_at).is_(None), col(TrustRow.expires_at) > self._now())
        async with self._database.read() as session:
            return [_entry(row) for row in (await session.execute(query)).scalars()]

    async def version(self) -> tuple[int, int]:
        """Changes whenever a line is added or withdrawn."""
        query = select(func.max(col(TrustRow.id)), func.count(col(TrustRow.ended_at))).select_from(TrustRow)
        async with self._database.read() as session:
            last, ended = (await session.execute(query)).one()
        return int(last or 0), int(ended)

    async def reputation(self, address: Address) -> Reputation | None:
        """The history of one address."""
        query = select(ReputationRow).where(col(ReputationRow.address) == str(address))
        async with self._database.read() as session:
            row = (await session.execute(query)).scalar()
        return None if row is None else _reputation(row)

    async def reputations(self, limit: int = 100, *, least: int = 0) -> Sequence[Reputation]:
        """Addresses with the longest clean history first; `least`: clean transactions below which none is named."""
        query = (
            select(ReputationRow)
            .where(col(ReputationRow.clean) >= least)
            .order_by(col(ReputationRow.clean).desc())
            .limit(limit)
        )
        async with self._database.read() as session:
            return [_reputation(row) for row in (await session.execute(query)).scalars()]

    async def count_clean(self, clean: Mapping[Address, Clean]) -> None:
        """Add mined, clean transactions to the history of each address."""
        now = self._now()
        dialect = sqlite if self._database.is_sqlite else postgresql
        async with self._database.write() as session:
            for address, found in sorted(clean.items()):
                fresh = dialect.insert(ReputationRow).values(
                    address=str(address), clean=0, senders=0, first_seen=now, last_seen=now, false_alarms=0, confirmed=0
                )
                await session.execute(fresh.on_conflict_do_nothing())
                senders = await self._new_senders(session, address, found)
                await session.execute(
                    update(ReputationRow)
                    .where(col(ReputationRow.address) == str(address))
                    .values(
                        clean=col(ReputationRow.clean) + found.count,
                        senders=col(ReputationRow.senders) + senders,
                        last_seen=now,
                    )
                )

    async def _new_senders(self, session: AsyncSession, contract: Address, found: Clean) -> int:
        known = (
            await session.execute(
                select(func.count())
                .select_from(ReputationSenderRow)
                .where(col(ReputationSenderRow.contract) == str(contract))
            )
        ).scalar_one()
        dialect = sqlite if self._database.is_sqlite else postgresql
        added = 0
        for sender in sorted(found.senders)[: max(0, WELL_KNOWN_SENDERS - known)]:
            row = dialect.insert(ReputationSenderRow).values(contract=str(contract), sender=str(sender))
            done = await session.execute(row.on_conflict_do_nothing().returning(col(ReputationSenderRow.sender)))
            added += done.scalar() is not None
        return added

    async def take_marks_in(self) -> None:
        """Bring false alarms and confirmed attacks of each address in line with the standing marks; forget the rest.

        A marked address without a clean history gets a row too: its confirmation must not be forgotten.
        """
        query = (
            select(col(CaseRow.sender), col(CaseRow.to), col(CaseMarkRow.mark))
            .join(CaseMarkRow, col(CaseMarkRow.case_id) == col(CaseRow.case_id))
            .where(
                col(CaseMarkRow.undone_at).is_(None),
                col(CaseMarkRow.mark).in_([Mark.FALSE_ALARM.value, Mark.CONFIRMED.value]),
            )
        )
        async with self._database.write() as session:
            marked: dict[str, list[int]] = {}
            for sender, to, mark in await session.execute(query):
                for address in filter(None, {sender, to}):
                    marked.setdefault(address, [0, 0])[mark == Mark.CONFIRMED.value] += 1
            before = select(ReputationRow).where(
                (col(ReputationRow.false_alarms) > 0) | (col(ReputationRow.confirmed) > 0)
            )
            stale = {row.address for row in (await session.execute(before)).scalars()} - marked.keys()
            now, dialect = self._now(), sqlite if self._database.is_sqlite else postgresql
            for address in sorted(marked.keys() | stale):
                false_alarms, confirmed = marked.get(address, (0, 0))
                fresh = dialect.insert(ReputationRow).values(
                    address=address, clean=0, senders=0, first_seen=now, last_seen=now, false_alarms=0, confirmed=0
                )
                await session.execute(fresh.on_conflict_do_nothing())
                await session.execute(
                    update(ReputationRow)
                    .where(col(ReputationRow.address) == address)
                    .values(false_alarms=false_alarms, confirmed=confirmed)
                )
            await self._forget(session)

    async def _forget(self, session: AsyncSession) -> None:
        count = (await session.execute(select(func.count()).select_from(ReputationRow))).scalar_one()
        if count <= MOST_ADDRESSES:
            return
        oldest = select(col(ReputationRow.address)).order_by(col(ReputationRow.last_seen)).limit(count - MOST_ADDRESSES)
        gone = list((await session.execute(oldest)).scalars())
        await session.execute(delete(ReputationSenderRow).where(col(ReputationSenderRow.contract).in_(gone)))
        await session.execute(delete(ReputationRow).where(col(ReputationRow.address).in_(gone)))


def _entry(row: TrustRow) -> TrustEntry:
    return TrustEntry(
        id=row.id or 0,
        sender=None if row.sender is None else Address.from_hex(row.sender),
        contract=None if row.contract is None else Address.from_hex(row.contract),
        selector=None if row.selector is None else bytes.fromhex(row.selector),
        detector=row.detector,
        reason=row.reason,
        author=row.author,
        created_at=row.created_at,
        expires_at=row.expires_at,
        ended_by=row.ended_by,
        ended_at=row.ended_at,
    )


def _reputation(row: ReputationRow) -> Reputation:
    return Reputation(
        address=Address.from_hex(row.address),
        clean=row.clean,
        senders=row.senders,
        first_seen=row.first_seen,
        last_seen=row.last_seen,
        false_alarms=row.false_alarms,
        confirmed=row.confirmed,
    )

"""The reading half of the durable record."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway.model.case import MOST_COUNTED, CaseDetail, CaseGroup, CaseOrder, CaseQuery, CaseStep, Page
from gateway.model.primitive import Address, Hash32
from gateway.model.quarantine import FINAL, WAITING, CaseState, PublicStatus, QuarantineEntry, TransactionStatus
from gateway.model.transaction import Client
from gateway.model.verdict import Action, ReasonClass
from gateway.store.cases.row import entry_of, matching, ordered, term_conditions
from gateway.store.database import Database
from gateway.store.document.case import decode_detail
from gateway.store.tables.case import CaseRow, DecisionRow, DetailRow, SubmissionRow, TermRow


class CaseReader:
    """Everything that `Record` answers without changing anything."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def by_hash(self, hash: Hash32) -> QuarantineEntry | None:
        """See Record.by_hash."""
        return await self._one(col(CaseRow.hash) == str(hash))

    async def case(self, case_id: str) -> QuarantineEntry | None:
        """See Record.case."""
        return await self._one(col(CaseRow.case_id) == case_id)

    async def detail(self, case_id: str, *, revision: int | None = None) -> CaseDetail | None:
        """See Record.detail."""
        query = select(col(DetailRow.data)).where(col(DetailRow.case_id) == case_id)
        query = query.where(col(DetailRow.revision) == revision) if revision is not None else query
        async with self._database.read() as session:
            data = (await session.execute(query.order_by(col(DetailRow.revision).desc()).limit(1))).scalar()
        return None if data is None else await asyncio.to_thread(decode_detail, data)

    async def cases(self, query: CaseQuery, *, total: int | None = None) -> Page:
        """See Record.cases."""
        async with self._database.read() as session:
            common = await _common(session, query)
            if total is None:
                total = (await session.execute(_count(query, matching(query, common)))).scalar_one()
            condition = matching(query, common, in_order=True)
            # ids alone first: sorting whole rows, calldata included, takes ten times as long
            ids = (await session.execute(ordered(query, select(col(CaseRow.case_id)).where(condition)))).scalars().all()
            rows = (await session.execute(select(CaseRow).where(col(CaseRow.case_id).in_(ids)))).scalars().all()
        place = {case_id: index for index, case_id in enumerate(ids)}
        return Page(tuple(sorted(map(entry_of, rows), key=lambda case: place[case.case_id])), total, query.offset)

    async def groups(self, query: CaseQuery) -> Sequence[CaseGroup]:
        """See Record.groups."""
        key = col(CaseRow.group_key)
        async with self._database.read() as session:
            condition = matching(query, await _common(session, query))
        folded = (
            select(key.label("key"), func.count().label("size"))
            .where(condition)
            .group_by(key)
            .order_by(func.count().desc(), key)
            .offset(query.offset)
            .limit(query.limit)
            .subquery()
        )
        newest = (
            select(col(CaseRow.case_id))
            .where(condition, key == folded.c.key)
            .order_by(col(CaseRow.held_at).desc())  # no more: the index ends here, and a group may be thousands
            .limit(1)
            .correlate(folded)
            .scalar_subquery()
        )
        shown = select(newest, folded.c.size).order_by(folded.c.size.desc(), folded.c.key)
        async with self._database.read() as session:
            sizes = {row[0]: int(row[1]) for row in (await session.execute(shown)).all()}
            rows = (await session.execute(select(CaseRow).where(col(CaseRow.case_id).in_(sizes)))).scalars().all()
        found = {row.case_id: entry_of(row) for row in rows}
        return [CaseGroup(found[case_id].group, size, found[case_id]) for case_id, size in sizes.items()]

    async def counts(self) -> Mapping[CaseState, int]:
        """See Record.counts."""
        state = col(CaseRow.state)
        async with self._database.read() as session:
            rows = (await session.execute(select(state, func.count()).group_by(state))).all()
        return {CaseState(word): number for word, number in rows}

    async def ending(self, before: datetime) -> int:
        """How many held cases end before a moment."""
        held = (col(CaseRow.state) == CaseState.HELD.value, col(CaseRow.expires_at) < before)
        async with self._database.read() as session:
            return int((await session.execute(select(func.count()).select_from(CaseRow).where(*held))).scalar_one())

    async def waiting_of(self, client: Client) -> int:
        """See Record.waiting_of."""
        query = select(func.count()).where(
            col(CaseRow.state).in_(sorted(WAITING)), col(CaseRow.client_key) == client.key
        )
        if not client.key:
            query = query.where(col(CaseRow.client_address) == client.address)
        async with self._database.read() as session:
            return int((await session.execute(query)).scalar_one())

    async def by_sender(self, sender: Address, states: Collection[CaseState]) -> Sequence[QuarantineEntry]:
        """See Record.by_sender."""
        query = (
            select(CaseRow)
            .where(col(CaseRow.sender) == str(sender), col(CaseRow.state).in_(sorted(states)))
            .order_by(col(CaseRow.nonce), col(CaseRow.case_id))
        )
        async with self._database.read() as session:
            return [entry_of(row) for row in (await session.execute(query)).scalars()]

    async def in_flight(self, after: str = "", limit: int = 500) -> Sequence[QuarantineEntry]:
        """See Record.in_flight."""
        case_id, state = col(CaseRow.case_id), col(CaseRow.state)
        query = (
            select(CaseRow)
            .where(case_id > after, state.in_(sorted(set(CaseState) - FINAL)))
            .order_by(case_id)
            .limit(limit)
        )
        async with self._database.read() as session:
            return [entry_of(row) for row in (await session.execute(query)).scalars()]

    async def history(self, case_id: str) -> Sequence[CaseStep]:
        """See Record.history."""
        query = select(DecisionRow).where(col(DecisionRow.case_id) == case_id).order_by(col(DecisionRow.id))
        async with self._database.read() as session:
            rows = (await session.execute(query)).scalars().all()
        return [
            CaseStep(
                CaseState(row.from_state) if row.from_state else None,
                CaseState(row.to_state),
                row.actor,
                row.second_actor,
                row.reason,
                row.at,
            )
            for row in rows
        ]

    async def due(self, now: datetime, limit: int = 100) -> Sequence[QuarantineEntry]:
        """See Record.due."""
        page = await self.cases(CaseQuery(states=WAITING, expires_before=now, order=CaseOrder.EXPIRY, limit=limit))
        return page.entries

    async def status(self, hash: Hash32) -> TransactionStatus:
        """See Record.status."""
        entry = await self.by_hash(hash)
        if entry is not None:
            return TransactionStatus(
                status=PublicStatus(entry.state.value),
                hash=hash,
                case_id=entry.case_id,
                reason_class=entry.verdict.reason_class,
                expires_at=entry.expires_at if entry.state in WAITING else None,
            )
        last = (
            select(col(SubmissionRow.action), col(SubmissionRow.reason_class))
            .where(col(SubmissionRow.hash) == str(hash))
            .order_by(col(SubmissionRow.id).desc())
            .limit(1)
        )
        async with self._database.read() as session:
            found = (await session.execute(last)).first()
        if found is None:
            return TransactionStatus(PublicStatus.UNKNOWN, hash)
        if Action(found[0]) is Action.FORWARD:
            return TransactionStatus(PublicStatus.FORWARDED, hash)
        return TransactionStatus(PublicStatus.REJECTED, hash, reason_class=ReasonClass(found[1]))

    async def _one(self, condition: ColumnElement[bool]) -> QuarantineEntry | None:
        async with self._database.read() as session:
            row = (await session.execute(select(CaseRow).where(condition))).scalar_one_or_none()
        return None if row is None else entry_of(row)


async def still_waiting(session: AsyncSession, case_ids: Select[str], limit: int) -> list[str]:
    """Those of a short list of cases that wait, in its order. By two questions: a join may begin with all the cases."""
    ids = list((await session.execute(case_ids.limit(1_000))).scalars())
    if not ids:
        return []
    waits = (col(CaseRow.case_id).in_(ids), col(CaseRow.state).in_(sorted(WAITING)))
    waiting = set((await session.execute(select(col(CaseRow.case_id)).where(*waits))).scalars())
    return [case_id for case_id in ids if case_id in waiting][:limit]


async def _common(session: AsyncSession, query: CaseQuery) -> frozenset[str]:
    """The words of a query that very many cases have."""
    found = set()
    for word, condition in term_conditions(query):
        some = select(col(TermRow.case_id)).where(condition).limit(MOST_COUNTED).subquery()
        if (await session.execute(select(func.count()).select_from(some))).scalar_one() == MOST_COUNTED:
            found.add(word)
    return frozenset(found)


def _count(query: CaseQuery, condition: ColumnElement[bool]) -> Select[int]:
    """All of them where an index counts; up to a bound where words have to be looked up."""
    if not (query.search.strip() or query.detector or query.touching is not None):
        return select(func.count()).select_from(CaseRow).where(condition)
    some = select(col(CaseRow.case_id)).where(condition).limit(MOST_COUNTED).subquery()
    return select(func.count()).select_from(some)

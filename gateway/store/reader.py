"""The reading half of the durable record."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlmodel import col

from gateway.model.case import CaseDetail, CaseGroup, CaseOrder, CaseQuery, CaseStep, Page
from gateway.model.primitive import Address, Hash32
from gateway.model.quarantine import FINAL, WAITING, CaseState, PublicStatus, QuarantineEntry, TransactionStatus
from gateway.model.transaction import Client
from gateway.model.verdict import Action, ReasonClass
from gateway.store.case_row import entry_of, matching, ordered
from gateway.store.database import Database
from gateway.store.document import decode_detail
from gateway.store.tables import CaseRow, DecisionRow, DetailRow, SubmissionRow


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

    async def cases(self, query: CaseQuery) -> Page:
        """See Record.cases."""
        condition = matching(query)
        async with self._database.read() as session:
            total = (await session.execute(select(func.count()).select_from(CaseRow).where(condition))).scalar_one()
            # ids alone first: sorting whole rows, calldata included, takes ten times as long
            ids = (await session.execute(ordered(query, select(col(CaseRow.case_id)).where(condition)))).scalars().all()
            rows = (await session.execute(select(CaseRow).where(col(CaseRow.case_id).in_(ids)))).scalars().all()
        place = {case_id: index for index, case_id in enumerate(ids)}
        return Page(tuple(sorted(map(entry_of, rows), key=lambda case: place[case.case_id])), total, query.offset)

    async def groups(self, query: CaseQuery) -> Sequence[CaseGroup]:
        """See Record.groups."""
        count, newest = func.count().label("count"), func.max(col(CaseRow.held_at)).label("newest")
        key = col(CaseRow.group_key)
        folded = (
            select(key, count, newest)
            .where(matching(query))
            .group_by(key)
            .order_by(count.desc(), key)
            .offset(query.offset)
            .limit(query.limit)
        )
        async with self._database.read() as session:
            found = []
            for group, size, newest_at in (await session.execute(folded)).all():
                newest_case = (
                    select(CaseRow)
                    .where(matching(query), key == group, col(CaseRow.held_at) == newest_at)
                    .order_by(col(CaseRow.case_id))
                    .limit(1)
                )
                found.append(CaseGroup(group, size, entry_of((await session.execute(newest_case)).scalar_one())))
        return found

    async def counts(self) -> Mapping[CaseState, int]:
        """See Record.counts."""
        state = col(CaseRow.state)
        async with self._database.read() as session:
            rows = (await session.execute(select(state, func.count()).group_by(state))).all()
        return {CaseState(word): number for word, number in rows}

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

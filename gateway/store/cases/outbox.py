"""Forwarding intents: written with the decision, taken under a lease, settled once with the case.

The functions work inside the caller's transaction; `store/cases/record.py` is the caller.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway.model.case import OutboxItem, OutboxOutcome
from gateway.store.cases.row import entry_of
from gateway.store.tables.case import CaseRow, OutboxRow


async def intend(session: AsyncSession, case_id: str, seen_findings: Collection[str], now: datetime) -> None:
    """Write the intent to forward a case that was just released.

    A send that an earlier intent of the same case began is carried over: its bytes may still have arrived.
    """
    earlier = select(func.max(col(OutboxRow.send_started_at))).where(col(OutboxRow.case_id) == case_id)
    started = (await session.execute(earlier)).scalar()
    await session.execute(
        insert(OutboxRow).values(
            case_id=case_id,
            seen_findings=json.dumps(sorted(seen_findings)),
            created_at=now,
            not_before=now,
            attempts=0,
            send_started_at=started,
        )
    )


async def withdraw(
    session: AsyncSession, case_id: str, outcome: str, reason: str, now: datetime, *, sent: bool = False
) -> bool:
    """Close the open intent of a case, if there is one, because the case went another way.

    False if its bytes may have left already: then only who carries it out can say what became of it; unless the
    caller knows that it was `sent`.
    """
    is_open = (col(OutboxRow.case_id) == case_id, col(OutboxRow.settled_at).is_(None))
    closing = update(OutboxRow).where(*is_open).values(settled_at=now, outcome=outcome, problem=reason)
    if not sent:
        # The mark stands in the condition: `sending` changes the same row, so one of the two comes first.
        closing = closing.where(col(OutboxRow.send_started_at).is_(None))
    await session.execute(closing)
    return (await session.execute(select(col(OutboxRow.id)).where(*is_open).limit(1))).first() is None


async def any_due(session: AsyncSession, now: datetime) -> bool:
    """True if `take` would find something: a question without a lock, asked twice a second."""
    due = select(col(OutboxRow.id)).where(col(OutboxRow.settled_at).is_(None), col(OutboxRow.not_before) <= now)
    return (await session.execute(due.limit(1))).first() is not None


async def take(session: AsyncSession, limit: int, lease: timedelta, now: datetime) -> Sequence[OutboxItem]:
    """Lease the oldest open intents that nobody holds."""
    due = (
        select(col(OutboxRow.id))
        .where(col(OutboxRow.settled_at).is_(None), col(OutboxRow.not_before) <= now)
        .order_by(col(OutboxRow.id))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    taken = (
        (
            await session.execute(
                update(OutboxRow)
                .where(col(OutboxRow.id).in_(due.scalar_subquery()))
                .values(attempts=col(OutboxRow.attempts) + 1, not_before=now + lease)
                .returning(OutboxRow)
                .execution_options(synchronize_session=False)
            )
        )
        .scalars()
        .all()
    )
    if not taken:
        return ()
    found = await session.execute(select(CaseRow).where(col(CaseRow.case_id).in_([row.case_id for row in taken])))
    cases = {row.case_id: entry_of(row) for row in found.scalars()}
    return [
        OutboxItem(
            id=_number(row),
            entry=cases[row.case_id],
            seen_findings=frozenset(json.loads(row.seen_findings)),
            created_at=row.created_at,
            attempts=row.attempts,
            send_started_at=row.send_started_at,
            leased_until=row.not_before,
        )
        for row in sorted(taken, key=_number)
    ]


def _number(row: OutboxRow) -> int:
    if row.id is None:
        raise ValueError("an outbox row that was never stored has no number")
    return row.id


async def sending(session: AsyncSession, item: OutboxItem, now: datetime) -> bool:
    """Note that the bytes are about to leave, if the lease still holds."""
    if now >= item.leased_until:
        return False
    return await _change(session, item, send_started_at=now)


async def defer(session: AsyncSession, item: OutboxItem, until: datetime, problem: str, *, nothing_sent: bool) -> bool:
    """Give the intent back until later."""
    unmarked = {"send_started_at": None} if nothing_sent else {}
    return await _change(session, item, not_before=until, problem=problem, **unmarked)


async def settle(session: AsyncSession, item: OutboxItem, outcome: OutboxOutcome, reason: str, now: datetime) -> bool:
    """Close the intent; False if somebody else has it or closed it."""
    return await _change(session, item, settled_at=now, outcome=outcome.value, problem=reason)


async def _change(session: AsyncSession, item: OutboxItem, **values: object) -> bool:
    """The number of attempts is the fence: whoever took the intent later has a higher one."""
    changed = await session.execute(
        update(OutboxRow)
        .where(
            col(OutboxRow.id) == item.id,
            col(OutboxRow.attempts) == item.attempts,
            col(OutboxRow.settled_at).is_(None),
        )
        .values(**values)
        .returning(col(OutboxRow.id))
    )
    return changed.first() is not None

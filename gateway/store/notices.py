"""Channels and what waits to be sent to them.

Notices are made by reading the audit chain from a cursor: what is recorded is told, whoever recorded it, and a process
that stops in between goes on where the cursor stands. Cursor and deliveries move in one transaction. A delivery is
leased, sent, and settled; one that was sent but not settled is sent again under the same id.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway.errors import ConfigurationError
from gateway.model.audit import AuditKind
from gateway.model.notice import Channel, ChannelKind, ChannelRule, Delivery, DeliveryState, Notice
from gateway.store.audit import append
from gateway.store.database import Database
from gateway.store.notice_row import (
    channel_of,
    check_channel,
    delivery_of,
    delivery_state,
    notice_json,
    notice_of,
    open_secrets,
    rule_text,
    telling_records,
    test_notice,
    touches,
)
from gateway.store.tables.case import AuditHeadRow
from gateway.store.tables.notice import ChannelRow, DeliveryRow, NoticeCursorRow

_BATCH = 500
_MOST_TOGETHER = 100
"""Notices of one delivery; more begin another."""
_KEPT = timedelta(days=30)
_GIVEN_UP = timedelta(hours=24)
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=5), timedelta(minutes=15)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Notices:
    """Every method raises RecordUnavailable if SQL is away."""

    def __init__(self, database: Database, *, now: Callable[[], datetime] = _utc_now) -> None:
        self._database, self._now = database, now

    async def add(self, name: str, kind: ChannelKind, target: str, rule: ChannelRule, *, actor: str) -> tuple[int, str]:
        """A new channel: its id, and what its webhooks are signed with, told this once.

        Raises:
            ConfigurationError: the name is taken or none, or the target is none.
        """
        check_channel(name, kind, target)
        secret = "whsec_" + secrets.token_urlsafe(32) if kind is ChannelKind.WEBHOOK else ""
        row = {
            "name": name,
            "kind": kind.value,
            "target": self._database.seal.close(target),
            "secret": self._database.seal.close(secret) if secret else "",
            "rule": rule_text(rule),
            "enabled": True,
            "created_by": actor,
            "created_at": self._now(),
        }
        try:
            async with self._database.write() as session:
                added = await session.execute(insert(ChannelRow).values(row).returning(col(ChannelRow.id)))
                channel_id = int(added.scalar_one() or 0)
                await self._told(session, actor, name, {"step": "channel added", "kind": kind.value})
        except IntegrityError as error:
            raise ConfigurationError(f"there is a channel {name} already") from error
        return channel_id, secret

    async def channels(self) -> Sequence[Channel]:
        """Every channel by name."""
        async with self._database.read() as session:
            rows = (await session.execute(select(ChannelRow).order_by(col(ChannelRow.name)))).scalars()
            return [channel_of(row, self._database.seal) for row in rows]

    async def set_rule(self, channel_id: int, rule: ChannelRule, *, actor: str) -> bool:
        """Change which notices a channel gets; False if there is no such channel."""
        return await self._change(channel_id, actor, {"step": "channel changed"}, rule=rule_text(rule))

    async def set_enabled(self, channel_id: int, enabled: bool, *, actor: str) -> bool:
        """Switch a channel on or off; False if there is no such channel."""
        step = "channel switched on" if enabled else "channel switched off"
        return await self._change(channel_id, actor, {"step": step}, enabled=enabled)

    async def remove(self, channel_id: int, *, actor: str) -> bool:
        """Forget a channel and what waits for it; False if there is no such channel."""
        async with self._database.write() as session:
            await session.execute(delete(DeliveryRow).where(col(DeliveryRow.channel_id) == channel_id))
            gone = await session.execute(
                delete(ChannelRow).where(col(ChannelRow.id) == channel_id).returning(col(ChannelRow.name))
            )
            name = gone.scalar()
            if name is None:
                return False
            await self._told(session, actor, name, {"step": "channel removed"})
            return True

    async def test(self, channel_id: int, *, actor: str) -> bool:
        """Have the gateway send a test notice at once; False if there is no such channel."""
        notice = test_notice(self._now(), actor)
        async with self._database.write() as session:
            row = (await session.execute(select(ChannelRow).where(col(ChannelRow.id) == channel_id))).scalar()
            if row is None:
                return False
            await self._open(session, channel_id, [notice], self._now())
            await self._told(session, actor, row.name, {"step": "channel tested"})
            return True

    async def deliveries(self, limit: int = 50) -> Sequence[DeliveryState]:
        """The latest deliveries, the newest first."""
        query = select(DeliveryRow, ChannelRow).join(ChannelRow, col(ChannelRow.id) == col(DeliveryRow.channel_id))
        async with self._database.read() as session:
            rows = (await session.execute(query.order_by(col(DeliveryRow.id).desc()).limit(limit))).all()
            return [delivery_state(row, channel) for row, channel in rows]

    async def collect(self) -> bool:
        """Make deliveries of what the audit chain tells beyond the cursor; True if there is more to read."""
        if not await self._behind():
            return False
        async with self._database.write() as session:
            after = (
                await session.execute(
                    select(col(NoticeCursorRow.sequence))
                    .where(col(NoticeCursorRow.id) == NoticeCursorRow.ONLY)
                    .with_for_update()
                )
            ).scalar_one()
            # Links are numbered in the order of commits: up to this one, all are there.
            head = (await session.execute(select(col(AuditHeadRow.sequence)))).scalar_one()
            records = await telling_records(session, after, head, _BATCH)
            channels = [
                (row.id or 0, channel_of(row, self._database.seal).rule)
                for row in (await session.execute(select(ChannelRow).where(col(ChannelRow.enabled)))).scalars()
            ]
            for record in records:
                notice = await notice_of(session, record) if channels else None
                if notice is not None:
                    await self._route(session, notice, channels)
            reached = records[-1].sequence if len(records) == _BATCH else head
            await session.execute(update(NoticeCursorRow).values(sequence=reached))
            await session.execute(delete(DeliveryRow).where(col(DeliveryRow.settled_at) < self._now() - _KEPT))
        return len(records) == _BATCH

    async def take(self, limit: int = 10, *, lease: timedelta = timedelta(seconds=60)) -> Sequence[Delivery]:
        """Deliveries that are due. Who took one has it alone until the lease is over."""
        now = self._now()
        due = (col(DeliveryRow.settled_at).is_(None), col(DeliveryRow.not_before) <= now)
        async with self._database.read() as session:
            if not (await session.execute(select(func.count()).select_from(DeliveryRow).where(*due))).scalar_one():
                return ()
        async with self._database.write() as session:
            found = await session.execute(
                select(DeliveryRow, ChannelRow)
                .join(ChannelRow, col(ChannelRow.id) == col(DeliveryRow.channel_id))
                .where(*due)
                .order_by(col(DeliveryRow.not_before))
                .limit(limit)
                .with_for_update(skip_locked=True, of=DeliveryRow)
            )
            rows = found.all()
            taken = []
            for row, channel in rows:
                attempts = row.attempts + 1  # the update below also changes `row`
                changed: dict[str, object] = {"not_before": now + lease, "attempts": attempts}
                opened = open_secrets(channel, self._database.seal)
                if not channel.enabled:
                    changed = {"settled_at": now, "problem": "the channel is switched off"}
                elif opened is None:
                    changed = {
                        "not_before": now + _LONGEST_PAUSE,
                        "problem": "its secret cannot be read with these keys",
                        "settled_at": now if now >= row.created_at + _GIVEN_UP else None,
                    }
                else:
                    taken.append(delivery_of(row, channel, opened, attempts, self._database.seal))
                await session.execute(update(DeliveryRow).where(col(DeliveryRow.id) == row.id).values(changed))
            return taken

    async def settle(self, delivery: Delivery, problem: str = "") -> None:
        """It was taken; or with a problem, it is tried again ever more slowly, for a day."""
        now = self._now()
        values: dict[str, object] = {"settled_at": now, "sent": True, "problem": ""}
        if problem:
            pause = min(_FIRST_PAUSE * 3 ** min(delivery.attempts - 1, 8), _LONGEST_PAUSE)
            over = now >= delivery.created_at + _GIVEN_UP
            values = {"problem": problem[:300], "not_before": now + pause, "settled_at": now if over else None}
        mine = (col(DeliveryRow.delivery_id) == delivery.delivery_id, col(DeliveryRow.settled_at).is_(None))
        async with self._database.write() as session:
            await session.execute(update(DeliveryRow).where(*mine).values(values))

    async def _behind(self) -> bool:
        query = select(col(AuditHeadRow.sequence), select(col(NoticeCursorRow.sequence)).scalar_subquery())
        async with self._database.read() as session:
            head, cursor = (await session.execute(query)).one()
        return bool(head > cursor)

    async def _route(self, session: AsyncSession, notice: Notice, channels: Sequence[tuple[int, ChannelRule]]) -> None:
        for channel_id, rule in channels:
            if rule.wants(notice, touches=not rule.contracts or await touches(session, notice, rule)):
                await self._put(session, channel_id, notice, rule)

    async def _put(self, session: AsyncSession, channel_id: int, notice: Notice, rule: ChannelRule) -> None:
        """Into the delivery that still collects, or into a new one."""
        now = self._now()
        waiting = (
            await session.execute(
                select(DeliveryRow)
                .where(
                    col(DeliveryRow.channel_id) == channel_id,
                    col(DeliveryRow.settled_at).is_(None),
                    col(DeliveryRow.attempts) == 0,
                    col(DeliveryRow.not_before) > now,
                )
                .order_by(col(DeliveryRow.id).desc())
                .limit(1)
                .with_for_update()
            )
        ).scalar()
        notices = json.loads(waiting.notices) if waiting is not None else []
        if waiting is None or len(notices) >= _MOST_TOGETHER:
            await self._open(session, channel_id, [notice], now + rule.grouping)
            return
        text = json.dumps([*notices, notice_json(notice)])
        await session.execute(update(DeliveryRow).where(col(DeliveryRow.id) == waiting.id).values(notices=text))

    async def _open(
        self, session: AsyncSession, channel_id: int, notices: Sequence[Notice], not_before: datetime
    ) -> None:
        row = {
            "delivery_id": secrets.token_hex(16),
            "channel_id": channel_id,
            "notices": json.dumps([notice_json(notice) for notice in notices]),
            "created_at": self._now(),
            "not_before": not_before,
            "attempts": 0,
            "sent": False,
            "problem": "",
        }
        await session.execute(insert(DeliveryRow).values(row))

    async def _change(self, channel_id: int, actor: str, detail: dict[str, object], **values: object) -> bool:
        async with self._database.write() as session:
            changed = await session.execute(
                update(ChannelRow)
                .where(col(ChannelRow.id) == channel_id)
                .values(**values)
                .returning(col(ChannelRow.name))
            )
            name = changed.scalar()
            if name is None:
                return False
            await self._told(session, actor, name, detail)
            return True

    async def _told(self, session: AsyncSession, actor: str, name: str, detail: Mapping[str, object]) -> None:
        await append(session, AuditKind.CONFIGURATION, self._now(), actor, name, detail)

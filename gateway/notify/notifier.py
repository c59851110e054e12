"""Reads what was recorded, and sends what is due. One of its kind in each replica; the store shares the work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import structlog

from gateway.errors import ConfigurationError, RecordUnavailable
from gateway.model.notice import ChannelKind, Delivery
from gateway.notify import service, webhook
from gateway.notify.webhook import NotDelivered
from gateway.store.notices import Notices

log = structlog.get_logger()


class Notifier:
    """Collects and sends until it is cancelled."""

    def __init__(
        self,
        notices: Notices,
        dashboard_url: str,
        *,
        every: timedelta = timedelta(seconds=1),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._notices, self._dashboard_url, self._every, self._now = notices, dashboard_url, every, now

    async def run(self) -> None:
        """Until cancelled. A database that is away is waited for; nothing is lost by it."""
        async with httpx.AsyncClient(follow_redirects=False, trust_env=False) as client:
            while True:
                try:
                    await self.once(client)
                except* RecordUnavailable as group:  # from the sending tasks it comes in a group
                    log.warning("notices.record_unavailable", error=str(group.exceptions[0]))
                await asyncio.sleep(self._every.total_seconds())

    async def once(self, client: httpx.AsyncClient) -> int:
        """Collect everything and send what is due now; how many deliveries were tried."""
        while await self._notices.collect():
            pass
        taken = await self._notices.take()
        async with asyncio.TaskGroup() as tasks:
            for delivery in taken:
                tasks.create_task(self._send(client, delivery))
        return len(taken)

    async def _send(self, client: httpx.AsyncClient, delivery: Delivery) -> None:
        try:
            if delivery.channel.kind is ChannelKind.WEBHOOK:
                await webhook.send(client, delivery, self._dashboard_url, self._now())
            else:
                await service.send(delivery, self._dashboard_url)
        except (NotDelivered, ConfigurationError) as error:
            log.warning("notice.not_delivered", channel=delivery.channel.name, attempt=delivery.attempts,
                        error=str(error))  # fmt: skip
            await self._notices.settle(delivery, str(error))
            return
        await self._notices.settle(delivery)
        log.info("notice.sent", channel=delivery.channel.name, notices=len(delivery.notices))

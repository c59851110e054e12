"""Tells of held cases while somebody can still decide them: a case that ends by itself was nobody's decision."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import structlog

from gateway.errors import RecordUnavailable
from gateway.store.cases.expiring import ExpiryWarnings

log = structlog.get_logger()


class Expiring:
    """Looks for cases that end within `within`; the notices go where the channels' rules send them."""

    def __init__(
        self, warnings: ExpiryWarnings, within: timedelta, *, every: timedelta = timedelta(seconds=15)
    ) -> None:
        self._warnings, self._within, self._every = warnings, within, every

    async def run(self) -> None:
        """Until cancelled. A database that is away is waited for."""
        while True:
            try:
                await self.once()
            except RecordUnavailable as error:
                log.warning("expiring.record_unavailable", error=str(error))
            await asyncio.sleep(self._every.total_seconds())

    async def once(self) -> int:
        """Tell of what is near its end now; how many cases this process told of."""
        told = await self._warnings.tell(self._within)
        for case_id in told:
            log.warning("case.expiring", case=case_id)
        return len(told)

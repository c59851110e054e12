"""Carries what clients spend from replica to replica, so that a limit is one limit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from gateway.errors import QueueUnavailable
from gateway.model.spending import Spending

log = structlog.get_logger()

INTERVAL_SECONDS = 0.25
MOST_TOLD = 1_000
"""clients that one message names, about 60 bytes each"""


class SharedSpending:
    """Four times a second. Without Redis each replica counts for itself, which `shared` tells."""

    def __init__(
        self,
        take_spent: Callable[[int], list[Spending]],
        spent_elsewhere: Callable[[Spending], None],
        exchange: Callable[[Sequence[Spending]], Awaitable[list[Spending]]],
        *,
        interval: float = INTERVAL_SECONDS,
    ) -> None:
        """`exchange` raises QueueUnavailable if nobody can be told; what was to be told is then lost, not kept."""
        self._take_spent, self._spent_elsewhere, self._exchange = take_spent, spent_elsewhere, exchange
        self._interval = interval
        self.shared = True
        """False while the others cannot be told"""

    async def run(self) -> None:
        """Exchange for ever."""
        while True:
            await self.round()
            await asyncio.sleep(self._interval)

    async def round(self) -> None:
        """One exchange."""
        try:
            heard = await self._exchange(self._take_spent(MOST_TOLD))
        except QueueUnavailable as error:
            if self.shared:
                log.warning("limits.not_shared", error=str(error), now="each replica counts for itself")
            self.shared = False
            return
        if not self.shared:
            log.info("limits.shared_again")
        self.shared = True
        for spent in heard:
            self._spent_elsewhere(spent)

"""Ends cases whose time is over: quarantine is delay, and its limit is kept whoever is on shift."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog

from gateway.errors import QueueUnavailable, RecordUnavailable
from gateway.model.case import Conflict
from gateway.model.quarantine import WAITING, CaseState, may_become
from gateway.store.quarantine import LiveQueue, Record

log = structlog.get_logger()


JUMP = timedelta(seconds=30)
"""Clocks drift and are set right by less than this between two looks."""
BELIEVED_AFTER = timedelta(minutes=10)
"""until a clock that jumped is taken at its word"""


class SteadyClock:
    """Wall time that does not believe a jump at once: an hour forward by mistake would end every hold."""

    def __init__(self, now: Callable[[], datetime], monotonic: Callable[[], float]) -> None:
        self._now, self._monotonic = now, monotonic
        self._last = (now(), monotonic())
        self._jumped = timedelta()
        self._since = 0.0

    def __call__(self) -> datetime:
        """The time, as if the clock had gone on evenly since it jumped, if that is not long ago."""
        now, at = self._now(), self._monotonic()
        jump = (now - self._last[0]) - timedelta(seconds=at - self._last[1])
        self._last = (now, at)
        if abs(jump) > JUMP:
            self._jumped += jump
            self._since = at
            log.critical("clock.jumped", seconds=round(jump.total_seconds()), believed_after=str(BELIEVED_AFTER))
        if self._jumped and timedelta(seconds=at - self._since) >= BELIEVED_AFTER:
            self._jumped = timedelta()
        return now - self._jumped


class Expiry:
    """Moves due cases to `target`: EXPIRED (never sent), or RELEASED where the operator wants delay alone."""

    def __init__(
        self,
        record: Record,
        queue: LiveQueue,
        *,
        target: CaseState = CaseState.EXPIRED,
        every: timedelta = timedelta(seconds=2),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises ValueError for a target that not every waiting case may reach."""
        self._steady = SteadyClock(now, monotonic)
        if not all(may_become(state, target) for state in WAITING):
            raise ValueError(f"cases cannot end their time by becoming {target}")
        self._record, self._queue, self._target, self._every = record, queue, target, every

    async def run(self) -> None:
        """Until cancelled. A database that is away is waited for."""
        while True:
            try:
                await self.once()
            except RecordUnavailable as error:
                log.warning("expiry.record_unavailable", error=str(error))
            await asyncio.sleep(self._every.total_seconds())

    async def once(self) -> int:
        """Move what is due now; gives how many this process moved."""
        moved = 0
        while due := await self._record.due(self._steady()):
            for entry in due:
                answer = await self._record.move(
                    entry.case_id, {entry.state}, self._target, "gateway", "its time limit was reached"
                )
                if isinstance(answer, Conflict):
                    continue  # decided, or expired by another replica, in this moment
                moved += 1
                log.info("case.expired", case=answer.case_id, hash=str(answer.hash), state=answer.state.value)
                try:
                    await self._queue.move(answer)
                except QueueUnavailable as error:
                    log.warning("queue.unavailable", case=answer.case_id, error=str(error))
        return moved

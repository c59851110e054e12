"""Keeps the live queue in line with the record: at start, after every absence of Redis, and now and then."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog

from gateway.errors import ConfigurationError, QueueUnavailable, RecordUnavailable
from gateway.model.quarantine import QuarantineEntry
from gateway.store.quarantine import LiveQueue, Record

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class RebuildReport:
    """What a rebuild did."""

    cases: int
    """in the record, waiting or released"""
    added: int
    removed: int


async def rebuild(record: Record, queue: LiveQueue) -> RebuildReport:
    """Make the queue hold what the record holds. Safe beside live traffic: versions keep late writers harmless.

    Raises:
        QueueUnavailable, RecordUnavailable: it is to be done again.
    """
    there_before = await queue.case_ids()
    seen: set[str] = set()
    added, last = 0, ""
    while page := await record.in_flight(last):
        last = page[-1].case_id
        seen.update(entry.case_id for entry in page)
        added += await queue.put_all(page)
    removed = 0
    for case_id in there_before - seen:
        removed += await _follow(await record.case(case_id), case_id, queue)
    return RebuildReport(len(seen), added, removed)


async def _follow(entry: QuarantineEntry | None, case_id: str, queue: LiveQueue) -> bool:
    """A case that is in the queue and was not among the record's: ended, or of another database."""
    return await queue.remove(case_id) if entry is None else await queue.move(entry)


class QueueKeeper:
    """Watches the live queue. `revive`, if given, starts an embedded server that died (it blocks)."""

    def __init__(
        self,
        record: Record,
        queue: LiveQueue,
        *,
        revive: Callable[[], bool] | None = None,
        look: timedelta = timedelta(seconds=1),
        every: timedelta = timedelta(minutes=5),
    ) -> None:
        self._record, self._queue, self._revive = record, queue, revive
        self._look, self._every = look.total_seconds(), every.total_seconds()
        self._due = 0.0
        self.available = False
        """whether Redis answered when it was last asked"""

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.once()
            await asyncio.sleep(self._look)

    async def once(self) -> None:
        """One look: revive what died, rebuild what is due."""
        try:
            await self._queue.ping()
            if not self.available or time.monotonic() >= self._due:
                report = await rebuild(self._record, self._queue)
                self._due = time.monotonic() + self._every
                log.info("queue.rebuilt", cases=report.cases, added=report.added, removed=report.removed)
            self.available = True
        except QueueUnavailable as error:
            self.available = False
            log.warning("queue.unavailable", error=str(error))
            await self._try_to_revive()
        except RecordUnavailable as error:
            log.warning("queue.record_unavailable", error=str(error))

    async def _try_to_revive(self) -> None:
        if self._revive is None:
            return
        try:
            if await asyncio.to_thread(self._revive):
                log.warning("queue.revived")
        except (QueueUnavailable, ConfigurationError, OSError) as error:
            log.error("queue.not_revived", error=str(error))

"""Groups submission notes, so that the answer to a forwarded transaction never waits for the disk."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from gateway.errors import RecordUnavailable
from gateway.model.case import SubmissionNote


class _Notes(Protocol):
    async def note(self, notes: Sequence[SubmissionNote]) -> None: ...


class AuditWriter:
    """Takes submission notes without waiting and commits them in groups, in order, within milliseconds.

    Run `run` as a supervised task. While SQL is away the notes wait in memory; `lag` shows how long the oldest has,
    and beyond `limit` notes `add` refuses, so that nothing is forwarded without a record for ever.
    """

    def __init__(self, record: _Notes, *, limit: int = 100_000, group: int = 500, pause: float = 0.002) -> None:
        self._record = record
        self._limit, self._group, self._pause = limit, group, pause
        self._waiting: deque[SubmissionNote] = deque()
        self._arrived, self._emptied = asyncio.Event(), asyncio.Event()
        self._emptied.set()

    @property
    def pending(self) -> int:
        """Notes that are not durable yet."""
        return len(self._waiting)

    def lag(self, now: datetime) -> timedelta:
        """Age of the oldest note that is not durable yet."""
        return now - self._waiting[0].received_at if self._waiting else timedelta(0)

    def add(self, note: SubmissionNote) -> None:
        """Queue one note.

        Raises:
            RecordUnavailable: the record has been away for so long that no more notes can be kept.
        """
        if len(self._waiting) >= self._limit:
            raise RecordUnavailable(f"{self._limit:,} audit notes wait for the database; it has been away too long")
        self._waiting.append(note)
        self._emptied.clear()
        self._arrived.set()

    async def flush(self) -> None:
        """Wait until all that was added is durable; `run` must be running."""
        await self._emptied.wait()

    async def run(self) -> None:
        """Write groups until cancelled; on a failure try the same group again, ever more slowly up to 5 s."""
        delay, group = 0.05, list[SubmissionNote]()
        while True:
            await self._arrived.wait()
            await asyncio.sleep(self._pause)
            if not group:  # after a failure the same group is offered again, so that the record can tell it is there
                group = [self._waiting[index] for index in range(min(self._group, len(self._waiting)))]
            try:
                await self._record.note(group)
            except RecordUnavailable:
                await asyncio.sleep(delay)
                delay = min(delay * 2, 5.0)
                continue
            delay = 0.05
            for _ in group:
                self._waiting.popleft()
            group = []
            if not self._waiting:
                self._arrived.clear()
                self._emptied.set()

"""The live queue in a dict: the twin of `redis.py` for tests, never a runtime fallback, for it keeps nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime

from gateway.errors import QueueUnavailable
from gateway.model.case import CaseOrder
from gateway.model.primitive import Address, Hash32
from gateway.model.quarantine import FINAL, CaseState, QuarantineEntry
from gateway.model.queue_event import QueueEvent, QueueEventKind


class MemoryQueue:
    """`LiveQueue` without a server. Set `available = False` to see what happens when Redis is away."""

    def __init__(self) -> None:
        self.available = True
        self._entries: dict[str, QuarantineEntry] = {}
        self._gone: dict[str, int] = {}
        self._events: list[QueueEvent] = []
        self._grown = asyncio.Event()

    async def put(self, entry: QuarantineEntry) -> bool:
        """See LiveQueue.put."""
        changed, known = self._apply(entry)
        return changed and not known

    async def put_all(self, entries: Sequence[QuarantineEntry]) -> int:
        """See LiveQueue.put_all."""
        return sum([await self.put(entry) for entry in entries])

    async def move(self, entry: QuarantineEntry) -> bool:
        """See LiveQueue.move."""
        return self._apply(entry)[1]

    async def remove(self, case_id: str) -> bool:
        """See LiveQueue.remove."""
        self._check()
        entry = self._entries.pop(case_id, None)
        if entry is not None:
            self._publish(QueueEventKind.REMOVED, entry)
        return entry is not None

    async def by_hash(self, hash: Hash32) -> QuarantineEntry | None:
        """See LiveQueue.by_hash."""
        self._check()
        return next((entry for entry in self._entries.values() if entry.hash == hash), None)

    async def case(self, case_id: str) -> QuarantineEntry | None:
        """See LiveQueue.case."""
        self._check()
        return self._entries.get(case_id)

    async def by_sender(self, sender: Address) -> Sequence[QuarantineEntry]:
        """See LiveQueue.by_sender."""
        self._check()
        return sorted((e for e in self._entries.values() if e.sender == sender), key=lambda e: (e.nonce, e.case_id))

    async def ordered(
        self, order: CaseOrder = CaseOrder.PRIORITY, *, offset: int = 0, limit: int = 50
    ) -> Sequence[QuarantineEntry]:
        """See LiveQueue.ordered."""
        self._check()
        entries = list(self._entries.values())
        if order is CaseOrder.PRIORITY:
            entries.sort(key=lambda entry: (entry.priority, entry.case_id), reverse=True)
        elif order is CaseOrder.EXPIRY:
            entries.sort(key=lambda entry: (entry.expires_at, entry.case_id))
        else:
            raise ValueError(f"the live queue knows no order {order}; ask the record")
        return entries[offset : offset + limit]

    async def counts(self) -> Mapping[CaseState, int]:
        """See LiveQueue.counts."""
        self._check()
        return Counter(entry.state for entry in self._entries.values())

    async def case_ids(self) -> frozenset[str]:
        """See LiveQueue.case_ids."""
        self._check()
        return frozenset(self._entries)

    async def events(self, after: str | None = None) -> AsyncIterator[QueueEvent]:
        """See LiveQueue.events."""
        seen = len(self._events) if after is None else int(after.split("-")[0])
        while True:
            self._check()
            while seen < len(self._events):
                seen += 1
                yield self._events[seen - 1]
            self._grown.clear()
            await self._grown.wait()

    async def ping(self) -> None:
        """See LiveQueue.ping."""
        self._check()

    async def close(self) -> None:
        """See LiveQueue.close."""

    def _apply(self, entry: QuarantineEntry) -> tuple[bool, bool]:
        self._check()
        old = self._entries.get(entry.case_id)
        if self._gone.get(entry.case_id, -1) >= entry.version:
            return False, False
        if old is not None and (
            old.version > entry.version or (old.version == entry.version and old.state is entry.state)
        ):
            return False, True
        if entry.state in FINAL:
            self._gone[entry.case_id] = entry.version
            if old is None:
                return False, False
            del self._entries[entry.case_id]
            self._publish(QueueEventKind.REMOVED, entry)
            return True, True
        self._entries[entry.case_id] = entry
        if old is None:
            self._publish(QueueEventKind.HELD, entry)
        else:
            self._publish(QueueEventKind.CHANGED if old.state is entry.state else QueueEventKind.MOVED, entry)
        return True, old is not None

    def _publish(self, kind: QueueEventKind, entry: QuarantineEntry) -> None:
        now = datetime.now(UTC)
        number = f"{len(self._events) + 1}-0"
        self._events.append(QueueEvent(number, kind, entry.case_id, entry.hash, entry.state, now))
        self._grown.set()

    def _check(self) -> None:
        if not self.available:
            raise QueueUnavailable("the live queue in memory was switched off")

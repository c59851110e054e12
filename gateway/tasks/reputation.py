"""Learns who is who from clean transactions that were mined, and from what people marked."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

import structlog

from gateway.errors import RecordUnavailable, UpstreamError
from gateway.model.finding import Severity
from gateway.model.primitive import Address, Hash32
from gateway.model.trust import REGULAR_CALLS, WELL_KNOWN_CALLS, Reputation
from gateway.model.verdict import Action
from gateway.pipeline import Judgement
from gateway.store.knowledge.trust import Clean, TrustBook

log = structlog.get_logger()

WAITING = 50_000
"""clean transactions that wait to be mined; the oldest are forgotten first"""
LOADED = 20_000
"""addresses with a history that this process knows: those with the longest"""
BLOCKS_AT_ONCE = 16
"""blocks read in one look; after a longer absence the rest is not counted"""
FLUSH = 5.0
RELOAD = 30.0
_LOOK = 1.0

Mined = Callable[[int], Awaitable[frozenset[Hash32]]]
"""(block number) -> hashes of its transactions; raises UpstreamError."""


class ReputationKeeper:
    """Counts clean transactions once they are mined. A reorg takes no count back: this is history, not proof."""

    def __init__(self, book: TrustBook, mined: Mined, head: Callable[[], int | None]) -> None:
        """`head`: number of the newest block; None before the first."""
        self._book, self._mined, self._head = book, mined, head
        self._waiting: OrderedDict[Hash32, tuple[Address, Address | None]] = OrderedDict()
        self._counted: dict[Address, Clean] = {}
        self._known: dict[Address, Reputation] = {}
        self._last: int | None = None

    def of(self, address: Address) -> Reputation | None:
        """What is known of an address; never waits."""
        return self._known.get(address)

    def offer(self, judgement: Judgement) -> None:
        """Remember a forwarded transaction without a grave finding until it is mined; returns at once."""
        if judgement.verdict.action is not Action.FORWARD or judgement.verdict.observed:
            return
        simulation = judgement.simulation
        grave = any(finding.severity >= Severity.MEDIUM for finding in judgement.verdict.report.findings)
        if grave or simulation is None or not simulation.succeeded:
            return
        transaction = judgement.transaction
        calls = simulation.trace.frames and simulation.trace.frames[0].code_hash is not None
        self._waiting[transaction.hash] = (transaction.sender, transaction.to if calls else None)
        while len(self._waiting) > WAITING:
            self._waiting.popitem(last=False)

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        flush = reload = loop.time()
        while True:
            try:
                await self.look()
                if loop.time() >= flush:
                    await self.flush()
                    flush = loop.time() + FLUSH
                if loop.time() >= reload:
                    await self.reload()
                    reload = loop.time() + RELOAD
            except (RecordUnavailable, UpstreamError) as error:
                log.warning("reputation.waiting", error=str(error))
            await asyncio.sleep(_LOOK)

    async def look(self) -> None:
        """Find in the newest blocks what was forwarded. Raises UpstreamError."""
        head = self._head()
        if head is None or head == self._last:
            return
        last = head - 1 if self._last is None else self._last
        for number in range(max(last + 1, head - BLOCKS_AT_ONCE + 1), head + 1):
            if self._waiting:
                for hash in await self._mined(number):
                    self._count(hash)
            self._last = number
        self._last = head

    async def flush(self) -> None:
        """Write what was counted. Raises RecordUnavailable; nothing is lost then."""
        if self._counted:
            counted, self._counted = self._counted, {}
            try:
                await self._book.count_clean(counted)
            except RecordUnavailable:
                self._counted = counted
                raise

    async def reload(self) -> None:
        """Take marks in, and load the addresses that have a standing. Raises RecordUnavailable."""
        await self._book.take_marks_in()
        least = min(WELL_KNOWN_CALLS, REGULAR_CALLS)
        self._known = {one.address: one for one in await self._book.reputations(LOADED, least=least)}

    def _count(self, hash: Hash32) -> None:
        found = self._waiting.pop(hash, None)
        if found is None:
            return
        sender, contract = found
        self._counted.setdefault(sender, Clean()).count += 1
        if contract is not None:
            clean = self._counted.setdefault(contract, Clean())
            clean.count += 1
            clean.senders.add(sender)

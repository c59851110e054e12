"""Wakes parked transactions when their nonce comes up, and inspects them on the state they then meet."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from gateway.errors import InvalidTransaction, RecordUnavailable, Unexecutable, UpstreamError
from gateway.model.case import CaseOrder, CaseQuery, Conflict
from gateway.model.primitive import Address
from gateway.model.quarantine import CaseState, QuarantineEntry
from gateway.model.transaction import RawTransaction, Transaction
from gateway.store.quarantine import Record
from gateway.tasks.conclude import Conclusion
from gateway.tasks.deferred import Judge

log = structlog.get_logger()

NextNonce = Callable[[Address], Awaitable[int]]
"""The nonce that the sender's next transaction needs, after what is mined and forwarded. Raises UpstreamError."""


@dataclass(frozen=True, slots=True)
class ParkedLimits:
    """Pace and bounds of waking."""

    seconds: float = 2.0
    """for one inspection"""
    interval: float = 1.0
    """between rounds when nobody nudges"""
    batch: int = 500
    """cases looked at in one round"""


class ParkedLane:
    """Goes through PARKED cases, sender by sender in order of nonce."""

    def __init__(
        self,
        record: Record,
        conclusion: Conclusion,
        judge: Judge,
        decode: Callable[[RawTransaction], Transaction],
        next_nonce: NextNonce,
        limits: ParkedLimits = ParkedLimits(),
    ) -> None:
        self._record, self._conclusion, self._judge, self._decode = record, conclusion, judge, decode
        self._next_nonce, self._limits = next_nonce, limits
        self._nudged = asyncio.Event()

    def nudge(self) -> None:
        """Something was forwarded or mined: look now instead of at the next round."""
        self._nudged.set()

    async def run(self) -> None:
        """Work for ever."""
        while True:
            try:
                await self.round()
            except (UpstreamError, RecordUnavailable) as error:
                log.warning("parked.waiting", error=str(error))
                await asyncio.sleep(self._limits.interval)
            try:
                async with asyncio.timeout(self._limits.interval):
                    await self._nudged.wait()
            except TimeoutError:
                continue
            self._nudged.clear()

    async def round(self) -> int:
        """Look at every sender with parked cases once; returns how many cases moved.

        Raises:
            UpstreamError: the next nonces cannot be read.
            RecordUnavailable: the cases cannot.
        """
        query = CaseQuery(states=frozenset({CaseState.PARKED}), order=CaseOrder.OLDEST, limit=self._limits.batch)
        senders: dict[Address, list[QuarantineEntry]] = {}
        for entry in (await self._record.cases(query)).entries:
            senders.setdefault(entry.sender, []).append(entry)
        moved = 0
        for sender, entries in senders.items():
            expected = await self._next_nonce(sender)
            for entry in sorted(entries, key=lambda entry: entry.nonce):
                if entry.nonce > expected:
                    break
                moved += await self._wake(entry)
        return moved

    async def _wake(self, entry: QuarantineEntry) -> bool:
        try:
            deadline = time.monotonic() + self._limits.seconds
            judgement = await self._judge(self._decode(entry.raw), entry.client, deadline)
        except Unexecutable as error:
            if error.reason != "nonce too low":
                # Its funds may still arrive, and its predecessor may be on the way; it expires if they do not.
                return False
            outcome = await self._conclusion.refused(entry, error)
        except InvalidTransaction as error:
            outcome = await self._conclusion.refused(entry, Unexecutable("not decodable", str(error)))
        else:
            outcome = await self._conclusion.judged(entry, judgement)
        log.info("parked.woken", case=entry.case_id, outcome=str(getattr(outcome, "state", outcome)))
        return not isinstance(outcome, Conflict)

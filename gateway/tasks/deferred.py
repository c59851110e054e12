"""The slow lane: finishes inspections that ran out of time, without taking time from anybody else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from gateway.errors import InvalidTransaction, RecordUnavailable, Unexecutable, UpstreamError
from gateway.model.case import CaseOrder, CaseQuery, Conflict
from gateway.model.primitive import Address
from gateway.model.quarantine import CaseState, QuarantineEntry
from gateway.model.transaction import Client, RawTransaction, Transaction
from gateway.pipeline import Judgement
from gateway.store.quarantine import Record
from gateway.tasks.conclude import Conclusion
from gateway.tasks.lane import FairLane, LaneLimits, Owner

log = structlog.get_logger()

Judge = Callable[[Transaction, Client, float], Awaitable[Judgement]]
"""`Pipeline.judge` on the account of a client: (transaction, client, deadline in monotonic seconds)."""


@dataclass(frozen=True, slots=True)
class DeferredLimits:
    """Bounds of the slow lane."""

    workers: int = 2
    """inspections at a time; fewer than the engine can run, so that the fast lane always finds a place"""
    seconds: float = 2.0
    """for one inspection"""
    lane: LaneLimits = field(default_factory=LaneLimits)
    sweep_seconds: float = 15.0
    """between looks into the record for cases whose process died, or that did not fit"""
    retry_seconds: float = 1.0
    """pause when the upstream or the record is away"""


class DeferredLane:
    """Takes DEFERRED cases to a verdict: clean ones are released by the gateway itself, all others are HELD.

    The cases are in the record before they are here. What a crash loses is found again by the sweep, and two replicas
    that finish the same case cannot both act: the record lets one of them move it.
    """

    def __init__(
        self,
        record: Record,
        conclusion: Conclusion,
        judge: Judge,
        decode: Callable[[RawTransaction], Transaction],
        limits: DeferredLimits = DeferredLimits(),
    ) -> None:
        self._record, self._conclusion, self._judge, self._decode = record, conclusion, judge, decode
        self._limits = limits
        self._lane: FairLane[QuarantineEntry] = FairLane(limits.lane)
        self._known: set[str] = set()

    def __len__(self) -> int:
        return len(self._lane)

    @property
    def capacity(self) -> int:
        """Cases that may wait here."""
        return self._limits.lane.capacity

    def has_room(self, client: Client, sender: Address) -> bool:
        """False: answer the client that it has too much in inspection, instead of deferring one more."""
        return self._lane.has_room(Owner(client.owner, sender))

    def offer(self, entry: QuarantineEntry) -> bool:
        """Take a case that is DEFERRED in the record. False if there is no room; the sweep comes back to it."""
        if entry.case_id in self._known:
            return True
        taken = self._lane.offer(Owner(entry.client.owner, entry.sender), entry)
        if taken:
            self._known.add(entry.case_id)
        return taken

    async def run(self) -> None:
        """Work for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._sweep())
            for _ in range(self._limits.workers):
                tasks.create_task(self._work())

    async def _work(self) -> None:
        while True:
            owner, entry = await self._lane.take()
            try:
                await self._finish(entry)
            finally:
                self._known.discard(entry.case_id)
                self._lane.done(owner)

    async def _finish(self, entry: QuarantineEntry) -> None:
        while True:
            try:
                transaction = self._decode(entry.raw)
                judgement = await self._judge(transaction, entry.client, time.monotonic() + self._limits.seconds)
                moved = await self._conclusion.judged(entry, judgement)
            except (UpstreamError, RecordUnavailable) as error:
                log.warning("deferred.waiting", case=entry.case_id, error=str(error))
                await asyncio.sleep(self._limits.retry_seconds)
                continue
            except InvalidTransaction as error:
                refusal = error if isinstance(error, Unexecutable) else Unexecutable("not decodable", str(error))
                moved = await self._refuse(entry, refusal)
            log.info("deferred.finished", case=entry.case_id, outcome=str(getattr(moved, "state", moved)))
            return

    async def _refuse(self, entry: QuarantineEntry, refusal: Unexecutable) -> QuarantineEntry | Conflict:
        while True:
            try:
                return await self._conclusion.refused(entry, refusal)
            except RecordUnavailable:
                await asyncio.sleep(self._limits.retry_seconds)

    async def _sweep(self) -> None:
        while True:
            try:
                query = CaseQuery(
                    states=frozenset({CaseState.DEFERRED}), order=CaseOrder.OLDEST, limit=self._limits.lane.capacity
                )
                for entry in (await self._record.cases(query)).entries:
                    self.offer(entry)
            except RecordUnavailable as error:
                log.warning("deferred.sweep_failed", error=str(error))
            await asyncio.sleep(self._limits.sweep_seconds)

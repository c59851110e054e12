"""Carries out releases: inspects again at the head, sends once, and settles by hash whatever is in doubt.

The outbox row was written with the decision. Before the bytes leave, that they are about to is made durable. Whoever
finds such a mark, after a crash or a lost answer, asks the upstream for the hash, waits until a late arrival is out of
the question, asks again, and only then starts over. So nothing released is lost, and nothing is sent a second time
while the first might still arrive.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from gateway.errors import (
    InvalidTransaction,
    QueueUnavailable,
    RecordUnavailable,
    SimulationError,
    Unexecutable,
    UpstreamError,
    UpstreamRefused,
    UpstreamUnreachable,
)
from gateway.model.case import CaseDetail, Conflict, OutboxItem, OutboxOutcome
from gateway.model.finding import Severity, finding_key
from gateway.model.primitive import Hash32
from gateway.model.quarantine import QuarantineEntry
from gateway.model.verdict import Action, Verdict
from gateway.store.quarantine import LiveQueue, Record
from gateway.tasks.effect import changed_effects

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Reinspection:
    """What the inspection at release time came to."""

    verdict: Verdict
    detail: CaseDetail


class NotNow(Exception):
    """`Outlet.send` did not send, because what the inspection rests on has changed: inspect again."""


class Outlet(Protocol):
    """How the releaser looks at the chain and reaches the sequencer."""

    async def reinspect(self, entry: QuarantineEntry) -> Reinspection:
        """Simulate and inspect at the present head.

        Raises:
            Unexecutable: a node would refuse it now.
            SimulationError, UpstreamError: nothing is known; try again later.
        """

    async def send(self, entry: QuarantineEntry, reinspection: Reinspection) -> None:
        """Submit exactly `entry.raw.data`, once. Returning means that the upstream took it.

        Raises:
            NotNow, UpstreamUnreachable: nothing was sent.
            UpstreamRefused: the upstream's error answer.
            UpstreamError: any other; it may or may not have arrived.
        """

    async def is_known(self, hash: Hash32) -> bool:
        """True if the upstream has the transaction, pending or mined. Raises UpstreamError if it cannot be asked."""


@dataclass(frozen=True, slots=True)
class ReleaseLimits:
    """Times of the releaser."""

    poll: timedelta = timedelta(seconds=0.5)
    """between looks into the outbox; `wake` makes it look at once"""
    batch: int = 16
    lease: timedelta = timedelta(seconds=60)
    arrival: timedelta = timedelta(seconds=30)
    """how long after a send began its bytes may still reach the upstream; above the client's time-out for a send"""
    pause: timedelta = timedelta(seconds=1)
    """before the second attempt; doubles up to 30 s"""
    give_up: timedelta = timedelta(hours=1)
    """a release that could not be sent for so long goes back to the analysts"""
    hold: timedelta = timedelta(hours=6)
    """new time limit of a case that was opened again"""


def unseen_findings(verdict: Verdict, seen: frozenset[str]) -> tuple[str, ...]:
    """Titles of findings that whoever released the transaction had not before them.

    Those of severity info hold nothing and reopen nothing: what is known of a contract arrives seconds after the hold.
    """
    findings = verdict.report.findings
    return tuple(f.title for f in findings if f.severity > Severity.INFO and finding_key(f) not in seen)


class Releaser:
    """Works on the outbox for ever. Any number of replicas may run one: leases keep them apart."""

    def __init__(
        self,
        record: Record,
        queue: LiveQueue,
        outlet: Outlet,
        limits: ReleaseLimits = ReleaseLimits(),
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        settled: Callable[[QuarantineEntry], Awaitable[None]] | None = None,
    ) -> None:
        """`settled` hears of every case whose release ended, for metrics and for whoever waits for its nonce."""
        self._record, self._queue, self._outlet = record, queue, outlet
        self._limits, self._now, self._settled = limits, now, settled
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look into the outbox now: this process just wrote to it."""
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled. A database that is away is waited for."""
        while True:
            try:
                busy = await self.once()
            except RecordUnavailable as error:
                log.warning("release.record_unavailable", error=str(error))
                busy = 0
            if busy < self._limits.batch:
                await self._rest()

    async def once(self) -> int:
        """Take what is due and bring each item one step further; gives how many there were."""
        items = await self._record.outbox_take(self._limits.batch, lease=self._limits.lease)
        by_sender: dict[bytes, list[OutboxItem]] = {}
        for item in sorted(items, key=lambda item: item.entry.nonce):
            by_sender.setdefault(item.entry.sender, []).append(item)
        async with asyncio.TaskGroup() as group:
            for row in by_sender.values():
                group.create_task(self._in_turn(row))
        return len(items)

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(self._limits.poll.total_seconds()):
                await self._woken.wait()
        except TimeoutError:
            return
        self._woken.clear()

    async def _in_turn(self, items: list[OutboxItem]) -> None:
        """One sender's transactions one after the other, by nonce."""
        for item in items:
            try:
                await self._try(item)
            except RecordUnavailable as error:
                # The lease ends by itself; what may have been sent is marked.
                log.warning("release.record_unavailable", case=item.entry.case_id, error=str(error))

    async def _try(self, item: OutboxItem) -> None:
        try:
            await self._carry(item)
        except UpstreamError as error:
            # Only questions fail here. Whether an earlier send is on its way is as open as before.
            until = self._now() + self._limits.pause
            await self._record.outbox_defer(item, until, f"the upstream cannot be asked: {error}")

    async def _carry(self, item: OutboxItem) -> None:
        """Raises UpstreamError if nothing could be learned."""
        entry = item.entry
        if await self._outlet.is_known(entry.hash):
            await self._settle(item, OutboxOutcome.SENT, "the upstream has it")
            return
        if item.send_started_at is not None and self._now() < item.send_started_at + self._limits.arrival:
            until = item.send_started_at + self._limits.arrival
            await self._record.outbox_defer(item, until, "it was sent once and does not show yet")
            return
        try:
            reinspection = await self._outlet.reinspect(entry)
        except Unexecutable as error:
            await self._not_executable(item, error)
            return
        except InvalidTransaction as error:
            await self._settle(item, OutboxOutcome.REFUSED, f"it cannot be sent: {error}")
            return
        except SimulationError as error:
            await self._later(item, f"it could not be inspected again: {error}")
            return
        await self._judged(item, reinspection)

    async def _judged(self, item: OutboxItem, reinspection: Reinspection) -> None:
        verdict = reinspection.verdict
        if changed := changed_effects(await self._seen(item), reinspection.detail):
            reason = f"at release its effect is another than the one decided on: {'; '.join(changed[:4])}"
            await self._settle(item, OutboxOutcome.REOPENED, reason, reinspection)
            return
        if verdict.action is not Action.FORWARD:
            if new := unseen_findings(verdict, item.seen_findings):
                reason = f"inspection at release found what the decision had not before it: {'; '.join(new[:5])}"
                await self._settle(item, OutboxOutcome.REOPENED, reason, reinspection)
                return
            if not verdict.report.simulated:
                await self._later(item, f"it could not be simulated again: {verdict.report.error}", reinspection)
                return
        if not await self._record.outbox_sending(item):
            log.warning("release.lease_lost", case=item.entry.case_id)
            return
        try:
            await self._outlet.send(item.entry, reinspection)
        except (NotNow, UpstreamUnreachable) as error:
            await self._later(item, f"nothing was sent: {error}")
        except UpstreamRefused as error:
            await self._refused(item, error)
        except UpstreamError as error:
            until = self._now() + self._limits.arrival
            await self._record.outbox_defer(item, until, f"sent, and the answer was lost: {error}")
        else:
            await self._settle(item, OutboxOutcome.SENT, "forwarded after release")

    async def _seen(self, item: OutboxItem) -> CaseDetail | None:
        """What the decision was made on; None where nothing was simulated, or the gateway itself decided."""
        return None if item.entry.decided_by == "gateway" else await self._record.detail(item.entry.case_id)

    async def _not_executable(self, item: OutboxItem, error: Unexecutable) -> None:
        if error.reason == "nonce too low":
            await self._superseded(item)
        else:
            await self._later(item, f"not executable at present: {error}")

    async def _refused(self, item: OutboxItem, error: UpstreamRefused) -> None:
        """An error answer is a question: the node may have it, from us or from another door."""
        if await self._outlet.is_known(item.entry.hash):
            await self._settle(item, OutboxOutcome.SENT, f"the upstream has it ({error.message})")
        elif "nonce too low" in error.message.lower():
            await self._superseded(item)
        else:
            await self._later(item, f"the upstream refuses it: {error.message}")

    async def _superseded(self, item: OutboxItem) -> None:
        """Its nonce is used. By itself, if it was mined between two questions; else by another transaction."""
        if await self._outlet.is_known(item.entry.hash):
            await self._settle(item, OutboxOutcome.SENT, "the upstream has it")
        else:
            await self._settle(item, OutboxOutcome.SUPERSEDED, "its nonce was used by another transaction")

    async def _later(self, item: OutboxItem, problem: str, reinspection: Reinspection | None = None) -> None:
        """Once more after a pause; nothing is on its way to the upstream."""
        now = self._now()
        if now - item.created_at > self._limits.give_up:
            reason = f"could not be sent for {self._limits.give_up}: {problem}"
            await self._settle(item, OutboxOutcome.REOPENED, reason, reinspection)
            return
        pause = min(self._limits.pause * 2 ** min(item.attempts - 1, 10), timedelta(seconds=30))
        log.info("release.later", case=item.entry.case_id, hash=str(item.entry.hash), problem=problem)
        await self._record.outbox_defer(item, now + pause, problem, nothing_sent=True)

    async def _settle(
        self, item: OutboxItem, outcome: OutboxOutcome, reason: str, reinspection: Reinspection | None = None
    ) -> None:
        settled = await self._record.outbox_settle(
            item,
            outcome,
            reason,
            verdict=reinspection.verdict if reinspection else None,
            detail=reinspection.detail if reinspection else None,
            expires_at=self._now() + self._limits.hold if outcome is OutboxOutcome.REOPENED else None,
        )
        if isinstance(settled, Conflict):
            log.warning("release.settled_elsewhere", case=item.entry.case_id, state=str(settled.state))
            return
        log.info(f"release.{outcome}", case=settled.case_id, hash=str(settled.hash), reason=reason)
        try:
            await self._queue.move(settled)
        except QueueUnavailable as error:
            log.warning("queue.unavailable", case=settled.case_id, error=str(error))  # `rebuild` brings it in line
        if self._settled is not None:
            await self._settled(settled)

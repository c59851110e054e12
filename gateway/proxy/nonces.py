"""Nonces of one sender across forwarded, waiting and parked transactions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.errors import QueueUnavailable
from gateway.model.case import Conflict
from gateway.model.finding import InspectionReport
from gateway.model.primitive import Hash32
from gateway.model.quarantine import WAITING, CaseState, QuarantineEntry
from gateway.model.transaction import Client, Transaction
from gateway.model.verdict import Action, ReasonClass, Verdict
from gateway.store.quarantine import LiveQueue, Record

PARKING = Verdict(
    action=Action.HOLD,
    clause="nonce-gap",
    reason="an earlier nonce of this sender is missing or waits; inspected when it becomes executable",
    reason_class=ReasonClass.WAITING_FOR_NONCE,
    report=InspectionReport(findings=(), outcomes=(), simulated=False),
)
"""Why a parked transaction waits. It was not inspected: that happens on the state it will meet."""

_RIVALS = WAITING | {CaseState.RELEASED}


class TooManyWaiting(Exception):
    """The sender, or all senders together, have as much waiting as the limits allow; nothing was kept."""


@dataclass(frozen=True, slots=True)
class WaitingLimits:
    """How much may wait."""

    per_sender: int = 16
    """waiting cases of one sender, in any waiting state"""
    parked: int = 5_000
    """parked cases of all senders"""
    per_client: int = 500
    """waiting cases of one client, whichever senders signed them"""


class NonceDesk:
    """Answers what a sender's other transactions mean for the one at hand."""

    def __init__(self, record: Record, queue: LiveQueue, limits: WaitingLimits = WaitingLimits()) -> None:
        self._record, self._queue, self._limits = record, queue, limits

    async def rivals(self, transaction: Transaction) -> tuple[QuarantineEntry, ...]:
        """Waiting or released cases of the same sender and nonce: this transaction replaces them if it goes on.

        Raises RecordUnavailable if neither the queue nor the record answers.
        """
        return tuple(
            entry
            for entry in await self._waiting(transaction)
            if entry.nonce == transaction.nonce and entry.hash != transaction.hash and entry.state in _RIVALS
        )

    async def check_room(self, transaction: Transaction, client: Client) -> None:
        """Raises TooManyWaiting if sender or client may not have one more transaction wait; RecordUnavailable."""
        waiting = [entry for entry in await self._waiting(transaction) if entry.state in WAITING]
        # A replacement takes the place of what it replaces.
        others = [entry for entry in waiting if entry.nonce != transaction.nonce]
        if len(others) >= self._limits.per_sender:
            raise TooManyWaiting(f"{len(others)} transactions of {transaction.sender} are waiting already")
        if any(entry.nonce == transaction.nonce for entry in waiting):
            return
        if await self._record.waiting_of(client) >= self._limits.per_client:
            raise TooManyWaiting("too many transactions of this client are waiting already")
        try:
            counts = await self._queue.counts()
        except QueueUnavailable:
            counts = await self._record.counts()
        if counts.get(CaseState.PARKED, 0) >= self._limits.parked:
            raise TooManyWaiting("too many transactions of all senders wait for earlier nonces")

    async def supersede(self, rivals: Sequence[QuarantineEntry], by: Hash32) -> tuple[QuarantineEntry, ...]:
        """Close cases whose nonce is taken by `by`; returns those that were still open.

        A case that was decided meanwhile keeps its decision. Raises RecordUnavailable.
        """
        closed = []
        for rival in rivals:
            moved = await self._record.move(
                rival.case_id, _RIVALS, CaseState.SUPERSEDED, "gateway", f"replaced by {by} with the same nonce"
            )
            if isinstance(moved, Conflict):
                continue
            closed.append(moved)
            try:
                await self._queue.move(moved)
            except QueueUnavailable:
                # The record has it; rebuild brings the queue in line.
                continue
        return tuple(closed)

    async def _waiting(self, transaction: Transaction) -> Sequence[QuarantineEntry]:
        try:
            return await self._queue.by_sender(transaction.sender)
        except QueueUnavailable:
            return await self._record.by_sender(transaction.sender, _RIVALS)

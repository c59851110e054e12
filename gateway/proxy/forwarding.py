"""Forwards a transaction whose verdict is FORWARD: takes its place in the shared order, then sends it once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from gateway.errors import QueueUnavailable, RecordUnavailable, UpstreamUnreachable
from gateway.model.case import SubmissionNote
from gateway.model.pending import Admission
from gateway.model.primitive import Hash32
from gateway.model.quarantine import QuarantineEntry
from gateway.model.trace import SimulationResult
from gateway.model.transaction import Transaction
from gateway.pipeline import Judgement
from gateway.proxy.dispatch import Dispatch, Unsettled
from gateway.proxy.nonces import NonceDesk
from gateway.proxy.note import judged_note
from gateway.proxy.reply import Answer, Arrival, Terms, hash_answer, unsettled, upstream_unavailable
from gateway.telemetry import Metrics

log = structlog.get_logger()


class Order(Protocol):
    """The order of forwarding that all replicas share."""

    async def admit(self, transaction: Transaction, simulation: SimulationResult | None) -> Admission:
        """A place for the transaction, if what it was judged on still holds.

        Raises:
            QueueUnavailable: the order is away and required; nothing may be sent.
            UpstreamError: there is no fresh head.
        """

    async def withdraw(self, transaction: Hash32) -> None:
        """The upstream refused it for good. Raises QueueUnavailable if the other replicas could not be told."""


class Outdated(Exception):
    """What the verdict rests on has changed: judge again. Nothing was sent."""


class Forwarding:
    """The last step of a clean transaction."""

    def __init__(
        self,
        *,
        order: Order,
        dispatch: Dispatch,
        nonces: NonceDesk,
        note: Callable[[SubmissionNote], None],
        terms: Terms,
        metrics: Metrics,
        forwarded: Callable[[], None],
    ) -> None:
        """`forwarded` is called after each transaction that left, so that who waits for its nonce may look."""
        self._order, self._dispatch, self._nonces, self._note = order, dispatch, nonces, note
        self._terms, self._metrics, self._forwarded = terms, metrics, forwarded

    async def forward(self, judgement: Judgement, arrival: Arrival, rivals: Sequence[QuarantineEntry]) -> Answer:
        """Send it once and answer with the upstream's words; cases it replaces are closed first.

        Raises:
            Outdated: judge again.
            RpcError: it was not sent, or its fate is open; the data says which.
            QueueUnavailable, UpstreamError: from `Order.admit`; nothing was sent.
            RecordUnavailable: the cases it replaces could not be closed; nothing was sent.
        """
        transaction = judgement.transaction
        admission = await self._order.admit(transaction, judgement.simulation)
        if admission is Admission.CHANGED:
            raise Outdated
        if admission is Admission.KNOWN:
            return hash_answer(transaction.hash)
        try:
            await self._nonces.supersede(rivals, transaction.hash)
        except RecordUnavailable:
            await self._withdraw(transaction.hash)
            raise
        return await self._send(judgement, arrival)

    async def _send(self, judgement: Judgement, arrival: Arrival) -> Answer:
        hash = judgement.transaction.hash
        try:
            answer = await self._dispatch.send(judgement.transaction.raw)
        except UpstreamUnreachable as error:
            await self._withdraw(hash)
            self.note(judged_note(judgement, arrival, f"not sent: {error}"))
            raise upstream_unavailable("the sequencer cannot be reached at present") from error
        except Unsettled as error:
            # It keeps its place: if it was taken, what comes after must be judged on top of it.
            self.note(judged_note(judgement, arrival, f"unsettled: {error}"))
            raise unsettled(hash, self._terms) from error
        if answer.member == b"error":
            await self._withdraw(hash)
        self.note(judged_note(judgement, arrival, answer.value.decode(errors="replace")))
        self._forwarded()
        return answer

    def note(self, note: SubmissionNote) -> None:
        """Give a note to the audit chain. What was sent is sent: a full backlog is an alarm, not an answer."""
        try:
            self._note(note)
        except RecordUnavailable as error:
            self._metrics.failure_answers.labels("audit").inc()
            log.critical("audit.lost", hash=str(note.hash), action=note.action, error=str(error))

    async def _withdraw(self, hash: Hash32) -> None:
        try:
            await self._order.withdraw(hash)
        except QueueUnavailable as error:
            log.warning("order.not_withdrawn", hash=str(hash), error=str(error))

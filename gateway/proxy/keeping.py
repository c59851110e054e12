"""Keeps a transaction that is not forwarded now: SQL, then Redis, then the answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

import structlog

from gateway.errors import QueueUnavailable
from gateway.jsonrpc.errors import Code, RpcError
from gateway.model.case import Decision
from gateway.model.facts import Facts
from gateway.model.primitive import Address
from gateway.model.quarantine import CaseState, PublicStatus, QuarantineEntry, TransactionStatus
from gateway.model.verdict import Action
from gateway.pipeline import Judgement
from gateway.proxy.nonces import NonceDesk, TooManyWaiting
from gateway.proxy.reply import Answer, Arrival, Terms, hash_answer, not_forwarded
from gateway.store.quarantine import LiveQueue, Record
from gateway.telemetry import Metrics

log = structlog.get_logger()


class Deferral(Protocol):
    """Who finishes inspections that ran out of time."""

    def has_room(self, sender: Address) -> bool:
        """False: the sender, or everybody, has too much in inspection already."""

    def offer(self, entry: QuarantineEntry) -> bool:
        """Take a DEFERRED case; False if it does not fit, and is found in the record later."""


class Keeping:
    """Makes cases."""

    def __init__(
        self,
        *,
        record: Record,
        queue: LiveQueue,
        nonces: NonceDesk,
        deferral: Deferral,
        terms: Terms,
        metrics: Metrics,
        new_case_id: Callable[[], str],
        kept: Callable[[str, Facts], None] = lambda case_id, facts: None,
    ) -> None:
        """`kept` hears of every case that was made; it must neither wait nor raise."""
        self._record, self._queue, self._nonces, self._deferral = record, queue, nonces, deferral
        self._terms, self._metrics, self._new_case_id, self._kept = terms, metrics, new_case_id, kept

    async def keep(self, judgement: Judgement, arrival: Arrival, state: CaseState) -> Answer:
        """Write the case and tell its status; a hash if the record knows it as forwarded meanwhile.

        Raises:
            RpcError: always, unless it was forwarded: the status, or that too much is waiting.
            RecordUnavailable: nothing is kept.
        """
        await self._check_room(judgement, state)
        kept = await self._record.hold(self._entry(judgement, arrival, state), judgement.detail)
        log.info(
            "submission.held", hash=str(kept.hash), case=kept.case_id, state=kept.state, clause=kept.verdict.clause
        )
        try:
            await self._queue.put(kept)
        except QueueUnavailable as error:
            kept = await self._decide_without_queue(kept, error)
        self._kept(kept.case_id, judgement.facts)
        if kept.state is CaseState.DEFERRED:
            self._deferral.offer(kept)
        if kept.state is CaseState.FORWARDED:  # another replica had it, and it was released since
            return hash_answer(kept.hash)
        public = PublicStatus(kept.state)
        status = TransactionStatus(public, kept.hash, kept.case_id, kept.verdict.reason_class, kept.expires_at)
        raise not_forwarded(status, self._terms)

    async def _check_room(self, judgement: Judgement, state: CaseState) -> None:
        sender = judgement.transaction.sender
        try:
            await self._nonces.check_room(judgement.transaction)
        except TooManyWaiting as error:
            raise RpcError(Code.LIMIT_EXCEEDED, f"{error}; nothing was kept, submit again later") from None
        if state is CaseState.DEFERRED and not self._deferral.has_room(sender):
            raise RpcError(
                Code.LIMIT_EXCEEDED,
                "too many transactions are still being inspected; nothing was kept, submit again later",
            )

    def _entry(self, judgement: Judgement, arrival: Arrival, state: CaseState) -> QuarantineEntry:
        transaction = judgement.transaction
        return QuarantineEntry(
            case_id=self._new_case_id(),
            raw=transaction.raw,
            sender=transaction.sender,
            nonce=transaction.nonce,
            to=transaction.to,
            value=transaction.value,
            client=arrival.client,
            verdict=judgement.verdict,
            state=state,
            held_at=arrival.at,
            expires_at=arrival.at + timedelta(seconds=self._terms.policy.hold_seconds),
            estimated_loss=judgement.loss.amount if judgement.loss else None,
        )

    async def _decide_without_queue(self, entry: QuarantineEntry, error: QueueUnavailable) -> QuarantineEntry:
        """Redis is away: the case stands in SQL. Policy may decide it at once instead of leaving it to `rebuild`."""
        self._metrics.failure_answers.labels("queue").inc()
        log.error("submission.queue_unavailable", case=entry.case_id, error=str(error))
        answer = self._terms.policy.on_queue_unavailable
        target = {Action.FORWARD: CaseState.RELEASED, Action.REJECT: CaseState.REJECTED}.get(answer)
        if target is None:
            return entry
        reason = f"policy on_queue_unavailable={answer}: {error}"
        decided = await self._record.decide(entry.case_id, Decision(target, "gateway", reason))
        return decided if isinstance(decided, QuarantineEntry) else entry

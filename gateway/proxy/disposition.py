"""From a submitted transaction to the client's answer: judge, write, act, in the order that loses nothing.

Hold: SQL, then Redis, then the answer; a crash in between is repaired by `gateway.tasks.rebuild`. Forward: send once,
answer with the upstream's words, let the audit record follow. The same hash always gets the same case.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import structlog

from gateway.errors import InvalidTransaction, QueueUnavailable, RecordUnavailable, Unexecutable, UpstreamError
from gateway.jsonrpc.errors import Code, RpcError
from gateway.model.facts import Facts
from gateway.model.finding import OutcomeStatus
from gateway.model.primitive import Hash32
from gateway.model.quarantine import CaseState, PublicStatus, QuarantineEntry, TransactionStatus
from gateway.model.transaction import RawTransaction, Transaction
from gateway.model.verdict import Action, ReasonClass
from gateway.pipeline import Judgement
from gateway.proxy.dispatch import Dispatch
from gateway.proxy.forwarding import Forwarding, Outdated
from gateway.proxy.keeping import Keeping
from gateway.proxy.nonces import PARKING, NonceDesk
from gateway.proxy.note import invalid_note, judged_note
from gateway.proxy.reply import (
    Answer,
    Arrival,
    Terms,
    hash_answer,
    not_forwarded,
    record_unavailable,
    upstream_unavailable,
)
from gateway.proxy.turns import Turns
from gateway.store.quarantine import LiveQueue, Record
from gateway.telemetry import Metrics

log = structlog.get_logger()

_JUDGEMENTS = 4
"""how often one submission is judged while what it depends on keeps changing; then it is deferred"""
_NONCE_GAP = "nonce too high"


@dataclass(frozen=True, slots=True)
class Steps:
    """What a submission goes through."""

    decode: Callable[[bytes], Transaction]
    turns: Turns
    nonces: NonceDesk
    forwarding: Forwarding
    keeping: Keeping


class Disposition:
    """Takes each submission to its end. One instance serves all connections of a process."""

    def __init__(
        self, steps: Steps, *, record: Record, queue: LiveQueue, dispatch: Dispatch, terms: Terms, metrics: Metrics
    ) -> None:
        self._steps, self._record, self._queue = steps, record, queue
        self._dispatch, self._terms, self._metrics = dispatch, terms, metrics
        self._in_flight: dict[Hash32, asyncio.Future[Answer]] = {}

    def is_in_flight(self, hash: Hash32) -> bool:
        """True while this process judges or sends that transaction."""
        return hash in self._in_flight

    async def submit(self, raw: RawTransaction, arrival: Arrival) -> Answer:
        """Judge `raw` and act on the verdict. Copies that arrive meanwhile wait for the same answer.

        Raises:
            RpcError: it was not forwarded; `data.status` says whether it still may be.
        """
        waiting = self._in_flight.get(raw.hash)
        if waiting is not None:
            return await asyncio.shield(waiting)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._in_flight[raw.hash] = future
        try:
            answer = await self._submit(raw, arrival)
        except BaseException as error:
            if isinstance(error, Exception):
                future.set_exception(error)
                future.exception()  # marks it as seen: there may be no copy waiting
            else:
                future.cancel()
            raise
        finally:
            del self._in_flight[raw.hash]
        future.set_result(answer)
        return answer

    async def _submit(self, raw: RawTransaction, arrival: Arrival) -> Answer:
        try:
            transaction = self._steps.decode(raw.data)
        except InvalidTransaction as error:
            raise self._invalid(raw, None, arrival, error) from None
        try:
            return await self._settle(transaction, arrival)
        except InvalidTransaction as error:
            raise self._invalid(raw, transaction, arrival, error) from None
        except UpstreamError as error:
            self._metrics.upstream_errors.labels(type(error).__name__).inc()
            log.warning("submission.not_judged", hash=str(raw.hash), error=str(error))
            raise upstream_unavailable("the chain's state cannot be read at present") from error
        except RecordUnavailable as error:
            self._metrics.failure_answers.labels("record").inc()
            log.error("submission.record_unavailable", hash=str(raw.hash), error=str(error))
            raise record_unavailable() from error

    async def _settle(self, transaction: Transaction, arrival: Arrival) -> Answer:
        if await self._is_queued(transaction.hash):
            # Redis knows a case, so there is nothing to simulate; what its state is, the record says.
            answer = await self._known(await self._status(transaction.hash))
            if answer is not None:
                return answer
        status, rivals, judgement = await asyncio.gather(
            self._status(transaction.hash),
            self._steps.nonces.rivals(transaction),
            self._steps.turns.judge(transaction, arrival.client, arrival.deadline),
            return_exceptions=True,
        )
        if isinstance(status, BaseException):
            raise status
        answer = await self._known(status)
        if answer is not None:
            return answer
        if status.status is PublicStatus.FORWARDED and await self._dispatch.is_known(transaction.hash):
            return hash_answer(transaction.hash)
        if isinstance(rivals, BaseException):
            if not (isinstance(rivals, RecordUnavailable) and self._goes_on_without_record()):
                raise rivals
            rivals = ()
        if isinstance(judgement, Unexecutable) and judgement.reason == _NONCE_GAP:
            return await self._steps.keeping.keep(
                Judgement(transaction, PARKING, None, Facts()), arrival, CaseState.PARKED
            )
        if isinstance(judgement, BaseException):
            raise judgement
        return await self._act(judgement, arrival, rivals)

    async def _is_queued(self, hash: Hash32) -> bool:
        try:
            return await self._queue.by_hash(hash) is not None
        except QueueUnavailable:
            return False  # the record is asked in any case

    async def _status(self, hash: Hash32) -> TransactionStatus:
        try:
            return await self._record.status(hash)
        except RecordUnavailable:
            if self._goes_on_without_record():
                return TransactionStatus(PublicStatus.UNKNOWN, hash)
            raise

    def _goes_on_without_record(self) -> bool:
        return self._terms.policy.on_record_unavailable is Action.FORWARD

    async def _known(self, status: TransactionStatus) -> Answer | None:
        """The answer for a hash that has a case; None if it has none.

        Raises:
            RpcError: the case's present status, unless it was forwarded.
        """
        if status.case_id is None:
            return None
        if status.status in (PublicStatus.FORWARDED, PublicStatus.INCLUDED):
            return hash_answer(status.hash)
        # Released and sent, while the record has not been told yet.
        if status.status is PublicStatus.RELEASED and await self._dispatch.is_known(status.hash):
            return hash_answer(status.hash)
        raise not_forwarded(status, self._terms)

    async def _act(self, judgement: Judgement, arrival: Arrival, rivals: Sequence[QuarantineEntry]) -> Answer:
        for _ in range(_JUDGEMENTS):
            if judgement.verdict.action is not Action.FORWARD:
                break
            self._count(judgement)
            try:
                return await self._steps.forwarding.forward(judgement, arrival, rivals)
            except Outdated:
                judgement = await self._steps.turns.judge(judgement.transaction, arrival.client, arrival.deadline)
            except QueueUnavailable as error:
                self._metrics.failure_answers.labels("order").inc()
                log.error("submission.order_unavailable", hash=str(judgement.transaction.hash), error=str(error))
                judgement = _deferred(judgement, "order-unavailable", f"the order of forwarding is away: {error}")
        else:
            judgement = _deferred(judgement, "moving-state", "what it depends on changed each time it was judged")
        return await self._withhold(judgement, arrival, rivals)

    async def _withhold(self, judgement: Judgement, arrival: Arrival, rivals: Sequence[QuarantineEntry]) -> Answer:
        self._count(judgement)
        transaction, verdict = judgement.transaction, judgement.verdict
        if verdict.action is Action.REJECT:
            self._steps.forwarding.note(judged_note(judgement, arrival, ""))
            status = TransactionStatus(PublicStatus.REJECTED, transaction.hash, None, verdict.reason_class)
            raise not_forwarded(status, self._terms)
        state = CaseState.DEFERRED if verdict.action is Action.DEFER else CaseState.HELD
        try:
            return await self._steps.keeping.keep(judgement, arrival, state)
        except RecordUnavailable:
            if not self._goes_on_without_record():
                raise
            self._metrics.failure_answers.labels("record").inc()
            return await self._steps.forwarding.forward(judgement, arrival, rivals)

    def _invalid(
        self, raw: RawTransaction, transaction: Transaction | None, arrival: Arrival, error: InvalidTransaction
    ) -> RpcError:
        self._metrics.submissions.labels("invalid", type(error).__name__).inc()
        self._steps.forwarding.note(invalid_note(raw, transaction, arrival, error))
        return RpcError(Code.INVALID_INPUT, str(error))

    def _count(self, judgement: Judgement) -> None:
        self._metrics.submissions.labels(judgement.verdict.action, judgement.verdict.clause).inc()
        for stage, seconds in judgement.timings.items():
            self._metrics.stage_seconds.labels(stage).observe(seconds)
        for outcome in judgement.verdict.report.outcomes:
            if outcome.status is not OutcomeStatus.COMPLETED:
                self._metrics.detectors_incomplete.labels(outcome.detector_id, outcome.status).inc()


def _deferred(judgement: Judgement, clause: str, reason: str) -> Judgement:
    verdict = replace(
        judgement.verdict,
        action=Action.DEFER,
        clause=clause,
        reason=reason,
        reason_class=ReasonClass.STILL_INSPECTING,
    )
    return replace(judgement, verdict=verdict)

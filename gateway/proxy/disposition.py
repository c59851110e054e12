"""From a submitted transaction to the client's answer: judge, write, act, in the order that loses nothing.

Hold: SQL, then Redis, then the answer; a crash in between is repaired by `gateway.tasks.rebuild`. Forward: send once,
answer with the upstream's words, let the audit record follow. The same hash always gets the same case.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog

from gateway.errors import InvalidTransaction, QueueUnavailable, RecordUnavailable, UpstreamError, UpstreamUnreachable
from gateway.jsonrpc.errors import Code, RpcError
from gateway.model.case import CaseDetail, Decision, SubmissionNote
from gateway.model.finding import OutcomeStatus
from gateway.model.primitive import Hash32
from gateway.model.quarantine import CaseState, PublicStatus, QuarantineEntry, TransactionStatus
from gateway.model.transaction import RawTransaction, Transaction
from gateway.model.verdict import Action
from gateway.pipeline import Judgement, Pipeline
from gateway.proxy.dispatch import Dispatch, Unsettled
from gateway.proxy.note import invalid_note, judged_note
from gateway.proxy.reply import (
    Answer,
    Arrival,
    Terms,
    hash_answer,
    not_forwarded,
    record_unavailable,
    unsettled,
    upstream_unavailable,
)
from gateway.store.quarantine import LiveQueue, Record
from gateway.telemetry import Metrics

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Stores:
    """Where cases and notes go."""

    record: Record
    queue: LiveQueue
    note: Callable[[SubmissionNote], None]
    """takes a note for the audit chain without waiting"""


class Disposition:
    """Takes each submission to its end. One instance serves all connections of a process."""

    def __init__(
        self,
        *,
        decode: Callable[[bytes], Transaction],
        pipeline: Pipeline,
        stores: Stores,
        dispatch: Dispatch,
        terms: Terms,
        metrics: Metrics,
        new_case_id: Callable[[], str],
    ) -> None:
        self._decode, self._pipeline, self._stores = decode, pipeline, stores
        self._dispatch, self._terms, self._metrics = dispatch, terms, metrics
        self._new_case_id = new_case_id
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
            transaction = self._decode(raw.data)
        except InvalidTransaction as error:
            raise self._invalid(raw, None, arrival, error) from None
        if await self._is_queued(raw.hash):
            # Redis knows a case, so there is nothing to simulate; what its state is, the record says.
            answer = self._known(await self._status(raw.hash))
            if answer is not None:
                return answer
        status, judgement = await asyncio.gather(
            self._status(raw.hash), self._pipeline.judge(transaction, arrival.deadline), return_exceptions=True
        )
        if isinstance(status, BaseException):
            raise status
        answer = self._known(status)
        if answer is not None:
            return answer
        if status.status is PublicStatus.FORWARDED and await self._dispatch.is_known(raw.hash):
            return hash_answer(raw.hash)
        if isinstance(judgement, BaseException):
            raise self._not_judged(judgement, transaction, arrival)
        return await self._act(judgement, arrival)

    def _invalid(
        self, raw: RawTransaction, transaction: Transaction | None, arrival: Arrival, error: InvalidTransaction
    ) -> RpcError:
        self._metrics.submissions.labels("invalid", type(error).__name__).inc()
        self._note(invalid_note(raw, transaction, arrival, error))
        return RpcError(Code.INVALID_INPUT, str(error))

    def _not_judged(self, error: BaseException, transaction: Transaction, arrival: Arrival) -> BaseException:
        if isinstance(error, InvalidTransaction):
            return self._invalid(transaction.raw, transaction, arrival, error)
        if isinstance(error, UpstreamError):
            self._metrics.upstream_errors.labels(type(error).__name__).inc()
            log.warning("submission.not_judged", hash=str(transaction.hash), error=str(error))
            return upstream_unavailable("the chain's state cannot be read at present")
        return error

    async def _is_queued(self, hash: Hash32) -> bool:
        try:
            return await self._stores.queue.by_hash(hash) is not None
        except QueueUnavailable:
            return False  # the record is asked in any case

    async def _status(self, hash: Hash32) -> TransactionStatus:
        """What the record knows; if it is away, the policy says whether to go on without."""
        try:
            return await self._stores.record.status(hash)
        except RecordUnavailable as error:
            if self._terms.policy.on_record_unavailable is Action.FORWARD:
                return TransactionStatus(PublicStatus.UNKNOWN, hash)
            raise self._refuse_without_record(hash, error) from error

    def _refuse_without_record(self, hash: Hash32, error: RecordUnavailable) -> RpcError:
        self._metrics.failure_answers.labels("record").inc()
        log.error("submission.record_unavailable", hash=str(hash), error=str(error))
        return record_unavailable()

    def _known(self, status: TransactionStatus) -> Answer | None:
        """The answer for a hash that has a case; None if it has none.

        Raises:
            RpcError: the case's present status, unless it was forwarded.
        """
        if status.case_id is None:
            return None
        if status.status in (PublicStatus.FORWARDED, PublicStatus.INCLUDED):
            return hash_answer(status.hash)
        raise not_forwarded(status, self._terms)

    async def _act(self, judgement: Judgement, arrival: Arrival) -> Answer:
        self._count(judgement)
        match judgement.verdict.action:
            case Action.FORWARD:
                return await self._forward(judgement, arrival)
            case Action.REJECT:
                self._note(judged_note(judgement, arrival, ""))
                hash, reason = judgement.transaction.hash, judgement.verdict.reason_class
                raise not_forwarded(TransactionStatus(PublicStatus.REJECTED, hash, None, reason), self._terms)
            case Action.HOLD:
                return await self._keep(judgement, arrival, CaseState.HELD)
            case Action.DEFER:
                return await self._keep(judgement, arrival, CaseState.DEFERRED)

    async def _keep(self, judgement: Judgement, arrival: Arrival, state: CaseState) -> Answer:
        entry = self._entry(judgement, arrival, state)
        detail = CaseDetail(
            transaction=judgement.transaction,
            report=judgement.verdict.report,
            simulation=judgement.simulation,
            facts=judgement.facts,
            timings=judgement.timings,
        )
        try:
            kept = await self._stores.record.hold(entry, detail)
        except RecordUnavailable as error:
            if self._terms.policy.on_record_unavailable is Action.FORWARD:
                self._metrics.failure_answers.labels("record").inc()
                return await self._forward(judgement, arrival)
            raise self._refuse_without_record(entry.hash, error) from error
        log.info(
            "submission.held", hash=str(kept.hash), case=kept.case_id, state=kept.state, clause=kept.verdict.clause
        )
        try:
            await self._stores.queue.put(kept)
        except QueueUnavailable as error:
            kept = await self._decide_without_queue(kept, error)
        if kept.state is CaseState.FORWARDED:  # another replica had it, and it was released since
            return hash_answer(kept.hash)
        public = PublicStatus(kept.state)
        status = TransactionStatus(public, kept.hash, kept.case_id, kept.verdict.reason_class, kept.expires_at)
        raise not_forwarded(status, self._terms)

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
        decided = await self._stores.record.decide(entry.case_id, Decision(target, "gateway", reason))
        return decided if isinstance(decided, QuarantineEntry) else entry

    async def _forward(self, judgement: Judgement, arrival: Arrival) -> Answer:
        hash = judgement.transaction.hash
        try:
            answer = await self._dispatch.send(judgement.transaction.raw)
        except UpstreamUnreachable as error:
            self._note(judged_note(judgement, arrival, f"not sent: {error}"))
            raise upstream_unavailable("the sequencer cannot be reached at present") from error
        except Unsettled as error:
            self._note(judged_note(judgement, arrival, f"unsettled: {error}"))
            raise unsettled(hash, self._terms) from error
        self._note(judged_note(judgement, arrival, answer.value.decode(errors="replace")))
        return answer

    def _note(self, note: SubmissionNote) -> None:
        """Give a note to the audit chain. What was sent is sent: a full backlog is an alarm, not an answer."""
        try:
            self._stores.note(note)
        except RecordUnavailable as error:
            self._metrics.failure_answers.labels("audit").inc()
            log.critical("audit.lost", hash=str(note.hash), action=note.action, error=str(error))

    def _count(self, judgement: Judgement) -> None:
        self._metrics.submissions.labels(judgement.verdict.action, judgement.verdict.clause).inc()
        for stage, seconds in judgement.timings.items():
            self._metrics.stage_seconds.labels(stage).observe(seconds)
        for outcome in judgement.verdict.report.outcomes:
            if outcome.status is not OutcomeStatus.COMPLETED:
                self._metrics.detectors_incomplete.labels(outcome.detector_id, outcome.status).inc()

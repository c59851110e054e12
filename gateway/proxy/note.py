"""What the audit chain keeps of a submission that was not held."""

from __future__ import annotations

from gateway.errors import InvalidTransaction, Unexecutable
from gateway.model.case import SubmissionNote
from gateway.model.finding import OutcomeStatus
from gateway.model.transaction import RawTransaction, Transaction
from gateway.model.verdict import Action, ReasonClass
from gateway.pipeline import Judgement
from gateway.proxy.reply import Arrival

_ANSWER_CHARACTERS = 200


def judged_note(judgement: Judgement, arrival: Arrival, answer: str) -> SubmissionNote:
    """The note of a forwarded or rejected transaction; `answer` is what the upstream said, or why it was not asked."""
    transaction, verdict = judgement.transaction, judgement.verdict
    return SubmissionNote(
        hash=transaction.hash,
        sender=transaction.sender,
        nonce=transaction.nonce,
        to=transaction.to,
        value=transaction.value,
        method=arrival.method,
        client=arrival.client,
        received_at=arrival.at,
        action=verdict.action,
        clause=verdict.clause,
        reason_class=verdict.reason_class,
        score=verdict.score,
        findings=tuple(dict.fromkeys(finding.detector_id for finding in verdict.report.findings)),
        incomplete=tuple(
            f"{outcome.detector_id} {outcome.status}"
            for outcome in verdict.report.outcomes
            if outcome.status is not OutcomeStatus.COMPLETED
        ),
        ruleset_hash=verdict.report.ruleset_hash,
        duration=judgement.timings.get("total", 0.0),
        answer=answer[:_ANSWER_CHARACTERS],
        observed=verdict.observed,
    )


def invalid_note(
    raw: RawTransaction, transaction: Transaction | None, arrival: Arrival, error: InvalidTransaction
) -> SubmissionNote:
    """The note of bytes that are no transaction this chain takes; `transaction` is None if they did not decode."""
    return SubmissionNote(
        hash=raw.hash,
        sender=transaction.sender if transaction else None,
        nonce=transaction.nonce if transaction else None,
        to=transaction.to if transaction else None,
        value=transaction.value if transaction else None,
        method=arrival.method,
        client=arrival.client,
        received_at=arrival.at,
        action=Action.REJECT,
        clause=error.reason if isinstance(error, Unexecutable) else type(error).__name__,
        reason_class=ReasonClass.INVALID,
        score=0.0,
        findings=(),
        incomplete=(),
        ruleset_hash="",
        duration=0.0,
        answer=str(error)[:_ANSWER_CHARACTERS],
    )

from dataclasses import replace

import pytest

from gateway.inspection.policy import DEFAULT_POLICY, decide, score
from gateway.model.finding import Confidence, DetectorOutcome, Finding, InspectionReport, OutcomeStatus, Severity
from gateway.model.policy import Mode
from gateway.model.primitive import Address
from gateway.model.verdict import Action, ReasonClass

SENDER = Address(b"\x01" * 20)


def finding(severity=Severity.HIGH, confidence=Confidence.MEDIUM, detector="a-detector"):
    return Finding(detector, f"Title of {detector}", severity, confidence, "It happened.")


def report(*findings, outcomes=(), **fields):
    return InspectionReport(tuple(findings), tuple(outcomes), **{"simulated": True, **fields})


def outcome(status):
    return DetectorOutcome("slow-detector", status, 0.1)


def test_nothing_found_is_forwarded():
    verdict = decide(report())
    assert (verdict.action, verdict.clause, verdict.score) == (Action.FORWARD, "clean", 0.0)


def test_a_grave_finding_is_held_and_explained():
    verdict = decide(report(finding()))
    assert (verdict.action, verdict.clause) == (Action.HOLD, "grave-finding")
    assert verdict.reason_class is ReasonClass.SECURITY_REVIEW
    assert "It happened." in verdict.reason


@pytest.mark.parametrize("weak", [finding(Severity.MEDIUM), finding(confidence=Confidence.LOW)])
def test_a_weak_finding_alone_is_forwarded(weak):
    assert decide(report(weak)).action is Action.FORWARD


def test_three_detectors_that_agree_hold_where_one_would_not():
    three = [finding(Severity.MEDIUM, detector=name) for name in ("one", "two", "three")]
    assert decide(report(*three)).clause == "findings-agree"
    assert decide(report(*[finding(Severity.MEDIUM)] * 3)).action is Action.FORWARD


def test_trust_lowers_confidence_but_not_past_a_sure_finding():
    trusting = replace(DEFAULT_POLICY, trusted_senders=frozenset({SENDER}))
    assert decide(report(finding()), trusting, sender=SENDER).action is Action.FORWARD
    assert decide(report(finding(confidence=Confidence.HIGH)), trusting, sender=SENDER).action is Action.HOLD
    assert decide(report(finding()), trusting).action is Action.HOLD


@pytest.mark.parametrize(
    ("given", "action", "clause"),
    [
        (report(simulated=False, error="worker died"), Action.HOLD, "simulation-error"),
        (report(truncated="frames"), Action.DEFER, "over-budget"),
        (report(outcomes=[outcome(OutcomeStatus.FAILED)]), Action.HOLD, "detector-failure"),
        (report(outcomes=[outcome(OutcomeStatus.TIMED_OUT)]), Action.DEFER, "detector-timeout"),
        (report(outcomes=[outcome(OutcomeStatus.UNSUPPORTED)]), Action.FORWARD, "clean"),
        (report(reverted=True), Action.FORWARD, "simulated-revert"),
    ],
)
def test_every_failure_has_its_own_answer(given, action, clause):
    verdict = decide(given)
    assert (verdict.action, verdict.clause) == (action, clause)


def test_the_gravest_failure_answer_is_not_hidden_by_a_mild_one():
    open_revert = report(reverted=True, outcomes=[outcome(OutcomeStatus.FAILED)])
    assert decide(open_revert).action is Action.HOLD


def test_observe_mode_forwards_and_says_what_would_have_acted():
    verdict = decide(report(finding()), replace(DEFAULT_POLICY, mode=Mode.OBSERVE))
    assert (verdict.action, verdict.clause, verdict.observed) == (Action.FORWARD, "grave-finding", True)


def test_score_grows_with_independent_findings_and_counts_each_detector_once():
    one, two = score((finding(),)), score((finding(), finding(detector="other")))
    assert 0 < one < two < 1
    assert score((finding(), finding())) == one

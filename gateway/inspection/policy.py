"""From findings to one action: pure, named clauses, first match wins."""

from __future__ import annotations

from dataclasses import replace

from gateway.model.finding import Confidence, Finding, InspectionReport, OutcomeStatus, Severity
from gateway.model.policy import Clause, Mode, Policy
from gateway.model.primitive import Address
from gateway.model.verdict import Action, ReasonClass, Verdict

DEFAULT_CLAUSES = (
    Clause("copycat", Action.HOLD, Severity.HIGH, Confidence.HIGH, frozenset({"copycat"})),
    Clause("critical-finding", Action.HOLD, Severity.CRITICAL, Confidence.MEDIUM),
    Clause("grave-finding", Action.HOLD, Severity.HIGH, Confidence.MEDIUM),
    Clause("findings-agree", Action.HOLD, Severity.MEDIUM, Confidence.MEDIUM, findings=3),
)
DEFAULT_POLICY = Policy(clauses=DEFAULT_CLAUSES)

_WEIGHT = {Severity.INFO: 0.0, Severity.LOW: 0.1, Severity.MEDIUM: 0.35, Severity.HIGH: 0.8, Severity.CRITICAL: 1.0}
_CERTAINTY = {Confidence.LOW: 0.3, Confidence.MEDIUM: 0.7, Confidence.HIGH: 0.95}


def decide(report: InspectionReport, policy: Policy = DEFAULT_POLICY, *, sender: Address | None = None) -> Verdict:
    """Choose what happens to the transaction behind `report`.

    Order: a finding that a clause names; then the failure answers, for what was not looked at may not pass as clean
    (no simulation, truncated run, failed or late detectors); then a simulated revert; then clean. In observe mode the
    action becomes FORWARD and the verdict still names the clause that would have acted.
    """
    findings = report.findings
    if sender is not None and sender in policy.trusted_senders:
        findings = tuple(_less_sure(finding) for finding in findings)
    action, clause, reason, reason_class = _choose(report, findings, policy)
    observed = policy.mode is Mode.OBSERVE and action is not Action.FORWARD
    return Verdict(
        action=Action.FORWARD if observed else action,
        clause=clause,
        reason=reason,
        reason_class=reason_class,
        report=report,
        score=score(findings),
        observed=observed,
    )


def score(findings: tuple[Finding, ...]) -> float:
    """How likely grave harm is, 0 to 1: one minus the chance that every detector is wrong, each counted once."""
    strongest: dict[str, float] = {}
    for finding in findings:
        weight = _WEIGHT[finding.severity] * _CERTAINTY[finding.confidence]
        strongest[finding.detector_id] = max(weight, strongest.get(finding.detector_id, 0.0))
    clean = 1.0
    for weight in strongest.values():
        clean *= 1.0 - weight
    return round(1.0 - clean, 4)


def _choose(
    report: InspectionReport, findings: tuple[Finding, ...], policy: Policy
) -> tuple[Action, str, str, ReasonClass]:
    for clause in policy.clauses:
        matching = [finding for finding in findings if _matches(clause, finding)]
        if matching and len({finding.detector_id for finding in matching}) >= clause.findings:
            return clause.action, clause.name, _explain(matching), _reason_class(clause.action)
    answers = _failure_answers(report, policy)
    for action, name, reason in answers:
        if action is not Action.FORWARD:
            failed = ReasonClass.STILL_INSPECTING if action is Action.DEFER else ReasonClass.UNAVAILABLE
            return action, name, reason, failed
    if answers:
        action, name, reason = answers[0]
        return action, name, reason, ReasonClass.POLICY
    return Action.FORWARD, "clean", "no finding reached a clause", ReasonClass.POLICY


def _failure_answers(report: InspectionReport, policy: Policy) -> list[tuple[Action, str, str]]:
    if not report.simulated and report.truncated is None:
        return [(policy.on_simulation_error, "simulation-error", f"the simulation did not finish: {report.error}")]
    answers = []
    if report.truncated is not None:
        # Cut off before there was a result, or with a partial one: more time may settle either.
        answers.append((policy.on_over_budget, "over-budget", f"the simulation was cut off: {report.truncated}"))
    binding = [outcome for outcome in report.outcomes if outcome.binding]
    failed = [o.detector_id for o in binding if o.status is OutcomeStatus.FAILED]
    if failed:
        answers.append((policy.on_detector_failure, "detector-failure", f"detectors failed: {', '.join(failed)}"))
    late = [o.detector_id for o in binding if o.status is OutcomeStatus.TIMED_OUT]
    if late:
        answers.append((policy.on_detector_timeout, "detector-timeout", f"detectors were late: {', '.join(late)}"))
    if report.reverted:
        reason = "the transaction fails on the present state: unknown, not clean"
        answers.append((policy.on_simulated_revert, "simulated-revert", reason))
    return answers


def _matches(clause: Clause, finding: Finding) -> bool:
    if clause.detectors and finding.detector_id not in clause.detectors:
        return False
    return finding.severity >= clause.severity and finding.confidence >= clause.confidence


def _less_sure(finding: Finding) -> Finding:
    return replace(finding, confidence=Confidence(max(Confidence.LOW, finding.confidence - 1)))


def _explain(findings: list[Finding]) -> str:
    first = findings[0]
    others = sorted({finding.title for finding in findings[1:]} - {first.title})
    return f"{first.title}: {first.summary}" + (f" Also: {'; '.join(others)}." if others else "")


def _reason_class(action: Action) -> ReasonClass:
    return {
        Action.HOLD: ReasonClass.SECURITY_REVIEW,
        Action.DEFER: ReasonClass.STILL_INSPECTING,
        Action.REJECT: ReasonClass.POLICY,
        Action.FORWARD: ReasonClass.POLICY,
    }[action]

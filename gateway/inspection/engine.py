"""Runs the detectors over one simulated transaction, cheapest first, under a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol

from gateway.errors import SimulationError
from gateway.inspection.need import Need
from gateway.inspection.registry import Ruleset
from gateway.inspection.subject import Inspection
from gateway.model.finding import Confidence, DetectorOutcome, Finding, InspectionReport, OutcomeStatus, Severity

_outcome = partial(tuple.__new__, DetectorOutcome)
"""of a complete row, without the constructor's own call: thirty are made for each transaction"""
_COMPLETED = OutcomeStatus.COMPLETED


class Speaker(Protocol):
    """A detector or a rule: whatever looks at a subject and says what it sees."""

    @property
    def id(self) -> str:
        """Names it in findings and outcomes."""

    @property
    def needs_accesses(self) -> bool:
        """True: useless without storage accesses."""

    def inspect(self, subject: Inspection) -> Iterable[Finding]:
        """What it finds; may raise anything."""


def inspect(
    ruleset: Ruleset,
    subject: Inspection,
    *,
    deadline: float | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> InspectionReport:
    """Look at `subject` with every detector, and with the rules whose scope it touches; never raises for what they do.

    `deadline` is a reading of `clock` (seconds). A detector that has not begun by then is recorded as timed out;
    one that is running is let finish, for its work is bounded by the caps on the trace. A transaction that failed
    in simulation is inspected all the same: its undone frames show the intent. Where nothing grave is seen and it is
    open who acts for whom, the detectors look again with the other answers.
    """
    findings: list[Finding] = []
    outcomes = _look(ruleset, subject, findings, deadline, clock)
    for other in subject.readings if _is_quiet(findings, outcomes) else ():
        again = _look(ruleset, other, findings, deadline, clock)
        outcomes = [_both(first, second) for first, second in zip(outcomes, again, strict=True)]
    book = ruleset.shelf.book
    for rule in book.covering(subject):
        started = clock()
        if deadline is not None and started >= deadline:
            late = "not begun before the deadline"
            outcomes.append(DetectorOutcome(rule.id, OutcomeStatus.TIMED_OUT, 0.0, late, rule.binding))
            continue
        found, outcome = _run(rule, subject, started, clock)
        findings.extend(found)
        outcomes.append(outcome._replace(binding=rule.binding))
    findings.sort(key=lambda finding: (-finding.severity, -finding.confidence, finding.detector_id))
    return InspectionReport(
        findings=tuple(findings),
        outcomes=tuple(outcomes),
        simulated=True,
        reverted=not subject.simulation.succeeded,
        truncated=subject.simulation.truncated,
        ruleset_hash=ruleset.hash_with(book),
    )


def _look(
    ruleset: Ruleset,
    subject: Inspection,
    findings: list[Finding],
    deadline: float | None,
    clock: Callable[[], float],
) -> list[DetectorOutcome]:
    """One reading by all detectors: what they find is added to `findings`, what became of them is returned."""
    outcomes: list[DetectorOutcome] = []
    answers: dict[frozenset[Need], bool] = {}
    for detector, needs, idle in ruleset.each:
        met = answers.get(needs)
        if met is None:
            met = answers[needs] = subject.meets(needs)
        if not met:
            outcomes.append(idle)
            continue
        started = clock()
        if deadline is not None and started >= deadline:
            outcomes.append(DetectorOutcome(detector.id, OutcomeStatus.TIMED_OUT, 0.0, "not begun before the deadline"))
            continue
        found, outcome = _run(detector, subject, started, clock)
        if found:
            told = {finding.summary for finding in findings}
            for finding in found:
                if finding.summary not in told or finding not in findings:
                    told.add(finding.summary)
                    findings.append(finding)
        outcomes.append(outcome)
    return outcomes


def _is_quiet(findings: list[Finding], outcomes: list[DetectorOutcome]) -> bool:
    """True if every detector was done and none saw anything grave, so that a second look may tell more."""
    grave = any(one.severity >= Severity.HIGH and one.confidence >= Confidence.MEDIUM for one in findings)
    undone = (OutcomeStatus.FAILED, OutcomeStatus.TIMED_OUT)
    return not grave and all(outcome.status not in undone for outcome in outcomes)


def _both(first: DetectorOutcome, second: DetectorOutcome) -> DetectorOutcome:
    """The outcome of two readings: complete only if both were."""
    if first.status is not OutcomeStatus.COMPLETED:
        return first._replace(duration=first.duration + second.duration)
    return second._replace(duration=first.duration + second.duration)


def unsimulated(ruleset: Ruleset, error: SimulationError) -> InspectionReport:
    """The report on a transaction that the engine could not finish."""
    return InspectionReport((), (), simulated=False, error=str(error), ruleset_hash=ruleset.hash)


def _run(
    detector: Speaker, subject: Inspection, started: float, clock: Callable[[], float]
) -> tuple[tuple[Finding, ...], DetectorOutcome]:
    if detector.needs_accesses and not subject.simulation.trace.shows_storage:
        reason = f"engine {subject.simulation.engine} supplies no storage accesses"
        return (), DetectorOutcome(detector.id, OutcomeStatus.UNSUPPORTED, 0.0, reason)
    try:
        found = tuple(detector.inspect(subject))
    except Exception as error:  # a detector is foreign code: whatever it raises becomes an outcome the policy answers
        reason = f"{type(error).__name__}: {error}"[:500]
        return (), DetectorOutcome(detector.id, OutcomeStatus.FAILED, clock() - started, reason)
    return found, _outcome((detector.id, _COMPLETED, clock() - started, None, True))

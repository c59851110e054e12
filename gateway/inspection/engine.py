"""Runs the detectors over one simulated transaction, cheapest first, under a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable

from gateway.errors import SimulationError
from gateway.inspection.detector import Detector
from gateway.inspection.registry import Ruleset
from gateway.inspection.subject import Inspection
from gateway.model.finding import DetectorOutcome, Finding, InspectionReport, OutcomeStatus


def inspect(
    ruleset: Ruleset,
    subject: Inspection,
    *,
    deadline: float | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> InspectionReport:
    """Look at `subject` with every detector; never raises for what a detector does.

    `deadline` is a reading of `clock` (seconds). A detector that has not begun by then is recorded as timed out;
    one that is running is let finish, for its work is bounded by the caps on the trace. A transaction that failed
    in simulation is inspected all the same: its undone frames show the intent.
    """
    findings: list[Finding] = []
    outcomes: list[DetectorOutcome] = []
    for detector, idle in ruleset.each:
        if detector.needs and not subject.meets(detector.needs):
            outcomes.append(idle)
            continue
        started = clock()
        if deadline is not None and started >= deadline:
            outcomes.append(DetectorOutcome(detector.id, OutcomeStatus.TIMED_OUT, 0.0, "not begun before the deadline"))
            continue
        found, outcome = _run(detector, subject, started, clock)
        findings.extend(found)
        outcomes.append(outcome)
    findings.sort(key=lambda finding: (-finding.severity, -finding.confidence, finding.detector_id))
    return InspectionReport(
        findings=tuple(findings),
        outcomes=tuple(outcomes),
        simulated=True,
        reverted=not subject.simulation.succeeded,
        truncated=subject.simulation.truncated,
        ruleset_hash=ruleset.hash,
    )


def unsimulated(ruleset: Ruleset, error: SimulationError) -> InspectionReport:
    """The report on a transaction that the engine could not finish."""
    return InspectionReport((), (), simulated=False, error=str(error), ruleset_hash=ruleset.hash)


def _run(
    detector: Detector, subject: Inspection, started: float, clock: Callable[[], float]
) -> tuple[tuple[Finding, ...], DetectorOutcome]:
    if detector.needs_accesses and subject.simulation.trace.slots is None:
        reason = f"engine {subject.simulation.engine} supplies no storage accesses"
        return (), DetectorOutcome(detector.id, OutcomeStatus.UNSUPPORTED, 0.0, reason)
    try:
        found = tuple(detector.inspect(subject))
    except Exception as error:  # a detector is foreign code: whatever it raises becomes an outcome the policy answers
        reason = f"{type(error).__name__}: {error}"[:500]
        return (), DetectorOutcome(detector.id, OutcomeStatus.FAILED, clock() - started, reason)
    return found, DetectorOutcome(detector.id, OutcomeStatus.COMPLETED, clock() - started)

"""From received bytes to a verdict: decode, simulate, inspect, decide. No HTTP, no store, and no step mutates another.

The four rooms come in as callables, so that this file states the order and the failure answers and nothing else.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from gateway.errors import SimulationError
from gateway.inspection.past.effects import NO_EFFECTS, Effects
from gateway.model.case import CaseDetail, LossEstimate
from gateway.model.facts import Facts
from gateway.model.finding import Finding, InspectionReport, OutcomeStatus
from gateway.model.trace import SimulationResult
from gateway.model.transaction import Transaction
from gateway.model.verdict import Action, Verdict

_GRACE = 0.25
"""seconds past the deadline for an engine to hand over the part that it ran: half a trace may be enough to hold"""

Simulate = Callable[[Transaction, float], Awaitable[SimulationResult]]
"""(transaction, deadline as a `time.monotonic` value) -> result at the head.

Raises:
    Unexecutable: a node would refuse it.
    SimulationError: the engine failed.
    UpstreamError: the state could not be fetched, or the head is stale.
"""


@dataclass(frozen=True, slots=True)
class Inspected:
    """What the detectors said, and the facts they were given."""

    report: InspectionReport
    facts: Facts = field(default_factory=Facts)
    loss: LossEstimate | None = None
    effects: Effects = NO_EFFECTS
    """what memory keeps of it"""


Inspect = Callable[[Transaction, SimulationResult, float], Awaitable[Inspected]]
"""(transaction, simulation, deadline) -> findings and outcomes; a detector that fails is an outcome, not an error."""


@dataclass(frozen=True, slots=True)
class Further:
    """What further runs of the same transaction showed."""

    findings: tuple[Finding, ...]
    results: tuple[tuple[str, Transaction, SimulationResult], ...]
    """(what was different, whose result, result): inspected like the first run"""
    unfinished: str | None = None
    """why not all was run that should have been; the policy's answer to a truncated run then holds"""


LookAgain = Callable[[Transaction, SimulationResult, float, bool], Awaitable[Further]]
"""(transaction, first result, deadline, whether the first inspection found anything) -> further runs.

Raises UpstreamError if there is no fresh head.
"""

Decide = Callable[[InspectionReport, Transaction], Verdict]
"""(report, transaction) -> verdict, by the operator's policy and what it trusts; pure."""

Recognise = Callable[[Transaction], tuple[Finding, ...]]
"""What a transaction is known by before it is simulated; microseconds."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict and everything it rests on."""

    transaction: Transaction
    verdict: Verdict
    simulation: SimulationResult | None
    """None if there was no result to look at; the report then says why"""
    facts: Facts
    timings: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """stage -> seconds"""
    loss: LossEstimate | None = None
    effects: Effects = NO_EFFECTS
    """what memory keeps of it: of the first run, not of the variants"""

    @property
    def detail(self) -> CaseDetail:
        """What a case keeps of it."""
        return CaseDetail(
            transaction=self.transaction,
            report=self.verdict.report,
            simulation=self.simulation,
            facts=self.facts,
            timings=self.timings,
            loss=self.loss,
        )


Judged = Callable[[Judgement], None]
"""Told of every judgement, before anybody acts on it; must neither wait nor raise."""


class Pipeline:
    """Judges one transaction at a time; safe to share between tasks."""

    def __init__(
        self,
        *,
        simulate: Simulate,
        inspect: Inspect,
        decide: Decide,
        look_again: LookAgain | None = None,
        judged: Judged | None = None,
        recognise: Recognise | None = None,
        ruleset_hash: Callable[[], str] = str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`ruleset_hash` is asked for each report that has no simulation, for rules may change while this runs."""
        self._simulate, self._inspect, self._decide = simulate, inspect, decide
        self._look_again, self._judged, self._recognise = look_again, judged, recognise
        self._ruleset_hash, self._clock = ruleset_hash, clock

    async def judge(self, transaction: Transaction, deadline: float) -> Judgement:
        """The verdict on a decoded transaction, by `deadline` (a value of the clock).

        A deadline that passes, or an engine that fails, still gives a verdict: the policy's answer to that failure.

        Raises:
            Unexecutable: a node would refuse it; nobody needs to look at it.
            UpstreamError: the chain's state is out of reach; no verdict is possible and nothing may be sent.
        """
        started = self._clock()
        simulation: SimulationResult | None = None
        timings: dict[str, float] = {}
        recognised = () if self._recognise is None else self._recognise(transaction)
        try:
            async with asyncio.timeout(max(0.0, deadline - started) + _GRACE):
                simulation = await self._simulate(transaction, deadline)
        except TimeoutError:
            timings["simulate"] = self._clock() - started
            waited = f"no simulation result within {timings['simulate'] * 1000:.0f} ms"
            inspected = Inspected(self._unsimulated(truncated=waited))
        except SimulationError as error:
            timings["simulate"] = self._clock() - started
            inspected = Inspected(self._unsimulated(error=str(error) or type(error).__name__))
        else:
            simulated = self._clock()
            timings["simulate"] = simulated - started
            inspected = await self._inspect(transaction, simulation, deadline)
            timings["inspect"] = self._clock() - simulated
        if recognised:
            inspected = replace(inspected, report=_with(inspected.report, recognised))
        verdict = self._decide(inspected.report, transaction)
        if simulation is not None and verdict.action is Action.FORWARD and not verdict.observed:
            looked = self._clock()
            further = await self._further(transaction, simulation, inspected, deadline)
            if further is not inspected:
                inspected = further
                verdict = self._decide(inspected.report, transaction)
            timings["look again"] = self._clock() - looked
        timings["total"] = self._clock() - started
        judgement = Judgement(
            transaction,
            verdict,
            simulation,
            inspected.facts,
            MappingProxyType(timings),
            inspected.loss,
            inspected.effects,
        )
        if self._judged is not None:
            self._judged(judgement)
        return judgement

    async def _further(
        self, transaction: Transaction, simulation: SimulationResult, first: Inspected, deadline: float
    ) -> Inspected:
        """The first inspection with findings that only further runs show, each saying in which."""
        report, loss = first.report, first.loss
        if self._look_again is None:
            return first
        further = await self._look_again(transaction, simulation, deadline, bool(report.findings))
        found = list(further.findings)
        incomplete = []
        known = {(finding.detector_id, finding.victim) for finding in report.findings}
        for difference, run, result in further.results:
            inspected = await self._inspect(run, result, deadline)
            loss = max(filter(None, (loss, inspected.loss)), key=lambda estimate: estimate.amount, default=None)
            incomplete += [
                outcome for outcome in inspected.report.outcomes if outcome.status is not OutcomeStatus.COMPLETED
            ]
            for finding in inspected.report.findings:
                if (finding.detector_id, finding.victim) not in known:
                    known.add((finding.detector_id, finding.victim))
                    found.append(replace(finding, evidence={**finding.evidence, "only in": difference}))
        if not found and not incomplete and further.unfinished is None:
            return first
        whole = replace(
            report,
            findings=(*report.findings, *found),
            outcomes=(*report.outcomes, *incomplete),
            truncated=report.truncated if further.unfinished is None else further.unfinished,
        )
        return replace(first, report=whole, loss=loss)

    def _unsimulated(self, *, truncated: str | None = None, error: str | None = None) -> InspectionReport:
        return InspectionReport(
            findings=(),
            outcomes=(),
            simulated=False,
            truncated=truncated,
            error=error,
            ruleset_hash=self._ruleset_hash(),
        )


def _with(report: InspectionReport, recognised: tuple[Finding, ...]) -> InspectionReport:
    """The report with what was known before simulation in front; what simulation repeats of it is left out."""
    known = {(finding.detector_id, finding.evidence.get("case")) for finding in recognised}
    rest = [found for found in report.findings if (found.detector_id, found.evidence.get("case")) not in known]
    return replace(report, findings=(*recognised, *rest))

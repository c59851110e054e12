from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence

from gateway.inspection.policy import decide
from gateway.model.finding import DetectorOutcome, Finding, InspectionReport, OutcomeStatus
from gateway.model.trace import SimulationResult
from gateway.model.transaction import Transaction
from gateway.model.verdict import Action, Verdict
from gateway.pipeline import Further, Inspected, Judgement, Pipeline
from tests.cases import finding, simulation, transaction

FIRST = simulation(1)
OTHER = dataclasses.replace(simulation(1), gas_used=99)


class Bench:
    """A pipeline whose first run is clean, and whose further runs are as the test says."""

    def __init__(
        self,
        further: Further = Further((), ()),
        *,
        first: Sequence[Finding] = (),
        found: Sequence[Finding] = (),
        outcomes: Sequence[DetectorOutcome] = (),
    ) -> None:
        self.further, self.first, self.found, self.outcomes = further, tuple(first), tuple(found), tuple(outcomes)
        self.looked: list[bool] = []

    async def simulate(self, judged: Transaction, deadline: float) -> SimulationResult:
        return FIRST

    async def inspect(self, judged: Transaction, result: SimulationResult, deadline: float) -> Inspected:
        again = result is OTHER
        findings, outcomes = (self.found, self.outcomes) if again else (self.first, ())
        return Inspected(InspectionReport(findings, outcomes, simulated=True))

    async def look_again(
        self, judged: Transaction, result: SimulationResult, deadline: float, suspicious: bool
    ) -> Further:
        self.looked.append(suspicious)
        return self.further

    async def judge(self) -> Judgement:
        def verdict(report: InspectionReport, judged: Transaction) -> Verdict:
            return decide(report, sender=judged.sender)

        pipeline = Pipeline(simulate=self.simulate, inspect=self.inspect, decide=verdict, look_again=self.look_again)
        return await pipeline.judge(transaction(1), time.monotonic() + 1)


RUN = (("a block with another fee recipient", transaction(1), OTHER),)


async def test_a_clean_run_is_looked_at_again_and_stays_clean() -> None:
    bench = Bench(Further((), RUN))
    judgement = await bench.judge()
    assert judgement.verdict.action is Action.FORWARD
    assert bench.looked == [False]
    assert "look again" in judgement.timings


async def test_what_only_a_further_run_shows_is_held_and_says_in_which() -> None:
    judgement = await Bench(Further((), RUN), found=[finding()]).judge()
    assert judgement.verdict.action is Action.HOLD
    (found,) = judgement.verdict.report.findings
    assert found.evidence["only in"] == "a block with another fee recipient"
    assert judgement.simulation is FIRST


async def test_a_finding_of_the_comparison_itself_counts() -> None:
    judgement = await Bench(Further((finding("simulation-evasion"),), ())).judge()
    assert judgement.verdict.action is Action.HOLD


async def test_what_was_not_run_is_not_clean() -> None:
    judgement = await Bench(Further((), (), "no time to run it")).judge()
    assert judgement.verdict.action is Action.DEFER
    assert judgement.verdict.report.truncated == "no time to run it"


async def test_a_detector_that_failed_on_a_further_run_is_not_silent() -> None:
    failed = DetectorOutcome("unfair-exchange", OutcomeStatus.FAILED, 0.0, "broken")
    judgement = await Bench(Further((), RUN), outcomes=[failed]).judge()
    assert judgement.verdict.action is Action.HOLD
    assert failed in judgement.verdict.report.outcomes


async def test_what_is_held_already_is_not_run_again() -> None:
    bench = Bench(first=[finding()])
    assert (await bench.judge()).verdict.action is Action.HOLD
    assert bench.looked == []

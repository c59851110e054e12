"""The operator's policy, the installed detectors and the live chain, joined into one pipeline."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from gateway.app.chain import Chain
from gateway.inspection.engine import inspect
from gateway.inspection.policy import DEFAULT_POLICY, decide
from gateway.inspection.recollection import Recollection
from gateway.inspection.registry import Ruleset
from gateway.inspection.subject import Inspection
from gateway.model.finding import InspectionReport
from gateway.model.policy import Policy
from gateway.model.primitive import Address
from gateway.model.trace import SimulationResult
from gateway.model.transaction import Transaction
from gateway.model.verdict import Verdict
from gateway.pipeline import Further, Inspected, Judged, Judgement, Pipeline
from gateway.settings import PolicySettings
from gateway.store.memory_log import LocalMemoryLog
from gateway.tasks.remembering import Remembering

_LARGE_GAS = 2_000_000
"""A trace of more gas than this is inspected on a thread, so that others are answered meanwhile."""


def policy_of(settings: PolicySettings) -> Policy:
    """The built-in clauses with the operator's mode and failure answers."""
    return replace(DEFAULT_POLICY, **{name: getattr(settings, name) for name in PolicySettings.model_fields})


def build_pipeline(
    chain: Chain,
    ruleset: Ruleset,
    policy: Policy,
    judged: Judged | None = None,
    remembering: Remembering | None = None,
) -> Pipeline:
    """The pipeline of one chain; `judged` is told of every judgement, `remembering` is this process's memory."""
    memory = remembering or Remembering(Recollection(), LocalMemoryLog(), alone=True)

    async def simulate(transaction: Transaction, deadline: float) -> SimulationResult:
        result, _ = await asyncio.gather(chain.live.simulate(transaction, deadline), memory.beside())
        return result

    async def look(transaction: Transaction, simulation: SimulationResult, deadline: float) -> Inspected:
        past = memory.before(transaction, simulation)

        def run() -> Inspected:
            subject = Inspection(transaction, simulation, past.memory, past.taken)
            report = inspect(ruleset, subject, deadline=deadline)
            return Inspected(report, subject.facts, subject.effects)

        inspected = await asyncio.to_thread(run) if simulation.gas_used > _LARGE_GAS else run()
        missing = memory.outcome()
        if missing:
            report = replace(inspected.report, outcomes=(*inspected.report.outcomes, *missing))
            inspected = replace(inspected, report=report)
        return inspected

    async def look_again(
        transaction: Transaction, simulation: SimulationResult, deadline: float, suspicious: bool
    ) -> Further:
        looks = await chain.live.second_looks(transaction, simulation, deadline, suspicious=suspicious)
        results = [
            (variant.kind.difference, transaction, variant.result)
            for variant in looks.variants
            if variant.result is not None
        ]
        results += [(f"{other.hash} if mined after this one", other, result) for other, result in looks.reordered]
        return Further(looks.findings, tuple(results), looks.unfinished)

    def verdict(report: InspectionReport, sender: Address) -> Verdict:
        return decide(report, policy, sender=sender)

    def tell(judgement: Judgement) -> None:
        memory.keep(judgement)
        if judged is not None:
            judged(judgement)

    return Pipeline(
        simulate=simulate,
        inspect=look,
        decide=verdict,
        look_again=look_again,
        judged=tell,
        ruleset_hash=ruleset.hash,
    )

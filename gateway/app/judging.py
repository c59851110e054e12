"""The operator's policy, the installed detectors and the live chain, joined into one pipeline."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from gateway.app.chain import Chain
from gateway.app.recollection import Recollection
from gateway.inspection.engine import inspect
from gateway.inspection.memory import Memory
from gateway.inspection.policy import DEFAULT_POLICY, decide
from gateway.inspection.registry import Ruleset
from gateway.inspection.stake import estimate
from gateway.inspection.subject import Inspection
from gateway.model.finding import InspectionReport
from gateway.model.policy import Policy
from gateway.model.price import PriceBook
from gateway.model.primitive import Address
from gateway.model.trace import SimulationResult
from gateway.model.transaction import Transaction
from gateway.model.verdict import Verdict
from gateway.pipeline import Further, Inspected, Judged, Pipeline
from gateway.settings import PolicySettings

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
    prices: PriceBook = PriceBook(),
) -> Pipeline:
    """The pipeline of one chain; `judged` is told of every judgement."""
    recollection = Recollection()

    async def look(transaction: Transaction, simulation: SimulationResult, deadline: float) -> Inspected:
        before = recollection.before(transaction.sender, transaction.hash)

        def run() -> tuple[Inspected, Memory]:
            subject = Inspection(transaction, simulation, before)
            report = inspect(ruleset, subject, deadline=deadline)
            return Inspected(report, subject.facts, estimate(subject, report.findings, prices)), subject.after

        inspected, after = await asyncio.to_thread(run) if simulation.gas_used > _LARGE_GAS else run()
        recollection.keep(transaction.sender, transaction.hash, before, after)
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

    return Pipeline(
        simulate=chain.live.simulate,
        inspect=look,
        decide=verdict,
        look_again=look_again,
        judged=judged,
        ruleset_hash=ruleset.hash,
    )

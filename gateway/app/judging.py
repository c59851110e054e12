"""The operator's policy, the installed detectors and the live chain, joined into one pipeline."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from gateway.app.chain import Chain
from gateway.inspection.engine import inspect
from gateway.inspection.past.recollection import Past, Recollection
from gateway.inspection.policy import DEFAULT_POLICY, decide
from gateway.inspection.registry import Ruleset
from gateway.inspection.stake import estimate
from gateway.inspection.subject import Inspection
from gateway.model.finding import Finding, InspectionReport
from gateway.model.policy import Policy
from gateway.model.price import PriceBook
from gateway.model.trace import SimulationResult
from gateway.model.transaction import Transaction
from gateway.model.verdict import Verdict
from gateway.pipeline import Further, Inspected, Judged, Judgement, Pipeline
from gateway.settings import PolicySettings
from gateway.store.shared.memory_log import LocalMemoryLog
from gateway.tasks.knowledge import Knowledge
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
    *judged: Judged,
    prices: PriceBook = PriceBook(),
    remembering: Remembering | None = None,
    knowledge: Knowledge | None = None,
) -> Pipeline:
    """The pipeline of one chain.

    `judged` are told of every judgement; `remembering` is this process's memory of effects, `knowledge` what it knows
    of confirmed attacks, of deployments and of whom to trust.
    """
    memory = remembering or Remembering(Recollection(), LocalMemoryLog(), alone=True)
    judging = _Judging(chain, ruleset, policy, prices, memory, knowledge)

    def tell(judgement: Judgement) -> None:
        memory.keep(judgement)
        ruleset.shelf.count(judgement.verdict.report)
        for one in judged:
            one(judgement)

    return Pipeline(
        simulate=judging.simulate,
        inspect=judging.look,
        decide=judging.decide,
        look_again=judging.look_again,
        judged=tell,
        recognise=judging.recognise,
        ruleset_hash=lambda: ruleset.hash,
    )


class _Judging:
    """The steps that the pipeline asks for."""

    def __init__(
        self,
        chain: Chain,
        ruleset: Ruleset,
        policy: Policy,
        prices: PriceBook,
        memory: Remembering,
        knowledge: Knowledge | None,
    ) -> None:
        self._chain, self._ruleset, self._policy, self._prices = chain, ruleset, policy, prices
        self._memory, self._knowledge = memory, knowledge

    def recognise(self, transaction: Transaction) -> tuple[Finding, ...]:
        if self._knowledge is None:
            return ()
        accounts = self._chain.live.head_state.cache.accounts
        called = accounts.get(transaction.to) if transaction.to is not None else None
        return self._knowledge.recognise(transaction, called.code if called is not None else None)

    async def simulate(self, transaction: Transaction, deadline: float) -> SimulationResult:
        live = self._chain.live
        result, _ = await asyncio.gather(live.simulate(transaction, deadline), self._memory.beside())
        return result

    async def look(self, transaction: Transaction, simulation: SimulationResult, deadline: float) -> Inspected:
        past = self._memory.before(transaction, simulation)
        if simulation.gas_used > _LARGE_GAS:
            return await asyncio.to_thread(self._inspected, transaction, simulation, past, deadline)
        return self._inspected(transaction, simulation, past, deadline)

    def _inspected(
        self, transaction: Transaction, simulation: SimulationResult, past: Past, deadline: float
    ) -> Inspected:
        subject = Inspection(transaction, simulation, past.memory, past.taken, relied=past.relied, leaned=past.leaned)
        report = inspect(self._ruleset, subject, deadline=deadline)
        missing = self._memory.outcome()
        if missing:
            report = replace(report, outcomes=(*report.outcomes, *missing))
        known = self._knowledge.add_to(report, transaction, simulation) if self._knowledge is not None else ()
        if known:
            report = replace(report, findings=(*report.findings, *known))
        loss = estimate(subject, report.findings, self._prices)
        return Inspected(report, subject.facts, loss, subject.effects)

    async def look_again(
        self, transaction: Transaction, simulation: SimulationResult, deadline: float, suspicious: bool
    ) -> Further:
        looks = await self._chain.live.second_looks(transaction, simulation, deadline, suspicious=suspicious)
        results = [
            (variant.kind.difference, transaction, variant.result)
            for variant in looks.variants
            if variant.result is not None
        ]
        results += [(f"{other.hash} if mined after this one", other, result) for other, result in looks.reordered]
        return Further(looks.findings, tuple(results), looks.unfinished)

    def decide(self, report: InspectionReport, transaction: Transaction) -> Verdict:
        if self._knowledge is None:
            return decide(report, self._policy, sender=transaction.sender)
        lowered = self._knowledge.lower(report, transaction)
        verdict = decide(lowered.report, self._policy, sender=transaction.sender)
        if not lowered.notes:
            return verdict
        return replace(verdict, reason=f"{verdict.reason} Trust lowered: {'; '.join(lowered.notes)}.")

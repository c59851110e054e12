"""Runs that analysts ask for: the transaction as of now, or in a block of their making."""

from __future__ import annotations

import asyncio
import time

from gateway.app.chain import Chain
from gateway.inspection.engine import inspect
from gateway.inspection.policy import decide
from gateway.inspection.registry import Ruleset
from gateway.inspection.stake import estimate
from gateway.inspection.subject import Inspection
from gateway.live.rehearsal import rehearse
from gateway.model.casework import BlockChanges
from gateway.model.policy import Policy
from gateway.model.price import PriceBook
from gateway.model.quarantine import QuarantineEntry
from gateway.model.transaction import Transaction
from gateway.pipeline import Judgement, Pipeline


class Rehearsal:
    """Judges without consequences: nothing is sent, kept or counted against the sender."""

    def __init__(
        self,
        chain: Chain,
        pipeline: Pipeline,
        ruleset: Ruleset,
        policy: Policy,
        prices: PriceBook,
        *,
        seconds: float = 10.0,
    ) -> None:
        """`seconds`: time for one run; an analyst waits for it."""
        self._chain, self._pipeline, self._ruleset = chain, pipeline, ruleset
        self._policy, self._prices, self._seconds = policy, prices, seconds

    async def judge(self, entry: QuarantineEntry, changes: BlockChanges) -> Judgement:
        """What the gateway would say of it now; with changes, in that block and without the memory of its sender.

        Raises:
            InvalidTransaction: it cannot be executed (any more).
            SimulationError, UpstreamError: nothing is known.
        """
        transaction = self._chain.decode_raw(entry.raw)
        deadline = time.monotonic() + self._seconds
        if not changes.any:
            return await self._pipeline.judge(transaction, deadline)
        return await self._changed(transaction, changes, deadline)

    async def _changed(self, transaction: Transaction, changes: BlockChanges, deadline: float) -> Judgement:
        started = time.monotonic()
        simulation = await rehearse(self._chain.live, transaction, changes.applied, deadline)
        simulated = time.monotonic()

        def look() -> Judgement:
            subject = Inspection(transaction, simulation)
            report = inspect(self._ruleset, subject, deadline=deadline)
            verdict = decide(report, self._policy, sender=transaction.sender)
            timings = {"simulate": simulated - started, "inspect": time.monotonic() - simulated}
            loss = estimate(subject, report.findings, self._prices)
            return Judgement(transaction, verdict, simulation, subject.facts, timings, loss)

        return await asyncio.to_thread(look)

"""A judge that answers as the test says."""

from __future__ import annotations

import asyncio

from gateway.model.facts import Facts
from gateway.model.finding import InspectionReport
from gateway.model.transaction import Client, RawTransaction, Transaction
from gateway.model.verdict import Action, ReasonClass, Verdict
from gateway.pipeline import Judgement
from tests.cases import transaction


class Judge:
    """`Pipeline.judge` with verdicts, errors and delays by nonce."""

    def __init__(self) -> None:
        self.actions: dict[int, Action | Exception] = {}
        self.judged: list[int] = []
        self.charged: list[Client] = []
        self.gate: asyncio.Event | None = None
        self.at_work = self.most_at_work = 0

    async def __call__(self, judged: Transaction, client: Client, deadline: float) -> Judgement:
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        try:
            if self.gate is not None:
                await self.gate.wait()
        finally:
            self.at_work -= 1
        self.judged.append(judged.nonce)
        self.charged.append(client)
        action = self.actions.get(judged.nonce, Action.FORWARD)
        if isinstance(action, Exception):
            raise action
        report = InspectionReport(findings=(), outcomes=(), simulated=True)
        verdict = Verdict(action, f"test-{action}", "as the test says", ReasonClass.POLICY, report)
        return Judgement(judged, verdict, None, Facts())


def decode(raw: RawTransaction) -> Transaction:
    """The transaction that `tests.cases.raw` stands for."""
    return transaction(int.from_bytes(raw.data[1:9]))

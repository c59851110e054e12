"""The second opinion: silent when engines agree, loud when they do not, never in the way."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest
import structlog
from structlog.testing import capture_logs

from gateway.errors import UpstreamError
from gateway.evm.local import LocalPyEvm
from gateway.evm.simulator import ADMISSION, Checks, Limits, Simulator, World
from gateway.evm.world import LayeredWorld
from gateway.model.block import BlockContext, Fork
from gateway.model.facts import Facts
from gateway.model.finding import InspectionReport
from gateway.model.primitive import Address, Hash32
from gateway.model.state import AccountState, StateBatch, StateKeys
from gateway.model.trace import SimulationResult
from gateway.model.transaction import Transaction
from gateway.model.verdict import Action, ReasonClass, Verdict
from gateway.pipeline import Judgement
from gateway.tasks.verifier import Verifier
from gateway.telemetry import Metrics
from tests.gateway.evm import scenes

HEAD = Hash32(b"\x77" * 32)
CODE = scenes.ADD_ONE + scenes.push(scenes.OTHER) + b"\x31" + scenes.call(scenes.OTHER, value=1) + scenes.STOP
ACCOUNTS: Mapping[Address, AccountState] = {
    scenes.SENDER: scenes.account(balance=scenes.ETHER, nonce=7),
    scenes.CONTRACT: scenes.account(CODE, balance=5),
}


class Lying(LocalPyEvm):
    """Says of every result what the test wants."""

    name = "lying"

    def __init__(self, **changes: object) -> None:
        super().__init__()
        self._changes = changes

    async def simulate(
        self,
        world: World,
        transaction: Transaction,
        block: BlockContext,
        *,
        limits: Limits = Limits(),
        checks: Checks = ADMISSION,
    ) -> SimulationResult:
        result = await super().simulate(world, transaction, block, limits=limits, checks=checks)
        return replace(result, **self._changes)  # type: ignore[arg-type]


class Node:
    """State at one block, as an upstream gives it."""

    def __init__(self) -> None:
        self.reads = 0
        self.broken = False

    async def read(self, keys: StateKeys, block: Hash32) -> StateBatch:
        assert block == HEAD
        self.reads += 1
        if self.broken:
            raise UpstreamError("the node is away")
        return StateBatch(
            {who: ACCOUNTS.get(who, scenes.account()) for who in keys.accounts}, dict.fromkeys(keys.slots, 41)
        )


def judgement(action: Action, *, fork: Fork = Fork.PRAGUE, **changes: object) -> Judgement:
    from gateway.evm.py_evm import execute

    world = LayeredWorld(complete=True)
    world.load(StateBatch(ACCOUNTS, {(scenes.CONTRACT, 0): 41}))
    transaction = scenes.transaction(nonce=7)
    result = execute(world, transaction, scenes.block(fork))
    report = InspectionReport(findings=(), outcomes=(), simulated=True)
    verdict = Verdict(action, "test", "as the test says", ReasonClass.POLICY, report)
    return Judgement(transaction, verdict, replace(result, **changes), Facts())  # type: ignore[arg-type]


def verifier(second: Simulator, node: Node, metrics: Metrics, *, sample: float = 0.0) -> Verifier:
    async def open_second() -> Simulator:
        return second

    return Verifier(LocalPyEvm(), open_second, read=node.read, head=lambda _: HEAD, metrics=metrics, sample=sample)


def outcomes(metrics: Metrics) -> dict[str, float]:
    return {
        sample.labels["outcome"]: sample.value
        for metric in metrics.verifications.collect()
        for sample in metric.samples
        if sample.name.endswith("_total") and sample.value
    }


async def settled(checks: Verifier, metrics: Metrics, count: int = 1) -> list[structlog.typing.EventDict]:
    """Run until so many were checked; what was logged."""
    with capture_logs() as logs:
        task = asyncio.ensure_future(checks.run())
        async with asyncio.timeout(30):
            while sum(outcomes(metrics).values()) < count:  # noqa: ASYNC110 - a counter has no event
                await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    return list(logs)


async def test_engines_that_agree_are_counted_and_nothing_is_said() -> None:
    metrics, node = Metrics(), Node()
    checks = verifier(LocalPyEvm(), node, metrics)
    checks.offer(judgement(Action.HOLD))
    assert await settled(checks, metrics) == []
    assert outcomes(metrics) == {"agreed": 1}
    assert node.reads == 1  # what the first run touched was read in one batch


async def test_a_planted_difference_raises_an_alert_that_names_it() -> None:
    metrics = Metrics()
    checks = verifier(Lying(gas_used=1), Node(), metrics)
    checks.offer(judgement(Action.HOLD))
    (event,) = await settled(checks, metrics)
    assert (event["event"], event["log_level"], event["field"]) == ("engines.disagree", "error", "gas_used")
    assert event["hash"] == str(scenes.transaction().hash)
    assert event["difference"].endswith("py-evm 1")
    assert outcomes(metrics) == {"disagreed": 1}


async def test_a_difference_that_the_fork_explains_is_silent() -> None:
    metrics = Metrics()
    checks = verifier(Lying(gas_used=1, engine="py-evm (Prague rules)"), Node(), metrics)
    checks.offer(judgement(Action.HOLD, block=scenes.block(Fork.OSAKA)))
    assert await settled(checks, metrics) == []
    assert outcomes(metrics) == {"explained": 1}


async def test_a_node_that_is_away_is_a_failure_and_no_disagreement() -> None:
    metrics, node = Metrics(), Node()
    node.broken = True
    checks = verifier(LocalPyEvm(), node, metrics)
    checks.offer(judgement(Action.HOLD))
    (event,) = await settled(checks, metrics)
    assert event["event"] == "engines.not_compared"
    assert outcomes(metrics) == {"failed": 1}


async def test_only_the_sampled_share_of_what_is_forwarded_is_checked() -> None:
    forwarded = judgement(Action.FORWARD)
    metrics = Metrics()
    none, every = verifier(LocalPyEvm(), Node(), metrics), verifier(LocalPyEvm(), Node(), metrics, sample=1.0)
    none.offer(forwarded)
    every.offer(forwarded)
    await settled(every, metrics)
    assert outcomes(metrics) == {"agreed": 1}
    none.offer(judgement(Action.DEFER))
    await settled(none, metrics, 2)
    assert outcomes(metrics) == {"agreed": 2}  # the forwarded one had not been waiting


async def test_a_full_line_drops_and_counts() -> None:
    metrics = Metrics()
    checks = verifier(LocalPyEvm(), Node(), metrics)
    held = judgement(Action.HOLD)
    for _ in range(70):
        checks.offer(held)
    assert outcomes(metrics) == {"dropped": 6}


async def test_what_was_cut_short_is_not_compared() -> None:
    metrics = Metrics()
    checks = verifier(LocalPyEvm(), Node(), metrics)
    checks.offer(judgement(Action.HOLD, truncated="wall clock"))
    checks.offer(judgement(Action.HOLD))
    await settled(checks, metrics)
    assert outcomes(metrics) == {"agreed": 1}

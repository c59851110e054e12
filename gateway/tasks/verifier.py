"""A second opinion off the hot path: what was held, and a sample of the forwarded, runs again on the other engine."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog

from gateway.errors import SimulationError, StateMissing, Unexecutable, UpstreamError
from gateway.evm.crosscheck import Difference, compare
from gateway.evm.simulator import REPLAY, Limits, Simulator, World
from gateway.model.primitive import Hash32
from gateway.model.state import StateBatch, StateKeys
from gateway.model.trace import SimulationResult
from gateway.model.transaction import Transaction
from gateway.model.verdict import Action
from gateway.pipeline import Judgement
from gateway.telemetry import Metrics

log = structlog.get_logger()

_CAPACITY: Final = 64
_ROUNDS: Final = 24
"""times one transaction may turn out to need more state"""
_SCALE: Final = 1_000_000
_LIMITS: Final = Limits(wall_clock=20.0)

Read = Callable[[StateKeys, Hash32], Awaitable[StateBatch]]
"""(keys, block hash) -> their values after that block; raises UpstreamError."""

Head = Callable[[SimulationResult], Hash32 | None]
"""The block on whose state a result stands; None if nobody knows."""


@dataclass(frozen=True, slots=True)
class _Task:
    transaction: Transaction
    result: SimulationResult
    head: Hash32


class Verifier:
    """Runs transactions again on both engines, on state read afresh, and tells when they disagree.

    Both runs start from the same block, without what else was pending, so that they differ in nothing but the engine.
    The line is bounded: what does not fit is counted as dropped and never delays a verdict.
    """

    def __init__(
        self,
        first: Simulator,
        open_second: Callable[[], Awaitable[Simulator]],
        *,
        read: Read,
        head: Head,
        metrics: Metrics,
        sample: float,
    ) -> None:
        """`open_second` is called when the first transaction waits; `sample`: share of the forwarded, 0 to 1."""
        self._first, self._open_second = first, open_second
        self._read, self._head, self._metrics = read, head, metrics
        self._sample = round(sample * _SCALE)
        self._waiting: asyncio.Queue[_Task] = asyncio.Queue(_CAPACITY)

    def offer(self, judgement: Judgement) -> None:
        """Take a judgement that is to be checked; returns at once."""
        result = judgement.simulation
        if result is None or result.truncated or not self._chosen(judgement.verdict.action):
            return
        head = self._head(result)
        if head is None:
            return
        try:
            self._waiting.put_nowait(_Task(judgement.transaction, result, head))
        except asyncio.QueueFull:
            self._count("dropped")

    def _chosen(self, action: Action) -> bool:
        # Not by hash: a sender could choose a hash that is never looked at.
        return action is not Action.FORWARD or secrets.randbelow(_SCALE) < self._sample

    async def run(self) -> None:
        """Check one after the other, for ever."""
        second: Simulator | None = None
        try:
            while True:
                task = await self._waiting.get()
                second = second or await self._open_second()
                await self._check(task, second)
        finally:
            if second is not None:
                await second.close()

    async def _check(self, task: _Task, second: Simulator) -> None:
        """One transaction: counted by outcome, and told of loudly if the engines disagree."""
        hash = str(task.transaction.hash)
        try:
            difference = await self._compare(task, second)
        except (SimulationError, UpstreamError) as error:
            self._count("failed")
            log.warning("engines.not_compared", hash=hash, error=str(error) or type(error).__name__)
            return
        if difference is None:
            self._count("agreed")
        elif not difference.disagreement:
            self._count("explained")
        else:
            self._count("disagreed")
            log.error(
                "engines.disagree",
                hash=hash,
                head=str(task.head),
                field=difference.field,
                difference=str(difference),
            )

    async def _compare(self, task: _Task, second: Simulator) -> Difference | None:
        worlds = {engine.name: engine.world() for engine in (self._first, second)}
        await self._load(touched(task.transaction, task.result), task.head, worlds)
        answers = [await self._answer(engine, task, worlds) for engine in (self._first, second)]
        ours, theirs = answers
        if isinstance(ours, SimulationResult) and isinstance(theirs, SimulationResult):
            return compare(ours, theirs)
        if isinstance(ours, Unexecutable) and isinstance(theirs, Unexecutable):
            return None
        said = ["executed" if isinstance(each, SimulationResult) else f"refused: {each}" for each in answers]
        return Difference("executed", said[0], said[1], (self._first.name, second.name))

    async def _answer(
        self, engine: Simulator, task: _Task, worlds: dict[str, World]
    ) -> SimulationResult | Unexecutable:
        for _ in range(_ROUNDS):
            try:
                return await engine.simulate(
                    worlds[engine.name], task.transaction, task.result.block, limits=_LIMITS, checks=REPLAY
                )
            except StateMissing as missing:
                await self._load(missing.keys, task.head, worlds)
            except Unexecutable as refusal:
                return refusal
        raise SimulationError(f"{task.transaction.hash} still missed state after {_ROUNDS} rounds on {engine.name}")

    async def _load(self, keys: StateKeys, head: Hash32, worlds: dict[str, World]) -> None:
        batch = await self._read(keys, head)
        for world in worlds.values():
            world.load(batch)

    def _count(self, outcome: str) -> None:
        self._metrics.verifications.labels(outcome).inc()


def touched(transaction: Transaction, result: SimulationResult) -> StateKeys:
    """The state that a run is known to have read; what it read besides is asked for when it is missed."""
    accounts = {transaction.sender, result.block.coinbase, *result.state_diff}
    for frame in result.trace.frames:
        accounts.update(who for who in (frame.from_, frame.to, frame.code_address) if who is not None)
    slots = {(access.address, access.slot) for access in result.trace.accesses or ()}
    return StateKeys(accounts=frozenset(accounts), slots=frozenset(slots))

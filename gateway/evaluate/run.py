"""Runs cases and honest blocks through the engine, the detectors and the default policy."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import ConfigurationError, SimulationError, StateMissing, Unexecutable
from gateway.evaluate.benign import BenignSet, RecordedBlock, RecordedTransaction, unlisted_row
from gateway.evaluate.case import Case
from gateway.evm.simulator import ADMISSION, REPLAY, Checks, Limits, Simulator, World
from gateway.inspection.engine import inspect, unsimulated
from gateway.inspection.past.recollection import Recollection
from gateway.inspection.policy import DEFAULT_POLICY, decide
from gateway.inspection.registry import Ruleset
from gateway.inspection.subject import Inspection
from gateway.model.block import BlockContext
from gateway.model.finding import OutcomeStatus
from gateway.model.policy import Policy
from gateway.model.transaction import Transaction
from gateway.model.verdict import Action, Verdict

LIMITS = Limits(wall_clock=60.0)
"""The yardstick measures detection, so a slow machine must not turn a case into an over-budget one."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of one transaction."""

    verdict: Verdict
    gas: int
    frames: int
    simulation_seconds: float
    inspection_seconds: float

    @property
    def held(self) -> bool:
        """True if the default policy does not let it pass now or by itself later."""
        return self.verdict.action in (Action.HOLD, Action.REJECT)

    @property
    def detectors(self) -> tuple[str, ...]:
        """The detectors that found something, each once."""
        return tuple(dict.fromkeys(finding.detector_id for finding in self.verdict.report.findings))

    @property
    def incomplete(self) -> str | None:
        """Why the inspection is not whole: "failed", "timed out", "over budget", "not simulated"; None if it is."""
        report = self.verdict.report
        if not report.simulated:
            return "not simulated"
        statuses = {outcome.status for outcome in report.outcomes}
        if OutcomeStatus.FAILED in statuses:
            return "failed"
        if OutcomeStatus.TIMED_OUT in statuses:
            return "timed out"
        return "over budget" if report.truncated is not None else None


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One case: caught if any of its transactions is held."""

    case: Case
    judged: tuple[Judged, ...]

    @property
    def held(self) -> bool:
        """True if any of its transactions is held."""
        return any(judged.held for judged in self.judged)

    @property
    def detectors(self) -> tuple[str, ...]:
        """The detectors behind the holds."""
        return tuple(dict.fromkeys(name for judged in self.judged if judged.held for name in judged.detectors))


@dataclass(frozen=True, slots=True)
class HonestResult:
    """One honest transaction of a block."""

    block: int
    index: int
    kind: str
    transaction: Transaction
    judged: Judged


class Judge:
    """Engine, rule set and the memory within one case or block."""

    def __init__(self, simulator: Simulator, ruleset: Ruleset, policy: Policy = DEFAULT_POLICY) -> None:
        self._simulator, self._ruleset, self._policy = simulator, ruleset, policy
        self._recollection = Recollection(clock=lambda: self._now)
        self._now = 0.0

    async def judge(self, world: World, transaction: Transaction, block: BlockContext, checks: Checks) -> Judged:
        """Simulate, inspect and decide; the effects are applied to `world` so that the next one sees them.

        Raises:
            StateMissing: the world is not complete; load the keys and judge again.
        """
        return (await self.look(world, transaction, block, checks))[0]

    async def look(
        self, world: World, transaction: Transaction, block: BlockContext, checks: Checks
    ) -> tuple[Judged, Inspection | None]:
        """The same, with what the detectors saw; None where the engine could not finish."""
        try:
            result = await self._simulator.simulate(world, transaction, block, limits=LIMITS, checks=checks)
        except Unexecutable:
            if checks == REPLAY:
                raise
            return await self.look(world, transaction, block, REPLAY)
        except StateMissing:
            raise  # no failure: the caller knows where more state is
        except SimulationError as error:
            return Judged(decide(unsimulated(self._ruleset, error)), 0, 0, 0.0, 0.0), None
        world.apply(result.state_diff)
        self._now = float(block.timestamp)
        started = time.perf_counter()
        past = self._recollection.before(transaction, result)
        subject = Inspection(transaction, result, past.memory, past.taken, relied=past.relied, leaned=past.leaned)
        verdict = decide(inspect(self._ruleset, subject), self._policy, sender=transaction.sender)
        spent = time.perf_counter() - started
        self._recollection.keep(transaction.hash, transaction.sender, transaction.to, subject.effects)
        return Judged(verdict, result.gas_used, len(result.trace.frames), result.duration, spent), subject


async def run_case(simulator: Simulator, ruleset: Ruleset, case: Case) -> CaseResult:
    """All transactions of a case in order on one complete state."""
    return CaseResult(case, tuple([judged async for judged, _ in look_case(simulator, ruleset, case)]))


async def look_case(
    simulator: Simulator, ruleset: Ruleset, case: Case
) -> AsyncIterator[tuple[Judged, Inspection | None]]:
    """The same, each with what the detectors saw."""
    world, judge = simulator.world(complete=True), Judge(simulator, ruleset)
    world.load(case.prestate)
    for move in case.moves:
        world.load(move.patch)
        yield await judge.look(world, move.transaction, move.block, REPLAY)


def find_blocks(path: Path) -> Iterator[RecordedBlock]:
    """The honest blocks at `path`: a set with an index, any folder of block files, or one block file.

    Raises:
        ConfigurationError: there is no block, or a file is none.
    """
    if path.is_dir():
        return iter(BenignSet(path))
    if not path.is_file():
        raise ConfigurationError(f"{path} does not exist; name a folder of recorded blocks or one block file")
    root = next((folder for folder in path.parents if (folder / "index.json").is_file()), path.parent)
    blocks = BenignSet(root)
    rows = [row for row in blocks.rows if row.path.resolve() == path.resolve()]
    return (blocks.read(row) for row in rows or [unlisted_row(path)])


async def run_block(
    simulator: Simulator, ruleset: Ruleset, block: RecordedBlock, done: Callable[[], None]
) -> list[HonestResult]:
    """Every transaction of a block, each on the state before it; those not counted as honest run but do not count."""
    results = []
    async for recorded, judged, _ in look_block(simulator, ruleset, block):
        if recorded.honest:
            results.append(
                HonestResult(block.context.number, recorded.index, recorded.kind, recorded.transaction, judged)
            )
        done()
    return results


async def look_block(
    simulator: Simulator, ruleset: Ruleset, block: RecordedBlock
) -> AsyncIterator[tuple[RecordedTransaction, Judged, Inspection | None]]:
    """Every transaction of a block with what became of it and what the detectors saw."""
    world, judge = simulator.world(complete=True), Judge(simulator, ruleset)
    world.load(block.prestate)
    for recorded in block.transactions:
        yield recorded, *await judge.look(world, recorded.transaction, block.context, ADMISSION)

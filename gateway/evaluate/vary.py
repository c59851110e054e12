"""Runs acts again in other guises and counts where the verdict changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.errors import Unexecutable
from gateway.evaluate.benign import RecordedBlock
from gateway.evaluate.case import Case, Move
from gateway.evaluate.repertoire import HONEST, STRIKES
from gateway.evaluate.run import Judge, Judged
from gateway.evaluate.variation import Recording, Unfit, Variant, Variation
from gateway.evm.simulator import REPLAY, Simulator, World
from gateway.inspection.registry import Ruleset
from gateway.inspection.subject import Inspection
from gateway.model.block import Fork
from gateway.model.primitive import EMPTY_CODE_HASH, Address
from gateway.model.state import AccountState, StateBatch
from gateway.model.trace import SimulationResult, StateDiff


@dataclass(frozen=True, slots=True)
class Comparison:
    """One act in one guise."""

    act: str
    variation: str
    unfit: str
    """why it says nothing; empty if the guise did the same as the recorded act"""
    held_before: bool
    held_after: bool
    before: frozenset[str]
    """detectors that spoke"""
    after: frozenset[str]

    @property
    def changed(self) -> bool:
        """True if the same act was judged in another way."""
        return not self.unfit and self.held_before != self.held_after


@dataclass(frozen=True, slots=True)
class _Run:
    judged: tuple[Judged, ...]
    subjects: tuple[Inspection, ...]

    @property
    def held(self) -> bool:
        return any(one.held for one in self.judged)

    @property
    def detectors(self) -> frozenset[str]:
        return frozenset(name for one in self.judged for name in one.detectors)

    @property
    def results(self) -> tuple[SimulationResult, ...]:
        return tuple(subject.simulation for subject in self.subjects)


async def vary_case(
    simulator: Simulator, ruleset: Ruleset, case: Case, variations: Mapping[str, Variation] | None = None
) -> tuple[Comparison, ...]:
    """Every variation of one case."""
    world = simulator.world(complete=True)
    world.load(case.prestate)
    chosen = variations or (HONEST if case.honest else STRIKES)
    base = await _run(Judge(simulator, ruleset), world.fork(), case.moves)
    if base is None:
        return tuple(_nothing(case.id, name, "the recorded act does not run") for name in chosen)
    strikers = frozenset(
        address
        for address in case.attackers
        if address in case.prestate.accounts and case.prestate.accounts[address].code
    )
    spoils = {striker: _spoils(base, striker) for striker in strikers}
    recording = Recording(_Known(case.prestate.accounts), case.moves, base.results, strikers, spoils)
    return tuple([await _compare(simulator, ruleset, world, case.id, recording, base, item) for item in chosen.items()])


async def vary_block(
    simulator: Simulator, ruleset: Ruleset, block: RecordedBlock, done: Callable[[], None]
) -> list[Comparison]:
    """Every variation of every honest call of a block, each on the state before it."""
    if not block.context.fork.at_least(Fork.BYZANTIUM):  # the planted contracts relay answers
        return []
    world = simulator.world(complete=True)
    world.load(block.prestate)
    accounts = _Known(block.prestate.accounts)
    found: list[Comparison] = []
    for recorded in block.transactions:
        move = Move(block.context, StateBatch(), recorded.transaction)
        before = world.fork()
        base = await _run(Judge(simulator, ruleset), world, (move,))
        if base is None:
            continue
        if recorded.honest and recorded.kind == "call" and recorded.receipt.status == 1:
            recording = Recording(accounts.copy(), (move,), base.results, frozenset())
            name = f"{block.context.number}/{recorded.index}"
            for item in HONEST.items():
                found.append(await _compare(simulator, ruleset, before, name, recording, base, item))
        accounts.apply(base.results[0].state_diff)
        done()
    return found


class _Known(dict[Address, AccountState]):
    """Accounts as they are now; what is not listed is empty."""

    def __missing__(self, address: Address) -> AccountState:
        return AccountState()

    def copy(self) -> _Known:
        return _Known(self)

    def apply(self, diff: StateDiff) -> None:
        for address, change in diff.items():
            state = self[address]
            self[address] = replace(
                state,
                nonce=change.nonce[1] if change.nonce else state.nonce,
                balance=change.balance[1] if change.balance else state.balance,
                code=change.code[1] if change.code else state.code,
                code_hash=EMPTY_CODE_HASH if change.code else state.code_hash,
            )


async def _run(judge: Judge, world: World, moves: Sequence[Move]) -> _Run | None:
    judged, subjects = [], []
    for move in moves:
        world.load(move.patch)
        try:
            one, subject = await judge.look(world, move.transaction, move.block, REPLAY)
        except Unexecutable:
            return None
        if subject is None:
            return None
        judged.append(one)
        subjects.append(subject)
    return _Run(tuple(judged), tuple(subjects))


async def _compare(
    simulator: Simulator,
    ruleset: Ruleset,
    world: World,
    act: str,
    recording: Recording,
    base: _Run,
    item: tuple[str, Variation],
) -> Comparison:
    name, variation = item
    try:
        variant = variation(recording)
    except Unfit as unfit:
        return _nothing(act, name, str(unfit))
    varied = world.fork()
    varied.load(variant.overlay)
    run = await _run(Judge(simulator, ruleset), varied, variant.moves)
    if run is None:
        return _nothing(act, name, "the engine refuses it")
    why = "" if _did_the_same(base, run, recording, variant) else "it does something else"
    return Comparison(act, name, why, base.held, run.held, base.detectors, run.detectors)


def _nothing(act: str, variation: str, why: str) -> Comparison:
    return Comparison(act, variation, why, False, False, frozenset(), frozenset())


def _did_the_same(base: _Run, run: _Run, recording: Recording, variant: Variant) -> bool:
    """True if outsiders were called and spoke in the same order, with nothing left out."""
    if run.results[-1].status is not base.results[-1].status:
        return False
    created = {address for result in base.results for address in result.created}
    own = recording.strikers | created | {move.transaction.sender for move in recording.moves}
    old = {new: address for address, new in variant.renamed.items()}
    seen = tuple(_doings(base.results, {}, None, own))
    outsiders = {who for who, _ in seen}
    return tuple(_doings(run.results, old, outsiders, own))[: len(seen)] == seen


def _doings(
    results: Sequence[SimulationResult],
    names: Mapping[Address, Address],
    outsiders: set[Address] | None,
    own: frozenset[Address],
) -> Iterator[tuple[Address, bytes]]:
    """(who, selector or event) of calls into outsiders and of their events that stood, in order."""
    for result in results:
        doings = [
            (frame.entered, frame.to, frame.input[:4])
            for frame in result.trace.frames
            if frame.to is not None and frame.code_hash is not None and not frame.reverted
        ]
        doings += [
            (log.sequence, log.address, log.topics[0] if log.topics else b"")
            for log in result.trace.logs
            if not log.reverted
        ]
        for _, address, what in sorted(doings):
            who = names.get(address, address)
            if who not in own and (outsiders is None or who in outsiders):
                yield who, what


def _spoils(base: _Run, striker: Address) -> tuple[Address, ...]:
    sums: Counter[Address] = Counter()
    for subject in base.subjects:
        for asset, amount in subject.ledger.net.get(striker, {}).items():
            if asset.item is None:
                sums[asset.token] += amount
    return tuple(token for token, amount in sums.items() if amount > 0)

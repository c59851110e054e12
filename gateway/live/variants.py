"""Runs a transaction again in blocks that differ a little: code that behaves otherwise there was watching for us."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from sha3 import keccak_256

from gateway.errors import SimulationError, Unexecutable, UpstreamError
from gateway.live.effects import difference, outline
from gateway.model.block import BlockContext
from gateway.model.primitive import Address, Hash32
from gateway.model.trace import SimulationResult
from gateway.model.transaction import Transaction


class VariantKind(StrEnum):
    """What is different from the block that was predicted."""

    COINBASE = "coinbase"
    """another fee recipient; also shows code that looks at the coinbase's balance"""
    LATER = "later"
    """one hour and 300 blocks on"""
    NEXT = "next"
    """one block on"""
    PREVRANDAO = "prevrandao"
    BASE_FEE = "base-fee"
    WITHOUT_PENDING = "without-pending"
    """as if nothing forwarded before were mined before it: a sequencer may order by fee"""

    @property
    def difference(self) -> str:
        """What is different, in words for the analyst."""
        return _WORDS[self]


_WORDS = {
    VariantKind.COINBASE: "a block with another fee recipient",
    VariantKind.LATER: "a block one hour later",
    VariantKind.NEXT: "the block after the next",
    VariantKind.PREVRANDAO: "a block with another random value",
    VariantKind.BASE_FEE: "a block with another base fee",
    VariantKind.WITHOUT_PENDING: "a block that does not contain what others sent before",
}


_TRIGGERS = {
    VariantKind.COINBASE: frozenset({"COINBASE", "BALANCE"}),
    VariantKind.LATER: frozenset({"TIMESTAMP", "NUMBER", "BLOCKHASH"}),
    VariantKind.NEXT: frozenset({"NUMBER", "BLOCKHASH"}),
    VariantKind.PREVRANDAO: frozenset({"PREVRANDAO", "BLOCKHASH"}),
    VariantKind.BASE_FEE: frozenset({"BASEFEE", "GASPRICE", "GASLIMIT"}),
}

FAMILIAR_RUNS = 8
FAMILIAR_SECONDS = 3600.0
MAX_FAMILIAR = 20_000


@dataclass(frozen=True, slots=True)
class Variant:
    """One further run of the same transaction."""

    kind: VariantKind
    result: SimulationResult | None
    """None if it could not be run"""
    error: str | None = None
    divergence: str | None = None
    """how its effects differ from the first run's, in one sentence; None if only amounts do, or nothing"""
    unfinished: bool = False
    """True if it could have been run, but there was no time or no state"""
    flows: bool = False
    """True if value moves that did not move in the first run, and that run did not fail"""


RunIn = Callable[[BlockContext, bool], Awaitable[SimulationResult]]
"""(context, with what is pending on top) -> result. Raises as `LiveState.simulate` does."""


@dataclass(slots=True)
class _Seen:
    first: float
    runs: int = 0


class VariantRunner:
    """Chooses and compares variants; remembers code that never diverged, so that it is not run again and again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: OrderedDict[Hash32, _Seen] = OrderedDict()

    def kinds(self, simulation: SimulationResult, *, suspicious: bool, conflicted: bool) -> tuple[VariantKind, ...]:
        """The variants worth running.

        Args:
            simulation: the first run.
            suspicious: run all of them; the environment may be read by code in ways no trace shows.
            conflicted: the first run depends on forwarded transactions that are not mined.
        """
        chosen = set(_TRIGGERS) if suspicious else set()
        for read in simulation.trace.environment or ():
            code = simulation.trace.frames[read.frame].code_hash
            if code is None or not self._is_familiar(code):
                chosen.update(kind for kind, opcodes in _TRIGGERS.items() if read.opcode in opcodes)
        if conflicted:
            chosen.add(VariantKind.WITHOUT_PENDING)
        return tuple(kind for kind in VariantKind if kind in chosen)

    async def run(
        self,
        transaction: Transaction,
        simulation: SimulationResult,
        kinds: Sequence[VariantKind],
        run_in: RunIn,
        deadline: float,
    ) -> tuple[Variant, ...]:
        """Run and compare; what does not begin before `deadline` (of the clock) is reported as not run."""
        first = outline(simulation)
        variants = []
        for kind in kinds:
            if self._clock() >= deadline:
                variants.append(Variant(kind, None, error="no time left", unfinished=True))
                continue
            try:
                result = await run_in(
                    altered(simulation.block, kind, transaction), kind is not VariantKind.WITHOUT_PENDING
                )
            except Unexecutable as error:
                # For example a base fee above the sender's cap: in such a block it would not be mined at all.
                variants.append(Variant(kind, None, error=str(error)))
                continue
            except (SimulationError, UpstreamError) as error:
                variants.append(Variant(kind, None, error=f"not run: {error}", unfinished=True))
                continue
            if kind is VariantKind.WITHOUT_PENDING:
                # That it depends on what is pending was known before; what it then does is for the detectors.
                variants.append(Variant(kind, result))
                continue
            found = difference(first, outline(result))
            variants.append(
                Variant(
                    kind,
                    result,
                    None,
                    found.text if found else None,
                    flows=found is not None and found.flows and simulation.succeeded,
                )
            )
        if variants and all(variant.divergence is None and variant.result is not None for variant in variants):
            self._remember(simulation)
        return tuple(variants)

    def _is_familiar(self, code: Hash32) -> bool:
        seen = self._seen.get(code)
        return seen is not None and seen.runs >= FAMILIAR_RUNS and self._clock() - seen.first >= FAMILIAR_SECONDS

    def _remember(self, simulation: SimulationResult) -> None:
        for code in set(_readers(simulation)):
            self._seen.setdefault(code, _Seen(self._clock())).runs += 1
            self._seen.move_to_end(code)
        while len(self._seen) > MAX_FAMILIAR:
            self._seen.popitem(last=False)


def altered(block: BlockContext, kind: VariantKind, transaction: Transaction) -> BlockContext:
    """The block of one variant; deterministic, and not foreseeable before the transaction is signed."""
    noise = keccak_256(b"stopgate variant" + transaction.hash + kind.encode()).digest()
    match kind:
        case VariantKind.COINBASE:
            return replace(block, coinbase=Address(noise[:20]))
        case VariantKind.LATER:
            return replace(block, timestamp=block.timestamp + 3600, number=block.number + 300, block_hashes={})
        case VariantKind.NEXT:
            return replace(block, timestamp=block.timestamp + 2, number=block.number + 1)
        case VariantKind.PREVRANDAO:
            return replace(block, prev_randao=Hash32(noise))
        case VariantKind.BASE_FEE:
            return replace(block, base_fee=block.base_fee * 7 // 8)
        case VariantKind.WITHOUT_PENDING:
            return block


def _readers(simulation: SimulationResult) -> Iterator[Hash32]:
    for read in simulation.trace.environment or ():
        code = simulation.trace.frames[read.frame].code_hash
        if code is not None:
            yield code

"""Compares what two engines say of one transaction, and names the first difference."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from gateway.model.block import Fork
from gateway.model.primitive import Address
from gateway.model.trace import AccountDiff, CallFrame, FrameKind, SimulationResult


class Explanation(StrEnum):
    """Why two results may differ although both engines are right by their own rules."""

    FORK = "fork"
    """one of them does not know the block's fork and says so"""
    TRUNCATED = "truncated"
    """a limit ended one of the runs, so there is nothing to compare"""


@dataclass(frozen=True, slots=True)
class Difference:
    """The first thing on which two results do not agree."""

    field: str
    """for example "gas_used", "frames[3].output", "state_diff[0x..].storage[0x..]" """
    first: str
    """what the first engine says, shortened"""
    second: str
    engines: tuple[str, str]
    explanation: Explanation | None = None
    """None: nobody explained it, so somebody must be told"""

    @property
    def disagreement(self) -> bool:
        """True if it is a cause for alarm."""
        return self.explanation is None

    def __str__(self) -> str:
        because = f" (explained: {self.explanation})" if self.explanation else ""
        return f"{self.field}: {self.engines[0]} {self.first}, {self.engines[1]} {self.second}{because}"


_SHOWN: Final = 120
# These leave the frame's gas or its output behind. Every other error is an exceptional halt: all gas gone, nothing
# returned, everything undone. Which of two broken rules an engine names first is its own affair and no rule of the
# chain (revm calls DUP on a short stack an overflow, and charges for an opcode before it finds it unknown).
_CONSEQUENCES: Final = (
    "execution reverted",
    "execution aborted",
    "max call depth exceeded",
    "insufficient balance for transfer",
    "nonce uint64 overflow",
)
_HALT: Final = "exceptional halt"


def compare(first: SimulationResult, second: SimulationResult) -> Difference | None:
    """None if the two agree on everything that both supply.

    Compared: status, gas, output, created and destroyed accounts, events that stand, every child frame (kind, ends,
    value, gas used, output, what an error entails), and the net state. Not compared: durations, storage accesses
    (the node has none), the root frame's gas (engines count intrinsic gas differently) and the sequence numbers.
    """
    for field, left, right in _pairs(first, second):
        if left != right:
            engines = (first.engine, second.engine)
            return Difference(field, _short(left), _short(right), engines, _explain(first, second))
    return None


def _explain(first: SimulationResult, second: SimulationResult) -> Explanation | None:
    if first.truncated or second.truncated:
        return Explanation.TRUNCATED
    if first.block.fork != second.block.fork:
        return Explanation.FORK
    # An engine that ran older rules than the block's says so in its name: "py-evm (Prague rules)".
    if first.block.fork.at_least(Fork.OSAKA) and any("rules)" in result.engine for result in (first, second)):
        return Explanation.FORK
    return None


def _pairs(first: SimulationResult, second: SimulationResult) -> Iterator[tuple[str, Any, Any]]:
    """Field, value of the first, value of the second; the cheapest and most telling come first."""
    yield "truncated", first.truncated, second.truncated
    yield "status", first.status.value, second.status.value
    yield "error", _consequence(first.error), _consequence(second.error)
    yield "gas_used", first.gas_used, second.gas_used
    yield "output", first.output, second.output
    yield "created", set(first.created), set(second.created)
    yield "destroyed", set(first.destroyed), set(second.destroyed)
    yield from _frames(first, second)
    yield from _logs(first, second)
    yield from _state(first, second)


def _frames(first: SimulationResult, second: SimulationResult) -> Iterator[tuple[str, Any, Any]]:
    lefts, rights = first.trace.frames, second.trace.frames
    yield "frames", len(lefts), len(rights)
    for index, (left, right) in enumerate(zip(lefts, rights, strict=False)):
        for name, read in _FRAME_FIELDS:
            if index == 0 and name == "gas_used":
                continue
            yield f"frames[{index}].{name}", read(left), read(right)


def _recipient(frame: CallFrame) -> Address | None:
    """A failed creation has no recipient in geth's tree."""
    failed_creation = frame.kind in (FrameKind.CREATE, FrameKind.CREATE2) and frame.error is not None
    return None if failed_creation else frame.to


_FRAME_FIELDS: Final[tuple[tuple[str, Callable[[CallFrame], object]], ...]] = (
    ("parent", lambda frame: frame.parent),
    ("kind", lambda frame: frame.kind.value),
    ("from", lambda frame: frame.from_),
    ("to", _recipient),
    ("value", lambda frame: frame.value),
    ("input", lambda frame: frame.input),
    ("error", lambda frame: _consequence(frame.error)),
    ("gas_used", lambda frame: frame.gas_used),
    ("output", lambda frame: frame.output),
)


def _logs(first: SimulationResult, second: SimulationResult) -> Iterator[tuple[str, Any, Any]]:
    kept = [[log for log in result.trace.logs if not log.reverted] for result in (first, second)]
    yield "logs", len(kept[0]), len(kept[1])
    for index, (left, right) in enumerate(zip(*kept, strict=False)):
        yield f"logs[{index}].address", left.address, right.address
        yield f"logs[{index}].topics", left.topics, right.topics
        yield f"logs[{index}].data", left.data, right.data


def _state(first: SimulationResult, second: SimulationResult) -> Iterator[tuple[str, Any, Any]]:
    unchanged, destroyed = AccountDiff(), set(first.destroyed)
    for address in sorted(first.state_diff.keys() | second.state_diff.keys()):
        left = first.state_diff.get(address, unchanged)
        right = second.state_diff.get(address, unchanged)
        name = f"state_diff[{address}]"
        yield f"{name}.balance", left.balance, right.balance
        yield f"{name}.nonce", left.nonce, right.nonce
        yield f"{name}.code", left.code, right.code
        if address in destroyed:
            continue  # all its slots are gone; which of them an engine lists depends on what it knew
        for slot in sorted(left.storage.keys() | right.storage.keys()):
            yield f"{name}.storage[{slot:#x}]", left.storage.get(slot), right.storage.get(slot)


def _consequence(error: str | None) -> str | None:
    if error is None:
        return None
    return next((known for known in _CONSEQUENCES if error.startswith(known)), _HALT)


def _short(value: object) -> str:
    text = "0x" + value.hex() if isinstance(value, bytes) else str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text)} characters)"

"""Answers to plain questions that jump within one transaction: a rate, a price, a value of one share."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import NamedTuple

from gateway.inspection.parties.roles import Roles
from gateway.model.facts import Facts
from gateway.model.primitive import Address
from gateway.model.trace import SimulationResult

JUMP = 1.5
"""times (either way) by which an answer must differ from the first"""
ANSWERS_EXAMINED = 4096
"""questions compared with the first of their kind"""
LARGE = 10**6
"""smaller numbers are counts, and jump by themselves"""
WIDE = 1 << 128
"""from here on a word is a name or a hash, no price"""
WORDS = 256
"""bytes of an answer that are compared"""
_GROWING = frozenset(
    bytes.fromhex(selector)
    for selector in (
        "18160ddd",  # totalSupply
        "01e1d114",  # totalAssets
        "0902f1ac",  # getReserves, which is looked at beside what the pair holds
        "3850c7bd",  # slot0
        "3b1d21a2",  # getCash
        "47bd3718",  # totalBorrows
        "8f840ddd",  # totalReserves
        "b69ef8a8",  # balance
        "fc7b9c18",  # totalDebt
        "1a686502",  # liquidity
        "f8f9da28",  # borrowRatePerBlock
        "ae9d70b0",  # supplyRatePerBlock
    )
)
"""questions whose answer grows with every large deposit, and says no price"""


class Jump(NamedTuple):
    """One answer to an outsider that is far from the first answer to the same question."""

    asked: Address
    reader: Address
    visit: int
    """the call out of the ordering side under which it was asked (index of its frame)"""
    view: int
    """the frame of the answer"""
    factor: float
    """how far it is from the first answer, as a factor above 1"""


def jumps(facts: Facts, roles: Roles, simulation: SimulationResult) -> tuple[Jump, ...]:
    """Answers that outsiders got to a plain question whose first answer here had been another by far.

    Whoever asks for a rate without naming anybody wants what holds for all; that it jumps within one transaction,
    between two calls out of the ordering side, is that side's doing. A stock that grew by what was moved is no rate.
    """
    trace = simulation.trace
    moved = frozenset([move.amount for move in facts.transfers])
    told: set[tuple[Address, int]] = set()
    visits: Sequence[int] = ()
    found: list[Jump] = []
    for first, later in trace.recanted(_GROWING, roles.cluster, WORDS, ANSWERS_EXAMINED):
        earlier, frame = trace.frames[first], trace.frames[later]
        factor = _jump(earlier.output, frame.output, moved)
        if factor < JUMP:
            continue
        visits = visits or trace.visits(roles.cluster)
        visit = visits[frame.index]
        if frame.to is not None and visit >= 0 and visit != visits[first] and (frame.to, visit) not in told:
            told.add((frame.to, visit))
            found.append(Jump(frame.to, frame.from_, visit, frame.index, factor))
    return tuple(found)


def _jump(before: bytes, after: bytes, moved: Set[int]) -> float:
    """The greatest factor between words at the same place of two answers; small numbers and stocks do not count."""
    worst = 1.0
    for at in range(0, min(len(before), len(after)) - 31, 32):
        one, other = int.from_bytes(before[at : at + 32], "big"), int.from_bytes(after[at : at + 32], "big")
        if LARGE <= min(one, other) <= max(one, other) < WIDE and abs(one - other) not in moved:
            worst = max(worst, max(one, other) / min(one, other))
    return worst

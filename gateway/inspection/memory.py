"""What is remembered between transactions of one sender: pure values and their merge, no store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from gateway.model.primitive import Address
from gateway.model.trace import SimulationResult
from gateway.model.transaction import Transaction

CREATED_LIMIT = 256
"""contracts remembered per sender; the oldest leave first"""


@dataclass(frozen=True, slots=True)
class Memory:
    """What one sender did lately."""

    created: tuple[Address, ...] = ()
    """contracts that its transactions created, oldest first"""
    acquainted: frozenset[tuple[Address, int]] = frozenset()
    """(contract, slot) of the entries and owner records by which contracts got to know its side only lately"""
    dealt: Mapping[tuple[Address, int | None], int] = field(default_factory=dict)
    """(token, item) -> units that its side gained (negative: gave) in the transactions that touched these contracts"""


EMPTY_MEMORY = Memory()


def remember(memory: Memory, transaction: Transaction, simulation: SimulationResult) -> Memory:
    """`memory` after `transaction`; what failed in simulation leaves nothing."""
    if not simulation.succeeded or not simulation.created:
        return memory
    fresh = tuple(address for address in simulation.created if address not in memory.created)
    return replace(memory, created=(memory.created + fresh)[-CREATED_LIMIT:])

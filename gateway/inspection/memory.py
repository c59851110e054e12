"""What is remembered between transactions of one sender: pure values and their merge, no store."""

from __future__ import annotations

from dataclasses import dataclass

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


EMPTY_MEMORY = Memory()


def remember(memory: Memory, transaction: Transaction, simulation: SimulationResult) -> Memory:
    """`memory` after `transaction`; what failed in simulation leaves nothing."""
    if not simulation.succeeded or not simulation.created:
        return memory
    fresh = tuple(address for address in simulation.created if address not in memory.created)
    return Memory(created=(memory.created + fresh)[-CREATED_LIMIT:])

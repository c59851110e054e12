"""All that a detector sees of one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from gateway.inspection.facts import derive
from gateway.inspection.memory import EMPTY_MEMORY, Memory
from gateway.model.facts import Facts
from gateway.model.primitive import Address
from gateway.model.trace import SimulationResult
from gateway.model.transaction import Transaction


@dataclass(frozen=True)
class Inspection:
    """One simulated transaction with what was derived and remembered; derived parts are made once, when asked for."""

    transaction: Transaction
    simulation: SimulationResult
    memory: Memory = EMPTY_MEMORY
    """what earlier transactions of the same sender left behind"""
    labels: Mapping[Address, frozenset[str]] = field(default_factory=dict)
    """what the operator knows of an address, for example "router" or "sanctioned" """

    @cached_property
    def facts(self) -> Facts:
        """Facts of the engine if it derives them, else derived here."""
        return self.simulation.facts or derive(self.transaction, self.simulation)

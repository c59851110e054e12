"""A simulation result that remembers which state it was made on."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from gateway.live.pending import Footprint
from gateway.model.block import BlockRef
from gateway.model.primitive import Hash32
from gateway.model.trace import SimulationResult


@dataclass(frozen=True, slots=True)
class Basis:
    """The state a result holds for."""

    head: BlockRef
    """the block whose state it starts from"""
    seen: int
    """the last place in the order of forwarding whose effects are on top of it"""
    footprint: Footprint
    whole: bool
    """False if effects that belong on top could not be laid: nothing may be sent on this result"""
    trips: int
    """round trips to the upstream that this simulation waited for"""
    replaces: Hash32 | None = None
    """a forwarded transaction with the same sender and nonce, whose effects were left out"""


@dataclass(frozen=True, slots=True)
class LiveSimulation(SimulationResult):
    """What `LiveState.simulate` answers; give it back to `LiveState.admit` before sending."""

    basis: Basis | None = None
    """never None in what `LiveState` answers"""


_FIELDS = tuple(field.name for field in dataclasses.fields(SimulationResult))


def on_basis(result: SimulationResult, basis: Basis) -> LiveSimulation:
    """`result` with the state it holds for."""
    return LiveSimulation(**{name: getattr(result, name) for name in _FIELDS}, basis=basis)

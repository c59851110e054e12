"""Which pools somebody leaned on lately, and has not yet let go of."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Set
from typing import NamedTuple

from gateway.inspection.past.moved import BENT, Moved
from gateway.model.primitive import Address, Hash32
from gateway.model.trace import SimulationResult

POOLS = 4_096
"""pools remembered; those that nobody moved for longest are forgotten first"""
MOVES = 16
"""moves of one pool that are told apart; the first stands for what was before all of them"""
_BALANCES = frozenset({bytes.fromhex("70a08231")})


class _Push(NamedTuple):
    at: float
    transaction: Hash32
    sender: Address
    move: Moved


class Leaning:
    """Bounded memory of prices that were moved far, by whomever: one that stands is bent for everybody."""

    def __init__(self, lifetime: float) -> None:
        """`lifetime`: seconds after which a move is forgotten; what stands so long is the price."""
        self._lifetime = lifetime
        self._pools: OrderedDict[Address, list[_Push]] = OrderedDict()

    def __len__(self) -> int:
        """Pools remembered."""
        return len(self._pools)

    def push(self, transaction: Hash32, sender: Address, moved: Mapping[Address, Moved], at: float) -> None:
        """Remember what `transaction` made of pools at `at` (seconds since 1970); telling it twice changes nothing."""
        for pool, move in moved.items():
            known = self._pools.get(pool)
            if known is None:
                if move.factor < BENT:
                    continue
                known = self._pools[pool] = []
            if any(push.transaction == transaction for push in known):
                continue
            known.append(_Push(at, transaction, sender, move))
            self._pools.move_to_end(pool)
            if len(known) > MOVES:
                both = known[0].move.followed_by(known[1].move)
                known[:2] = [known[1]._replace(move=both)]
        while len(self._pools) > POOLS:
            self._pools.popitem(last=False)

    def stands(
        self, transaction: Hash32, sender: Address, simulation: SimulationResult, now: float
    ) -> Mapping[Address, Moved]:
        """Pools that `transaction` looks at and that others than `sender` left bent; its own move never counts."""
        found: dict[Address, Moved] = {}
        for pool in self._met(simulation):
            pushes = [push for push in self._pools[pool] if push.at + self._lifetime >= now]
            if not pushes:
                del self._pools[pool]
                continue
            move = _chain(push for push in pushes if push.transaction != transaction)
            if move is not None and move.factor >= BENT and any(push.sender != sender for push in pushes):
                found[pool] = move
        return found

    def _met(self, simulation: SimulationResult) -> Set[Address]:
        known = self._pools.keys()
        acting = {link.context for link in simulation.trace.links if link.context in known}
        asked = simulation.trace.select(selectors=_BALANCES, about=known, answered=True)
        return {pool for pool in acting if pool is not None} | {Address(frame.input[16:36]) for frame in asked}


def _chain(pushes: Iterable[_Push]) -> Moved | None:
    """What they made of a pool one after the other."""
    whole: Moved | None = None
    for push in pushes:
        whole = push.move if whole is None else whole.followed_by(push.move)
    return whole

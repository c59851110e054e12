"""Prices that a sender has moved lately, and not yet moved back: what they were before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from gateway.model.primitive import Address

if TYPE_CHECKING:
    from gateway.inspection.ledger import Ledger
    from gateway.inspection.pool import Market
    from gateway.model.trace import SimulationResult

POOLS_LIMIT = 16
"""pools remembered for one sender"""
NOTED = 1.05
"""times (either way) that a price must have moved to be remembered; what an ordinary trade does leaves nothing"""
SAME = 1.1
"""times (either way) that a price may differ from where the sender left it to count as left there"""
MASK_160 = (1 << 160) - 1


class Moved(NamedTuple):
    """What one pool held, or the square root of its price, before a sender traded there and after."""

    tokens: tuple[Address, Address]
    before: tuple[int, int]
    """of each token; of concentrated liquidity the square root of the price times 2**96, and 0"""
    after: tuple[int, int]

    @property
    def factor(self) -> float:
        """How far the price went, at least 1."""
        return apart(self.before, self.after)

    def followed_by(self, later: Moved) -> Moved:
        """Both as one if the second began where the first had ended; else the second alone."""
        return self._replace(after=later.after) if apart(self.after, later.before) <= SAME else later


def apart(one: tuple[int, int], other: tuple[int, int]) -> float:
    """How far two states of a pool are from one another, as a factor of the price, at least 1."""
    if not one[1] or not other[1]:
        first, second = one[0] ** 2, other[0] ** 2
    else:
        first, second = one[0] * other[1], other[0] * one[1]
    return max(first / second, second / first) if first and second else 1.0


def note_moves(market: Market, ledger: Ledger, simulation: SimulationResult) -> Mapping[Address, Moved]:
    """Pool -> what this transaction made of it, where that is more than an ordinary trade."""
    found: dict[Address, Moved] = {}
    for address, pair in market.pairs.items():
        first, second = (asset.token for asset in pair.tokens)
        found[address] = Moved((first, second), pair.before, pair.after)
    for address, root in market.roots.items():
        tokens = sorted(
            {asset.token for asset in ledger.net.get(address, {}) if asset.item is None and any(asset.token)}
        )
        diff = simulation.state_diff.get(address)
        later = diff.storage.get(0, (0, 0))[1] & MASK_160 if diff is not None else 0
        if len(tokens) == 2 and later:
            found[address] = Moved((tokens[0], tokens[1]), (root, 0), (later, 0))
    grave = {address: move for address, move in found.items() if move.factor >= NOTED}
    return dict(list(grave.items())[:POOLS_LIMIT])

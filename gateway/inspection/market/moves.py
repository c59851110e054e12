"""Which prices a transaction moved, and how far, for those who come after."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.inspection.market.pool import MASK_160, Market
from gateway.inspection.past.moved import POOLS_LIMIT, Moved
from gateway.inspection.trace.ledger import Ledger
from gateway.model.primitive import Address
from gateway.model.trace import SimulationResult

NOTED = 1.05
"""times (either way) that a price must have moved to be remembered; what an ordinary trade does leaves nothing"""


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

"""Numbers in the storage of outsiders that the ordering side had rewritten, and that decided a later payment."""

from __future__ import annotations

from collections.abc import Set
from typing import NamedTuple

from gateway.inspection.jump import JUMP, LARGE, WIDE
from gateway.inspection.ledger import Ledger
from gateway.inspection.loss import Loss
from gateway.model.facts import Facts
from gateway.model.primitive import Address
from gateway.model.trace import SimulationResult

ACCESSES_EXAMINED = 100_000
"""accesses of the accounts that acted behind a loss; beyond it a transaction does little else"""


class Rewrite(NamedTuple):
    """A number that was far from what it had been when a call that made a loss looked at it."""

    keeper: Address
    """in whose storage it is"""
    slot: int
    visit: int
    """the call out of the ordering side that looked at it (index of its frame)"""
    factor: float
    """how far it is from its value before the transaction, as a factor above 1"""


def rewritten(
    facts: Facts, ledger: Ledger, simulation: SimulationResult, cluster: Set[Address], loss: Loss
) -> Rewrite | None:
    """The number that earlier calls out of the ordering side had changed most, of those that made `loss` looked at.

    What changed by an amount that was moved, once or in all, is a stock. Linear in the accesses of who acted there.
    """
    trace = simulation.trace
    frames, calls = trace.frames, trace.visits(cluster)
    looked_at = sorted({calls[at] for at in loss.frames if calls[at] >= 0})
    if not looked_at:
        return None
    stocks = {move.amount for move in facts.transfers}
    stocks |= {abs(amount) for changes in ledger.net.values() for amount in changes.values()}
    acting = {account for at in looked_at for account in trace.contexts(at, max(loss.frames) + 1)} - cluster
    first: dict[tuple[Address, int], int] = {}
    worst: Rewrite | None = None
    for access in trace.accesses_of(acting)[:ACCESSES_EXAMINED]:
        before = first.setdefault((access.address, access.slot), access.previous)
        now = access.value
        if access.previous != now or not LARGE <= min(before, now) <= max(before, now) < WIDE:
            continue
        factor = max(before, now) / min(before, now)
        if factor < JUMP or abs(now - before) in stocks or (worst is not None and factor <= worst.factor):
            continue
        visit = next((at for at in looked_at if frames[at].entered <= access.sequence <= frames[at].left), None)
        if visit is not None:
            worst = Rewrite(access.address, access.slot, visit, factor)
    return worst

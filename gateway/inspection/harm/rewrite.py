"""Numbers in the storage of outsiders that the ordering side had rewritten, and that decided a later payment."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Set
from operator import attrgetter
from typing import NamedTuple

from gateway.inspection.harm.loss import Loss
from gateway.inspection.market.jump import JUMP, LARGE, WIDE
from gateway.inspection.trace.ledger import Ledger
from gateway.model.facts import Facts
from gateway.model.primitive import Address
from gateway.model.trace import SimulationResult

CHANGES_EXAMINED = 20_000
"""changes of storage by the accounts that acted behind a loss; beyond it a transaction does little else"""
ABOUT = 0.05
"""part by which a stock may differ from what was moved: fees that are kept elsewhere"""
_ENTERED = attrgetter("entered")
_SEQUENCE = attrgetter("sequence")


class Rewrite(NamedTuple):
    """A number that was far from what it had been when a call that made a loss looked at it."""

    keeper: Address
    """in whose storage it is"""
    slot: int
    visit: int
    """the call out of the ordering side that found it so (index of its frame)"""
    factor: float
    """how far it is from its value before the transaction, as a factor above 1"""


def rewritten(
    facts: Facts, ledger: Ledger, simulation: SimulationResult, cluster: Set[Address], loss: Loss
) -> Rewrite | None:
    """The number that earlier calls out of the ordering side had changed most, with those who act in one behind `loss`.

    It stood so when the call began: what a pool works out step by step within one call is its own formula. What
    changed by an amount that was moved, once or in all, is a stock. Linear in the changes by who acted there.
    """
    trace = simulation.trace
    frames, calls = trace.frames, trace.visits(cluster)
    looked_at = sorted({calls[at] for at in loss.frames if calls[at] >= 0})
    if not looked_at:
        return None
    stocks = {move.amount for move in facts.transfers}
    stocks |= {abs(amount) for changes in ledger.net.values() for amount in changes.values()}
    acting = {
        visit: set(trace.contexts(visit, bisect_right(frames, frames[visit].left, key=_ENTERED))) - cluster
        for visit in looked_at
    }
    moved = _moved_far(simulation, set().union(*acting.values()), stocks)
    if not moved:
        return None
    stands: dict[tuple[Address, int], tuple[int, int]] = {}
    changes = trace.accesses_of({account for account, _ in moved}, changing=True)[:CHANGES_EXAMINED]
    worst: Rewrite | None = None
    at = 0
    for visit in looked_at:
        entered = frames[visit].entered
        end = bisect_left(changes, entered, lo=at, key=_SEQUENCE)
        for change in changes[at:end]:
            key = change.address, change.slot
            if key in moved:
                stands[key] = stands.get(key, (change.previous, 0))[0], change.value
        at = end
        sums = _moved_until(facts, acting[visit], entered) if stands else set()
        for (keeper, slot), (before, now) in stands.items():
            if keeper not in acting[visit] or not LARGE <= min(before, now) <= max(before, now) < WIDE:
                continue
            factor, step = max(before, now) / min(before, now), abs(now - before)
            if factor < JUMP or step in stocks or (worst is not None and factor <= worst.factor):
                continue
            if not any(abs(step - total) <= ABOUT * total for total in sums):
                worst = Rewrite(keeper, slot, visit, factor)
    return worst


def _moved_until(facts: Facts, accounts: Set[Address], until: int) -> set[int]:
    """What came to each account, left it, and the difference, of each asset, up to a sequence number."""
    sums: dict[tuple[Address, Address], list[int]] = defaultdict(lambda: [0, 0])
    for move in facts.transfers:
        if move.sequence >= until:
            break
        if move.to in accounts:
            sums[move.to, move.token][0] += move.amount
        if move.from_ in accounts:
            sums[move.from_, move.token][1] += move.amount
    return {total for came, left in sums.values() for total in (came, left, abs(came - left)) if total}


def _moved_far(simulation: SimulationResult, accounts: Set[Address], stocks: Set[int]) -> set[tuple[Address, int]]:
    """Slots of `accounts` that were far from their first value at their highest or in the end."""
    written = {
        (use.address, use.slot)
        for use in simulation.trace.written
        if use.address in accounts and LARGE <= use.before < WIDE
    }
    return {
        (account, slot)
        for account, slot, before, peak, after in (simulation.trace.peaks(written) if written else ())
        for value in (peak, after)
        if value >= LARGE and max(value, before) >= JUMP * min(value, before) and abs(value - before) not in stocks
    }

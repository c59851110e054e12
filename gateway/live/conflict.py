"""Which forwarded transactions bear on each other, and which stay as they are on a new head."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from gateway.live.block_trace import Key
from gateway.live.context import next_base_fee
from gateway.live.pending import Footprint
from gateway.live.view import Standing, View
from gateway.model.trace import StateDiff
from gateway.model.transaction import Transaction

COSTLY_GAS = 300_000
"""Below, running again is cheaper than thinking about it; above, it could be made to take all the time there is."""


def touched_by(standing: Sequence[Standing], mark: Footprint, *, after: int = -1) -> bool:
    """True if any of these, after place `after`, may have written what was read, or read what is written."""
    return any(
        item.effects is not None and item.entry.sequence > after and (follows(mark, item) or precedes(mark, item))
        for item in standing
    )


def follows(mark: Footprint, item: Standing) -> bool:
    """True if what was read may differ with `item` before it."""
    return item.mark.creates or mark.meets(item.mark.writes)


def precedes(mark: Footprint, item: Standing) -> bool:
    """True if `item` may do something else with the marked transaction before it."""
    return mark.creates or item.mark.meets(mark.writes)


def still_holds(item: Standing, written: Collection[Key], redone: Sequence[Standing]) -> bool:
    """True if a costly run would do the same on the new head: nothing that it read was written, by blocks or others."""
    mark = item.mark
    if mark.gas_used < COSTLY_GAS or mark.environment or item.replaced_by is not None or mark.meets(written):
        return False
    return not any(follows(mark, other) for other in redone)


def repriced(item: Standing, effects: StateDiff, old: View, new: View) -> StateDiff:
    """The same effects at the new head's base fee: it is the sender who pays more or less."""
    sender, change = item.entry.sender, effects.get(item.entry.sender)
    more = item.mark.gas_used * (_price(item.transaction, new) - _price(item.transaction, old))
    if not more or change is None or change.balance is None:
        return effects
    before, after = change.balance
    return {**effects, sender: replace(change, balance=(before, max(after - more, 0)))}


def _price(transaction: Transaction, view: View) -> int:
    base_fee = view.fees.base_fee if view.fees is not None else next_base_fee(view.head)
    return min(transaction.max_fee_per_gas, base_fee + transaction.max_priority_fee_per_gas)

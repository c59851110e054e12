"""What looks like theft or a half-done state and is settled elsewhere: houses of contracts, flash loans, items."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

from gateway.inspection.consent import path
from gateway.inspection.derived import Derived
from gateway.inspection.ledger import Asset
from gateway.inspection.loss import Loss
from gateway.inspection.reentry import Reentry
from gateway.model.lazy import cached_property
from gateway.model.primitive import Address
from gateway.model.trace import StorageAccess

EVEN = 0.85
"""part of what a house gave that it got elsewhere: a liquidator keeps up to a tenth, prices of pools bend"""
_SEQUENCE = attrgetter("sequence")


@dataclass(frozen=True)
class Settlement(Derived):
    """Answers that clear a loss or a return."""

    def paid_by_house(self, loss: Loss) -> bool:
        """True if the contracts of one house together got, at the prices before, about what they gave.

        A lender's cash, claims and debts lie in contracts of their own, all of which obey its market: who liquidates
        pays into one and is paid out of another. The holder, or the token that is burnt, knows the market.
        """
        frames = self.simulation.trace.frames
        for house, _ in path(frames, loss.frames[0]) if loss.frames else ():
            if house in self.roles.cluster or house == loss.holder:
                continue
            known = self.consent.knows(loss.holder, house) or self.consent.knows(loss.asset.token, house)
            if known and self._is_even(house):
                return True
        return False

    def _is_even(self, house: Address) -> bool:
        total: dict[Asset, int] = defaultdict(int)
        for member, changes in self.ledger.net.items():
            if member not in self.roles.cluster and self.consent.knows(member, house):
                for asset, amount in changes.items():
                    total[asset] += amount
        given, complete = self.market.value({asset: -amount for asset, amount in total.items() if amount < 0})
        got, _ = self.market.value({asset: amount for asset, amount in total.items() if amount > 0})
        return complete and given > 0.0 and got >= EVEN * given

    def bought_items(self, holder: Address) -> bool:
        """True if all that `holder` got without a price are items that the ordering side had bought here."""
        gained = [asset for asset, amount in self.ledger.net.get(holder, {}).items() if amount > 0]
        unknown = [asset for asset in gained if asset not in self.market.prices]
        sellers = {
            Asset(move.token, move.token_id): move.from_
            for move in self.facts.transfers
            if move.to in self.roles.cluster and move.from_ not in self.roles.cluster
        }
        return bool(unknown) and all(
            asset.item is not None
            and (seller := sellers.get(asset)) is not None
            and any(amount > 0 and paid.item is None for paid, amount in self.ledger.net.get(seller, {}).items())
            for asset in unknown
        )

    def is_settled(self, found: Reentry) -> bool:
        """True if the slot of a return is no half-done state.

        A balance of the ordering side's own that the token's events account for, or a counter that the open call leaves
        as it found it, each change having looked at it first.
        """
        return not found.stale and (self.is_own_balance(found.account, found.slot) or self._is_restored(found))

    def is_own_balance(self, token: Address, slot: int) -> bool:
        """True if a member of the ordering side has its balance of `token` in `slot`."""
        key = (self.simulation.trace.preimages or {}).get(slot, b"")
        if len(key) != 64:
            return False
        halves = ((key[:32], key[32:]), (key[32:], key[:32]))
        members = [place for word, place in halves if not any(word[:12]) and word[12:] in self.roles.cluster]
        return any(place in self.ledger.balance_places.get(token, ()) for place in members)

    def _is_restored(self, found: Reentry) -> bool:
        frames = self.simulation.trace.frames
        uses = self._history(found.account).get(found.slot, ())
        first = bisect_left(uses, frames[found.outer].entered, key=_SEQUENCE)
        end = bisect_right(uses, frames[found.outer].left, key=_SEQUENCE)
        return first < end and uses[first].previous == uses[end - 1].value

    def _history(self, account: Address) -> Mapping[int, Sequence[StorageAccess]]:
        """The uses of each slot of `account` that changed, sorted out once."""
        known = self._histories.get(account)
        if known is None:
            known = self._histories[account] = defaultdict(list)
            for access in self.simulation.trace.accesses_of(frozenset((account,)), changing=True):
                known[access.slot].append(access)
        return known

    @cached_property
    def _histories(self) -> dict[Address, dict[int, list[StorageAccess]]]:
        return {}

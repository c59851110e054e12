"""Shares that were burnt or handed back for what left a stock: who gives up his part may take it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Set
from dataclasses import dataclass

from gateway.inspection.harm.loss import Loss
from gateway.inspection.settlement import Settlement
from gateway.inspection.trace.ledger import Asset
from gateway.model.facts import Transfer
from gateway.model.lazy import cached_property
from gateway.model.primitive import ZERO_ADDRESS, Address

CHEAP = 0.5
"""who pays less than this part of what it gets did not trade"""
IN_PROPORTION = 1.1
"""times its part of all shares that a share may redeem of one asset; the rest is interest and rounding"""
STRUCK_OFF = 1.01
"""times what was paid that may be struck off a debt; the rest is rounding"""
COVERED_DEBT = 0.5
"""part of what was paid that must have been: interest that is booked on the way is taken off the event"""
PAYMENTS_EXAMINED = 16
BURNS_EXAMINED = 64
"""kinds of burns that are looked at for each call out of the ordering side"""


@dataclass(frozen=True)
class Redemption(Settlement):
    """Answers that clear a loss by the shares that were given up for it."""

    def is_redeemed(self, loss: Loss) -> bool:
        """True if shares were burnt for it, its own, pulled in or lent to it, about as much as was paid out.

        As much at the prices before, or the same part of all shares as left the stock. Shares made here do not count.
        """
        if loss.asset.item is not None or not self._burns:
            return False
        cluster, visits = self.roles.cluster, self.simulation.trace.visits(self.roles.cluster)
        calls = {at if visits[at] < 0 else visits[at] for at in loss.frames}
        lost, priced = self.market.value({loss.asset: loss.amount})
        burnt_here = {pair for call in calls for pair in self._burns.get(call, ())}
        for share, owner in burnt_here | self._burnt_by_sisters(loss.holder):
            if share == loss.asset or not (owner in cluster or owner == loss.holder or self._gave_up(owner, share)):
                continue
            burnt = -self.ledger.minted[share]
            worth, known = self.market.value({share: burnt})
            supply = self.ledger.supply.get(share)
            if priced and known and worth >= CHEAP * lost:
                return True
            if supply and loss.share is not None and loss.share <= IN_PROPORTION * burnt / supply:
                return True
        return False

    def _gave_up(self, owner: Address, share: Asset) -> bool:
        """True if it shows that `owner`, an outsider, agreed to have less of his shares."""
        return any(
            loss.holder == owner
            and loss.asset == share
            and (loss.agreed or loss.signed or self.is_seized_for_debt(loss))
            for loss in self.losses
        )

    def is_seized_for_debt(self, loss: Loss) -> bool:
        """True if a house took it from somebody whose debt there the ordering side paid off in the same call.

        Units of the debt were burnt, no more than were paid, by order of a contract that both the debt's token and
        whoever got the payment had known; what was lost, the debt's units themselves included, obeys it too.
        """
        trace = self.simulation.trace
        for frame in loss.frames if not loss.acted else ():
            house = trace.asker(frame, loss.asset.token)
            if (self._visit_of(frame), loss.holder, house) in self._paid_debts:
                return True
        return False

    def collects_debts(self, house: Address) -> bool:
        """True if debts at `house` were paid, and nobody lost but the debtors and who kept what was theirs."""
        return any(house == other for _, _, other in self._paid_debts) and all(
            loss.compensated or self.is_seized_for_debt(loss) or self.is_redeemed(loss) for loss in self.losses
        )

    @cached_property
    def _paid_debts(self) -> Set[tuple[int, Address, Address]]:
        """(call out of the ordering side, debtor, house) of debts that were paid in that call."""
        frames, cluster = self.simulation.trace.frames, self.roles.cluster
        found: set[tuple[int, Address, Address]] = set()
        paid: dict[int, list[Transfer]] = defaultdict(list)
        for move, inward in self.facts.crossings(cluster) if self._shrunk else ():
            if not inward and frames[move.frame].parent >= 0:
                paid[self._visit_of(move.frame)].append(move)
        for move in self.facts.transfers if paid else ():
            if not self._is_burn(move) or move.from_ in cluster:
                continue
            visit, house = self._visit_of(move.frame), self.simulation.trace.asker(move.frame, move.token)
            if house in cluster or not self.consent.knows(move.token, house):
                continue
            for payment in paid[visit][:PAYMENTS_EXAMINED]:
                covered = COVERED_DEBT * payment.amount <= move.amount <= STRUCK_OFF * payment.amount
                if covered and payment.to != move.from_ and self.consent.knows(payment.to, house):
                    found.add((visit, move.from_, house))
        return found

    @cached_property
    def _burns(self) -> Mapping[int, Set[tuple[Asset, Address]]]:
        """Visit -> (token, whose units) of burns there, of tokens that there are fewer of in the end."""
        found: dict[int, set[tuple[Asset, Address]]] = defaultdict(set)
        if self._shrunk:
            calls = self.simulation.trace.visits(self.roles.cluster)
            for move in self.facts.transfers:
                burnt = found[calls[move.frame]] if self._is_burn(move) else None
                if burnt is not None and len(burnt) < BURNS_EXAMINED:
                    burnt.add((Asset(move.token), move.from_))
        return found

    @cached_property
    def _shrunk(self) -> Set[Asset]:
        return {asset for asset, amount in self.ledger.minted.items() if amount < 0} - self.wrapped

    def _is_burn(self, move: Transfer) -> bool:
        return move.to == ZERO_ADDRESS and Asset(move.token) in self._shrunk

    def _burnt_by_sisters(self, holder: Address) -> Set[tuple[Asset, Address]]:
        """(token, whose units) of burns that another door of the same house ordered, wherever in the transaction.

        A house keeps one book; each of its doors knows the book, which keeps an entry for each: one door pays out what
        another has money burnt for.
        """
        entries = self.consent.entries
        books = [
            book
            for book, known in entries.items()
            if holder in known and book not in self.facts.tokens and self.consent.knows(holder, book)
        ]
        return {
            (share, owner)
            for share, owner, door in (self._burn_orders if books else ())
            if any(door in entries[book] and self.consent.knows(door, book) for book in books)
        }

    @cached_property
    def _burn_orders(self) -> Set[tuple[Asset, Address, Address]]:
        """(token, whose units, who asked for it) of burns."""
        found: set[tuple[Asset, Address, Address]] = set()
        for move in self.facts.transfers:
            if self._is_burn(move):
                found.add((Asset(move.token), move.from_, self.simulation.trace.asker(move.frame, move.token)))
                if len(found) >= BURNS_EXAMINED:
                    break
        return found

    def is_redemption(self, loss: Loss) -> bool:
        """True if the holder took back about as large a part of all its own shares as left its stock.

        Markets of Compound's kind say so by a Transfer of the share to the market itself, which burns nothing.
        """
        if loss.share is None or loss.asset.item is not None:
            return False
        returned = self._returned.get(loss.holder, 0)
        diff = self.simulation.state_diff.get(loss.holder)
        if not returned or diff is None:
            return False
        preimages = self.simulation.trace.preimages or {}
        supplies = (
            before
            for slot, (before, after) in diff.storage.items()
            if before - after == returned and slot not in preimages
        )
        supply = next(supplies, 0)
        return supply > 0 and loss.share <= IN_PROPORTION * returned / supply

    @cached_property
    def _returned(self) -> Mapping[Address, int]:
        """Token -> how many of its own units it was sent."""
        returned: dict[Address, int] = defaultdict(int)
        for move in self.facts.transfers:
            if move.token == move.to != move.from_ and move.token_id is None:
                returned[move.to] += move.amount
        return returned

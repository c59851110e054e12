"""What looks like theft or a half-done state and is settled elsewhere: houses of contracts, flash loans, items."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gateway.inspection.harm.loss import Loss
from gateway.inspection.standing import Standing
from gateway.inspection.trace.ledger import NATIVE, Asset
from gateway.inspection.trace.reentry import Reentry
from gateway.model.code import PUSH0
from gateway.model.lazy import cached_property
from gateway.model.primitive import Address

EVEN = 0.85
"""part of what a house gave that it got elsewhere: a liquidator keeps up to a tenth, prices of pools bend"""
TIP = 0.02
"""part of what a work moved that may go to who started it"""
WHOLE = 1000
ROUND_PARTS = (1, 5, 10, 20, 25, 50, 100)
"""thousandths of a stock that a rule may give to whoever does what it is for"""
SPELT_OUT = 1 << 24
"""smaller numbers stand in any code by chance"""


@dataclass(frozen=True)
class Settlement(Standing):
    """Answers that clear a loss or a return."""

    def paid_by_house(self, loss: Loss) -> bool:
        """True if the contracts of one house together got, at the prices before, about what they gave.

        A lender's cash, claims and debts lie in contracts of their own, all of which obey its market: who liquidates
        pays into one and is paid out of another. The holder, or the token that is burnt, knows the market.
        """
        for house, _ in self.simulation.trace.path(loss.frames[0]) if loss.frames else ():
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
        return not found.stale and (self.is_own_balance(found.account, found.slot) or found.restored)

    def is_own_balance(self, token: Address, slot: int) -> bool:
        """True if a member of the ordering side has its balance of `token` in `slot`."""
        key = (self.simulation.trace.preimages or {}).get(slot, b"")
        if len(key) != 64:
            return False
        halves = ((key[:32], key[32:]), (key[32:], key[:32]))
        members = [place for word, place in halves if not any(word[:12]) and word[12:] in self.roles.cluster]
        return any(place in self.ledger.balance_places.get(token, ()) for place in members)

    def is_fair_visit(self, loss: Loss) -> bool:
        """True if the calls in which the holder lost were a fair trade for the ordering side, at the prices before.

        It may have paid another contract than the one that paid it: a sister market, an auction's till, a burn.
        """
        got: dict[Asset, int] = defaultdict(int)
        for amount, asset in self._balance_of_visit(loss):
            got[asset] += amount
        gained, complete = self.market.value({asset: amount for asset, amount in got.items() if amount > 0})
        gave, _ = self.market.value({asset: -amount for asset, amount in got.items() if amount < 0})
        return complete and gained > 0.0 and gave >= EVEN * gained

    @cached_property
    def only_tipped(self) -> bool:
        """True if all that the ordering side got is but a small part of what outsiders gave up of it for one another.

        Who starts a large work, a liquidation for example, is paid for it out of a till that others fill.
        """
        if not self.roles.gained:
            return False
        given: dict[Asset, int] = defaultdict(int)
        for holder, changes in self.ledger.net.items():
            if holder not in self.roles.cluster:
                for asset, amount in changes.items():
                    given[NATIVE if asset in self.wrapped else asset] += max(0, -amount)
        gained = self.roles.gained
        return all(amount <= TIP * given[asset] for asset, amount in gained.items())

    def is_shared(self, loss: Loss) -> bool:
        """True if the ordering side got no more of it than others whom the holder had named before, and who kept it.

        Whoever clears away a forfeited deposit is paid a half by many a house; the rest goes where it always goes.
        """
        kept = others = 0
        for move in self.ledger.outflows[loss.holder, loss.asset]:
            if move.to in self.roles.cluster:
                kept += move.amount
            elif self._keeps(move.to) and self.consent.knows(loss.holder, move.to):
                others += move.amount
        return 0 < kept <= others and kept + others == loss.amount

    def _keeps(self, account: Address) -> bool:
        """True if `account` is no pool, and has less of nothing."""
        pool = account in self.market.pairs or account in self.market.concentrated
        return not pool and all(amount > 0 for amount in self.ledger.net.get(account, {}).values())

    def is_round_part(self, loss: Loss) -> bool:
        """True if one payment made the loss, of a tenth of the stock or another round part of it.

        So a finder is paid who sends on what was lost: what he gets is a rule of the house, if he named no amount.
        """
        moves = self.ledger.outflows[loss.holder, loss.asset]
        stock = self.ledger.before.get((loss.holder, loss.asset), 0)
        return len(moves) == 1 and any(moves[0].amount == stock * part // WHOLE for part in ROUND_PARTS)

    def is_fixed(self, loss: Loss) -> bool:
        """True if one payment made the loss, of an amount that the holder had set before.

        In its code or a plain slot.
        """
        moves = self.ledger.outflows[loss.holder, loss.asset]
        if len(moves) != 1 or moves[0].amount < SPELT_OUT:
            return False
        amount = moves[0].amount
        size = (amount.bit_length() + 7) // 8
        spelt = bytes((PUSH0 + size,)) + amount.to_bytes(size, "big")
        if any(code.find(spelt) >= 0 for code in self.consent.codes.get(loss.holder, ())):
            return True
        preimages = self.simulation.trace.preimages or {}
        return any(
            use.address == loss.holder and use.before == amount and not use.written and use.slot not in preimages
            for use in self.simulation.trace.slots or ()
        )

    def pays_off_debt(self, loss: Loss) -> bool:
        """True if a contract that seized what the holder had let it owe less in turn, and the ordering side paid."""
        chain = {account for frame in loss.frames for account, _ in self.simulation.trace.path(frame)}
        preimages = self.simulation.trace.preimages or {}
        for account in chain - {self.roles.origin, loss.asset.token}:
            if not self._obeys(loss.asset.token, account):
                continue
            diff = self.simulation.state_diff.get(account)
            for slot, (before, after) in diff.storage.items() if diff is not None else ():
                key = preimages.get(slot, b"")
                if after < before and len(key) == 64 and loss.holder in (key[12:32], key[44:64]):
                    return bool(self.roles.gave) or any(amount < 0 for amount, _ in self._balance_of_visit(loss))
        return False

    def _obeys(self, contract: Address, master: Address) -> bool:
        """True if `contract` knew `master`, or a register that it knew did."""
        if self.consent.knows(contract, master):
            return True
        return any(master in known and self.consent.knows(contract, at) for at, known in self.consent.entries.items())

    def _balance_of_visit(self, loss: Loss) -> Iterator[tuple[int, Asset]]:
        """(amount, asset) of what came to the ordering side (negative: left it) in the calls that led to a loss.

        In all of them together, so that a payment in one does not clear what another took.
        """
        calls = {self._visit_of(frame) for frame in loss.frames}
        for call, amount, asset in self._crossings:
            if call in calls:
                yield amount, asset

    @cached_property
    def _crossings(self) -> Sequence[tuple[int, int, Asset]]:
        """(call out of the ordering side, amount, asset) of what came to that side (negative: left it), in order."""
        found = []
        for move, inward in self.facts.crossings(self.roles.cluster):
            asset = Asset(move.token, move.token_id)
            amount = move.amount if inward else -move.amount
            found.append((self._visit_of(move.frame), amount, NATIVE if asset in self.wrapped else asset))
        return found

    def _visit_of(self, frame: int) -> int:
        """The call out of the ordering side that frame `frame` belongs to; coin paid to that side, to who paid it."""
        found = self._visits[frame]
        if found >= 0:
            return found
        above = self.simulation.trace.frames[frame].parent
        return self._visits[above] if above >= 0 else found

    @cached_property
    def _visits(self) -> Sequence[int]:
        return self.simulation.trace.visits(self.roles.cluster - self._office)

    @cached_property
    def _office(self) -> frozenset[Address]:
        """The called contract if somebody who paid knows it: it serves many, and all in its call is one deal."""
        called = self.transaction.to
        if called is None or called not in self.roles.cluster or called in self.memory.created:
            return frozenset()
        losers = {
            holder
            for holder, changes in self.ledger.net.items()
            if holder not in self.roles.cluster and any(amount < 0 for amount in changes.values())
        }
        return frozenset((called,)) if any(self.consent.knows(loser, called) for loser in losers) else frozenset()

"""What explains a loss, and what the ordering side paid for what it gained."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Set
from dataclasses import dataclass
from operator import attrgetter

from gateway.inspection.conjured import overspent
from gateway.inspection.gift import unrelated
from gateway.inspection.ledger import NATIVE, Asset
from gateway.inspection.loss import Loss
from gateway.inspection.settlement import IN_PROPORTION, Settlement
from gateway.inspection.terms import HELPER_FRAMES
from gateway.inspection.visit import visit
from gateway.model.lazy import cached_property
from gateway.model.primitive import ZERO_ADDRESS, Address

CHEAP = 0.5
"""who pays less than this part of what it gets did not trade"""
CRUMBS = 100
"""smallest units of a token without a price up to which it is no payment"""
BURNS_EXAMINED = 64
"""kinds of burns that are looked at for each call out of the ordering side"""
MOSTLY = 0.5
"""a part of the loot that must be followed where it was sold"""
SOLD_OUT = 0.3
"""part of a stock from which on it matters who took the proceeds of its sale"""
COVERED = 0.3
"""a gain of at least this part of a loss ties the two together; the rest went to fees and slippage"""


_ENTERED = attrgetter("entered")


@dataclass(frozen=True)
class Judgement(Settlement):
    """Answers to the questions that most detectors ask about a loss."""

    @cached_property
    def consideration(self) -> float | None:
        """What the ordering side gave, as a part of what it gained, both at the prices before the transaction.

        0.0: it gained and gave nothing. None: it gained nothing, or what it gave has no known price.
        """
        if not self.roles.gained:
            return None
        if not self.roles.gave:
            return 0.0
        gained, _ = self.market.value(self.roles.gained)
        gave, complete = self.market.value(self._paid)
        if not self._paid:
            return 0.0
        return gave / gained if complete and gained > 0.0 else None

    @property
    def _paid(self) -> Mapping[Asset, int]:
        """What was given: not what it made itself, nor a few smallest units of tokens that have no price.

        Items always count, and so does what is a good part of all there is: shares may be counted in whole units.
        What has no price and went to somebody who has nothing to do with what others paid is a gift.
        """
        prices, supply = self.market.prices, self.ledger.supply
        selfmade = overspent(self.ledger, self.roles.cluster)
        paid = {
            asset: amount
            for asset, amount in self.roles.gave.items()
            if asset not in selfmade
            and (
                amount > CRUMBS
                or asset.item is not None
                or asset in prices
                or amount * 1000 > supply.get(asset, amount * 1000)
            )
        }
        strange = {asset for asset in paid if asset not in prices and asset != NATIVE}
        if not strange:
            return paid
        givers = {at for at in self._office if any(self.ledger.net.get(at, {}).get(asset, 0) < 0 for asset in strange)}
        side = self.roles.cluster - self._office | givers  # a wallet that gives its own serves nobody else
        gifts = unrelated(strange, self.facts, self.ledger, side, self.simulation)
        return {asset: amount for asset, amount in paid.items() if asset not in gifts}

    @property
    def gained_for_little(self) -> bool:
        """True if the ordering side has more than before and paid less than half of it."""
        return self.consideration is not None and self.consideration < CHEAP

    def gain_covers(self, loss: Loss) -> bool:
        """True if the ordering side ended with a good part of what was lost.

        Of that asset, of its value, or of what somebody gave for it.
        """
        known = self._covered.get((loss.asset, loss.amount))
        if known is None:
            known = self._covered[loss.asset, loss.amount] = self._covers(loss)
        return known

    @cached_property
    def _covered(self) -> dict[tuple[Asset, int], bool]:
        return {}

    def _covers(self, loss: Loss) -> bool:
        if self.roles.gained.get(loss.asset, 0) >= COVERED * loss.amount:
            return True
        gained, _ = self.market.value(self.roles.gained)
        lost, complete = self.market.value({loss.asset: loss.amount})
        return (complete and lost > 0.0 and gained >= COVERED * lost) or self._sold(loss)

    def _sold(self, loss: Loss) -> bool:
        """True if one outsider ended with most of what was lost, and the ordering side with most of what it gave."""
        for holder, changes in self.ledger.net.items():
            if holder in self.roles.cluster or changes.get(loss.asset, 0) < MOSTLY * loss.amount:
                continue
            for asset, amount in changes.items():
                kind = NATIVE if asset in self.wrapped else asset
                if amount < 0 and self.roles.gained.get(kind, 0) >= MOSTLY * -amount:
                    return True
        return False

    @cached_property
    def _came(self) -> Mapping[tuple[Address, Asset], int]:
        """What each outsider sent to the ordering side."""
        came: dict[tuple[Address, Asset], int] = defaultdict(int)
        for move, inward in self.facts.crossings(self.roles.cluster):
            if inward:
                came[move.from_, Asset(move.token, move.token_id)] += move.amount
        return came

    @cached_property
    def _burns(self) -> Mapping[int, Set[tuple[Asset, Address]]]:
        """Visit -> (token, whose units) of burns there, of tokens that there are fewer of in the end."""
        shrunk = {asset for asset, amount in self.ledger.minted.items() if amount < 0} - self.wrapped
        found: dict[int, set[tuple[Asset, Address]]] = defaultdict(set)
        if shrunk:
            calls = self.simulation.trace.visits(self.roles.cluster)
            for move in self.facts.transfers:
                burnt = found[calls[move.frame]] if move.to == ZERO_ADDRESS and Asset(move.token) in shrunk else None
                if burnt is not None and len(burnt) < BURNS_EXAMINED:
                    burnt.add((Asset(move.token), move.from_))
        return found

    def sale_shook(self, asset: Asset, source: Address) -> float:
        """The greatest part of a stock that somebody gave for `asset` when it was sold here; 0.0 if it was not sold.

        `source`: who lost it, or its token if it was made. What was given must have come to the ordering side.
        """
        shares = [0.0]
        for holder, changes in self.ledger.net.items():
            if holder == source or holder in self.roles.cluster or changes.get(asset, 0) <= 0:
                continue
            for other, amount in changes.items():
                if amount < 0 and 2 * self._came.get((holder, other), 0) >= -amount:
                    shares.append(self.ledger.share_lost(holder, other) or 0.0)
        return max(shares)

    def unexplained(self, loss: Loss) -> bool:
        """True if nothing shows that the holder agreed, and the loss did not just go where it always goes."""
        kept = loss.settled and not self.gain_covers(loss) and not self._took_proceeds(loss)
        agreed = loss.agreed and not self._by_an_open_door(loss)
        return not (agreed or loss.signed or kept or self._redeemed(loss) or self.is_redemption(loss))

    def _redeemed(self, loss: Loss) -> bool:
        """True if shares were burnt for it, its own, pulled in or lent to it, about as much as was paid out.

        As much at the prices before, or the same part of all shares as left the stock. Shares made here do not count.
        """
        if loss.asset.item is not None or not self._burns:
            return False
        frames, cluster = self.simulation.trace.frames, self.roles.cluster
        calls = {visit(frames, at, cluster) for at in loss.frames}
        lost, priced = self.market.value({loss.asset: loss.amount})
        for share, owner in {pair for call in calls for pair in self._burns.get(call, ())}:
            mine = owner in cluster or self._may_spend(share.token, owner)
            if share == loss.asset or not (mine or owner == loss.holder):
                continue
            burnt = -self.ledger.minted[share]
            worth, known = self.market.value({share: burnt})
            supply = self.ledger.supply.get(share)
            if priced and known and worth >= CHEAP * lost:
                return True
            if supply and loss.share is not None and loss.share <= IN_PROPORTION * burnt / supply:
                return True
        return False

    def _may_spend(self, token: Address, owner: Address) -> bool:
        """True if `owner` let the origin, what it made, or a wallet that knew it, spend of that token before."""
        mine = frozenset((self.roles.origin,))
        return any(
            (token, owner, spender) in self.consent.allowances
            and (spender in self.roles.own or bool(self.consent.bonds(spender, mine, before=0)))
            for spender in self.roles.cluster
        )

    def _by_an_open_door(self, loss: Loss) -> bool:
        """True if the holder obeyed the called contract, as always, and that one obeys everybody.

        The called contract is none of the origin's: the holder knows it as an office, it keeps nothing, and hands
        what it was given to an origin that neither of the two has heard of.
        """
        door, origin = self.transaction.to, self.roles.origin
        if door is None or door not in self.roles.cluster or door in self.memory.created or not loss.acted:
            return False
        if door == loss.holder or self.ledger.net.get(door) or not self.consent.knows(loss.holder, door):
            return False
        entered = self.simulation.trace.frames[loss.frames[0]].entered
        if door in self.consent.entries.get(loss.holder, ()):
            return False
        if 2 * self.ledger.net.get(origin, {}).get(loss.asset, 0) < loss.amount:
            return False
        if self.consent.bonds(loss.holder, frozenset((origin,)), before=entered):
            return False
        return self.stranger(door, loss.frames[0], entered, door=True) is not None

    def _took_proceeds(self, loss: Loss) -> bool:
        """True if a loss without a price went to traders, and what these paid out ended with the ordering side.

        Of what came in, that side has the greater part, and gave nothing: a keeper would have a fee of it.
        """
        if self.consideration != 0.0 or loss.compensated or loss.asset in self.market.prices:
            return False
        if (loss.share or 0.0) < SOLD_OUT:
            return False
        receivers = {move.to for move in self.ledger.outflows[loss.holder, loss.asset]}
        if not any(amount < 0 for to in receivers for amount in self.ledger.net.get(to, {}).values()):
            return False
        paid_out: dict[Asset, int] = {}
        for holder, changes in self.ledger.net.items():
            for asset, amount in changes.items():
                if amount < 0 and asset in self.roles.gained and holder not in self.roles.cluster:
                    paid_out[asset] = paid_out.get(asset, 0) - amount
        return any(2 * self.roles.gained[asset] >= amount for asset, amount in paid_out.items())

    def named_amount(self, loss: Loss) -> bool:
        """True if a call out of the ordering side that led to a loss says how much it shall be."""
        frames, cluster = self.simulation.trace.frames, self.roles.cluster
        amounts = {move.amount.to_bytes(32, "big") for move in self.facts.transfers if move.frame in loss.frames}
        for at in loss.frames:
            index = at
            while index >= 0:
                frame = frames[index]
                if frame.from_ in cluster and any(frame.input.find(amount, 4) >= 0 for amount in amounts):
                    return True
                index = frame.parent
        return False

    def was_proven(self, loss: Loss) -> bool:
        """True if an office that a contract on the way to a loss knew was shown a proof, or struck off an order.

        A bridge mints at the word of its messenger, who has seen that the message was sent.
        """
        consent, cluster = self.consent, self.roles.cluster
        chain = {account for at in loss.frames for account, _ in self.simulation.trace.path(at)}
        offices = (cluster | chain) & (consent.proven | consent.ordered) - self.roles.own
        return any(consent.knows(account, office) for account in chain - cluster for office in offices)

    def has_standing_order(self, holder: Address) -> bool:
        """True if a contract that is no party of token movements kept a record of `holder`: it may act for him."""
        tokens = self.facts.tokens
        return any(
            holder in known and contract not in tokens
            for record in (self.consent.entries, self.consent.stored)
            for contract, known in record.items()
        )

    def stranger(self, contract: Address, frame: int, before: int, *, door: bool = False) -> Address | None:
        """Who made `contract` act in `frame` (index) if nothing shows that it knew them; None if it did.

        A registry that the contract had named before, and asks on the way, may answer for the caller. `door`: ask
        this also of the contract that the transaction calls, which is otherwise taken for the origin's own.
        """
        called = contract == self.transaction.to and contract not in self.memory.created
        if contract in self.roles.cluster and not (door and called):
            return None
        return self.unknown_caller(contract, frame, before)

    def unknown_caller(self, contract: Address, frame: int, before: int) -> Address | None:
        """The same, whether `contract` is taken for the origin's tool or not."""
        frames = self.simulation.trace.frames
        chain = self.simulation.trace.path(frame)
        position = max((at for at, (account, _) in enumerate(chain) if account == contract), default=0)
        caller = chain[position - 1][0] if position else self.roles.origin
        parties = frozenset((caller, self.roles.origin))
        if self.consent.bonds(contract, parties, before=before):
            return None
        first = chain[position][1]
        tokens = self.facts.tokens
        last = bisect_left(frames, before, key=_ENTERED)  # it may ask within the same call, behind frame `frame`
        for helper in self.simulation.trace.contexts(first, min(last, first + HELPER_FRAMES + 1)):
            if helper in self.roles.cluster or not self.consent.knows(contract, helper):
                continue
            if self.consent.bonds(helper, parties, before=before, entries=helper not in tokens):
                return None
        return caller

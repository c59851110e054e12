"""What explains a loss, and what the ordering side paid for what it gained."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Set
from dataclasses import dataclass

from gateway.inspection.consent.given import Bond
from gateway.inspection.harm.loss import NEXT_TO_NOTHING, Loss
from gateway.inspection.redemption import CHEAP, Redemption
from gateway.inspection.trace.conjured import overspent
from gateway.inspection.trace.gift import unrelated, unseen
from gateway.inspection.trace.ledger import NATIVE, Asset
from gateway.model.facts import Transfer
from gateway.model.lazy import cached_property
from gateway.model.primitive import Address

PURSES_EXAMINED = 64
FEES = 50
"""times a fee that a loan is, at least: lenders take up to a hundredth, the rest of a loan comes back"""
CRUMBS = 100
"""smallest units of a token without a price up to which it is no payment"""
MOSTLY = 0.5
"""a part of the loot that must be followed where it was sold"""
SOLD_OUT = 0.3
"""part of a stock from which on it matters who took the proceeds of its sale"""
COVERED = 0.3
"""a gain of at least this part of a loss ties the two together; the rest went to fees and slippage"""


_RULE = frozenset({Bond.OWNER, Bond.CODE})


@dataclass(frozen=True)
class Judgement(Redemption):
    """Answers to the questions that most detectors ask about a loss."""

    @cached_property
    def consideration(self) -> float | None:
        """What the ordering side gave, as a part of what it gained, both at the prices before the transaction.

        0.0: it gained and gave nothing. None: it gained nothing but out of its own purses, or what it gave has no known
        price.
        """
        if not self.roles.gained or self._out_of_own_purse:
            return None
        if not self.roles.gave:
            return 0.0
        gained, _ = self.market.value(self.roles.gained)
        gave, complete = self.market.value(self._paid)
        if not self._paid:
            return 0.0
        return gave / gained if complete and gained > 0.0 else None

    @cached_property
    def _out_of_own_purse(self) -> bool:
        """True if all that was gained came from contracts that obey the origin, who called them or made who did.

        A wallet that pays its owner's friend, or a bundler out of a deposit, gives what is its own.
        """
        left = dict(self.roles.gained)
        purses: dict[Address, bool] = {}
        for (holder, asset), moves in self.ledger.outflows.items():
            kind = NATIVE if asset in self.wrapped else asset
            if kind not in left or holder in self.roles.cluster:
                continue
            own = purses.get(holder)
            if own is None and len(purses) >= PURSES_EXAMINED:
                return False
            if own is None:
                own = purses[holder] = self._obeys_the_origin(holder, moves[0])
            if own:
                left[kind] += self.ledger.net[holder][asset]
        return all(amount <= 0 for amount in left.values())

    def _obeys_the_origin(self, holder: Address, move: Transfer) -> bool:
        """True if `holder` got nothing, and made `move` because of who it knew the origin to be."""
        if any(amount > 0 for amount in self.ledger.net[holder].values()):
            return False
        path = [account for account, _ in self.simulation.trace.path(move.frame)]
        if holder not in path or not {*path[: path.index(holder)]} <= self.roles.own:
            return False
        mine = frozenset((self.roles.origin,))
        return not _RULE.isdisjoint(self.consent.bonds(holder, mine, before=move.sequence, entries=False))

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
                asset.item is not None
                or asset in prices
                or (amount > CRUMBS and not self._is_drop(asset, amount))
                or amount * 1000 > supply.get(asset, amount * 1000)
            )
        }
        strange = {asset for asset in paid if asset not in prices and asset != NATIVE}
        strange -= (fees := {asset for asset in strange if self._is_fee(asset)})
        if fees:
            paid = {asset: amount for asset, amount in paid.items() if asset not in fees}
        if not strange:
            return paid
        givers = {at for at in self._office if any(self.ledger.net.get(at, {}).get(asset, 0) < 0 for asset in strange)}
        side = self.roles.cluster - self._office | givers  # a wallet that gives its own serves nobody else
        gifts = unrelated(strange, self.facts, self.ledger, side, self.simulation) | self._pushed(strange)
        return {asset: amount for asset, amount in paid.items() if asset not in gifts}

    def _pushed(self, strange: Set[Asset]) -> Set[Asset]:
        """Those of `strange` that nobody who has more of them now ever looked at: coins thrown in as an alibi."""
        thrown = unseen(self.facts, self.ledger, self.roles.own, self.simulation)
        if not thrown:
            return frozenset()
        taken = {
            asset
            for holder, changes in self.ledger.net.items()
            if holder not in self.roles.cluster
            for asset, amount in changes.items()
            if amount > 0 and asset in strange and (holder, asset) not in thrown
        }
        return strange - taken

    def _is_fee(self, asset: Asset) -> bool:
        """True if all who have more of it now had lent the ordering side many times as much: a fee pays for a loan."""
        getters = {
            holder: changes[asset]
            for holder, changes in self.ledger.net.items()
            if holder not in self.roles.cluster and changes.get(asset, 0) > 0
        }
        return bool(getters) and all(
            self._came.get((holder, asset), 0) >= FEES * amount for holder, amount in getters.items()
        )

    def _is_drop(self, asset: Asset, amount: int) -> bool:
        """True if `amount` is next to nothing beside what an outsider who has more of it now had before."""
        return amount * NEXT_TO_NOTHING < self._stocks_of_getters.get(asset, 0)

    @cached_property
    def _stocks_of_getters(self) -> Mapping[Asset, int]:
        """What the outsider with the most of it had before, of assets of which he has more now."""
        found: dict[Asset, int] = {}
        for (holder, asset), stock in self.ledger.before.items():
            if holder not in self.roles.cluster and self.ledger.net.get(holder, {}).get(asset, 0) > 0:
                found[asset] = max(stock, found.get(asset, 0))
        return found

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
        _, known = self._unexplained.get(id(loss), (loss, None))
        if known is None:
            known = not self._explained(loss)
            self._unexplained[id(loss)] = loss, known  # it is kept, so that no other may get its id
        return known

    @cached_property
    def _unexplained(self) -> dict[int, tuple[Loss, bool | None]]:
        return {}

    def _explained(self, loss: Loss) -> bool:
        """What is quickly told comes first: the terms of a loss are read out of the whole way to it."""
        if self.is_redemption(loss) or self.is_redeemed(loss):
            return True
        if loss.settled and not self.gain_covers(loss) and not self._took_proceeds(loss):
            return True
        if loss.agreed and not (self._by_an_open_door(loss) or self._in_false_coin(loss) or self._by_a_bait(loss)):
            return True
        return loss.signed

    def _by_a_bait(self, loss: Loss) -> bool:
        """True if the holder asks who sent the transaction, and obeyed a contract of others that he had called.

        Most of the loss went to whom the holder had not heard of, and to none who ordered it: whoever may move what
        the holder keeps was lured into a call.
        """
        origin, own = self.roles.origin, self.roles.own
        if not loss.acted:
            return False
        path = self.simulation.trace.path(loss.frames[0])
        caller = next((path[at - 1][0] for at, (account, _) in enumerate(path) if account == loss.holder and at), None)
        if caller is None or caller in own or self.ledger.net.get(origin, {}).get(loss.asset, 0) > 0:
            return False
        getters = {
            holder for holder, changes in self.ledger.net.items() if 2 * changes.get(loss.asset, 0) >= loss.amount
        } - own
        if not getters:
            return False
        before = self.simulation.trace.frames[loss.frames[0]].entered
        if self.consent.bonds(loss.holder, getters | {caller}, before=before):
            return False
        return self.simulation.trace.asks_origin(loss.holder)

    def _in_false_coin(self, loss: Loss) -> bool:
        """True if the holder did nothing himself, and was paid in nothing but coin of the ordering side's own making.

        Whoever spent his allowance may have had an order of the one who ordered it; the holder wanted other coin.
        """
        if loss.acted or loss.compensated:
            return False
        own = self.roles.own
        return any(
            amount > 0 and asset.token in own and asset.item is None
            for asset, amount in self.ledger.net.get(loss.holder, {}).items()
        )

    def _by_an_open_door(self, loss: Loss) -> bool:
        """True if the holder obeyed the called contract, as always, and that one obeys everybody.

        The called contract is none of the origin's: the holder knows it as an office, it keeps nothing, and hands
        what it was given to an origin, or to those whom that one names, of whom neither of the two has heard.
        """
        door = self.transaction.to
        if door is None or door not in self.roles.cluster or door in self.memory.created or not loss.acted:
            return False
        if door == loss.holder or self.ledger.net.get(door) or not self.consent.knows(loss.holder, door):
            return False
        entered = self.simulation.trace.frames[loss.frames[0]].entered
        if door in self.consent.entries.get(loss.holder, ()):
            return False
        others = self.roles.cluster - {door}
        if 2 * sum(self.ledger.net.get(other, {}).get(loss.asset, 0) for other in others) < loss.amount:
            return False
        if self.consent.bonds(loss.holder, others, before=entered) or self.consent.bonds(door, others, before=entered):
            return False
        if self.consent.speaks(door, entered, loss.holder, loss.asset.token):
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

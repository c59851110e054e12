"""All that a detector sees of one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from gateway.inspection.acquaintance import learn
from gateway.inspection.bent import BentPrice, bent_prices
from gateway.inspection.conjured import Conjured, conjured, overspent
from gateway.inspection.consent import Consent, gather, path
from gateway.inspection.deposit import RoundTrip, round_trips
from gateway.inspection.effects import NO_EFFECTS, TAKINGS_LIMIT, Effects, TakenFrom, Taking, difference
from gateway.inspection.facts import derive
from gateway.inspection.growth import Growth, growths, wagers
from gateway.inspection.ledger import NATIVE, Asset, Ledger, keep
from gateway.inspection.loss import HELPER_FRAMES, Loss, issues, losses
from gateway.inspection.memory import EMPTY_MEMORY, Memory
from gateway.inspection.need import Need
from gateway.inspection.pool import Market, survey, wrappers
from gateway.inspection.record import Records, records
from gateway.inspection.reentry import HalfPaid, Reentry, Return, StaleView, half_paid, reentries, returns, stale_views
from gateway.inspection.roles import Roles, assign
from gateway.inspection.swap import Trades, trades
from gateway.model.facts import Facts
from gateway.model.lazy import cached_property
from gateway.model.primitive import Address
from gateway.model.trace import SimulationResult
from gateway.model.transaction import Transaction

_LOSS = frozenset({Need.OUTSIDER_LOSS})
CHEAP = 0.5
"""who pays less than this part of what it gets did not trade"""
CRUMBS = 100
"""smallest units of a token without a price up to which it is no payment"""
MOSTLY = 0.5
"""a part of the loot that must be followed where it was sold"""
SOLD_OUT = 0.3
"""part of a stock from which on it matters who took the proceeds of its sale"""
COVERED = 0.3
"""a gain of at least this part of a loss ties the two together; the rest went to fees and slippage"""


@dataclass(frozen=True)
class Inspection:
    """One simulated transaction with what was derived and remembered; derived parts are made once, when asked for."""

    transaction: Transaction
    simulation: SimulationResult
    memory: Memory = EMPTY_MEMORY
    """what earlier transactions of the same sender left behind"""
    taken: TakenFrom = field(default_factory=dict)
    """what was taken lately, by whomever, from accounts that act here"""
    labels: Mapping[Address, frozenset[str]] = field(default_factory=dict)
    """what the operator knows of an address, for example "router" or "sanctioned" """

    @cached_property
    def facts(self) -> Facts:
        """Facts of the engine if it derives them, else derived here."""
        return derive(self.simulation) if self.simulation.facts is None else self.simulation.facts

    @cached_property
    def ledger(self) -> Ledger:
        """Net movements of every asset and what was held before."""
        return keep(self.facts, self.simulation)

    @cached_property
    def roles(self) -> Roles:
        """Who ordered this, and what that side ended with."""
        return assign(
            self.transaction, self.simulation, self.facts, self.ledger, self.memory, self.wrapped, self.consent
        )

    @cached_property
    def wrapped(self) -> Set[Asset]:
        """Tokens that are the chain's coin in another form."""
        return wrappers(self.facts, self.simulation)

    @cached_property
    def consent(self) -> Consent:
        """What each contract knew of its callers before."""
        return gather(self.transaction, self.simulation)

    @cached_property
    def market(self) -> Market:
        """Pools and prices before the transaction."""
        return survey(self.facts, self.ledger, self.simulation, self.wrapped)

    @cached_property
    def trades(self) -> Trades:
        """Which way each pool was traded."""
        return trades(self.simulation)

    @cached_property
    def _met(self) -> dict[Need, bool]:
        return {}

    def meets(self, needs: Set[Need]) -> bool:
        """True if all of `needs` hold."""
        known = self._met
        for need in needs:
            holds = known.get(need)
            if holds is None:
                holds = known[need] = self._holds(need)
            if not holds:
                return False
        return True

    def _holds(self, need: Need) -> bool:
        match need:
            case Need.OUTSIDER_LOSS:
                return self._outsider_lost
            case Need.CREATION:
                return bool(self.memory.created or self.simulation.created)
            case Need.CALLS:
                return len(self.simulation.trace.frames) > 1
            case Need.COMEBACK:
                return bool(self.facts.comebacks)

    @cached_property
    def _outsider_lost(self) -> bool:
        sender = self.transaction.sender
        losers = [
            holder
            for holder, changes in self.ledger.net.items()
            if holder != sender and any(amount < 0 for amount in changes.values())
        ]
        return bool(losers) and not self.roles.cluster.issuperset(losers)

    @cached_property
    def losses(self) -> tuple[Loss, ...]:
        """What outsiders lost, and whether they agreed."""
        if not self._outsider_lost:
            return ()
        return losses(self.facts, self.ledger, self.consent, self.roles, self.market, self.simulation)

    @cached_property
    def _returns(self) -> tuple[Return, ...]:
        return tuple(returns(self.simulation.trace.frames, self.facts.comebacks, self.roles.cluster))

    @cached_property
    def losses_to_newcomer(self) -> tuple[Loss, ...]:
        """What outsiders lost, where records that the sender had written lately count as no consent."""
        if not self.memory.acquainted or not self._outsider_lost:
            return ()
        consent = gather(self.transaction, self.simulation, self.memory.acquainted)
        return losses(self.facts, self.ledger, consent, self.roles, self.market, self.simulation)

    @cached_property
    def gained_since_met(self) -> Mapping[Asset, int]:
        """What this transaction brought beyond all that the sender gave since contracts got to know it."""
        dealt = {Asset(*asset): amount for asset, amount in self.memory.dealt.items()}
        sums = {asset: min(amount, amount + dealt.get(asset, 0)) for asset, amount in self.roles.gained.items()}
        return {asset: amount for asset, amount in sums.items() if amount > 0}

    @cached_property
    def gave_since_met(self) -> Mapping[Asset, int]:
        """What the sender gave, on balance, since contracts got to know it."""
        sums = {Asset(*asset): amount for asset, amount in self.memory.dealt.items()}
        for asset, amount in self.roles.gained.items():
            sums[asset] = sums.get(asset, 0) + amount
        for asset, amount in self.roles.gave.items():
            sums[asset] = sums.get(asset, 0) - amount
        return {asset: -amount for asset, amount in sums.items() if amount < 0}

    @cached_property
    def after(self) -> Memory:
        """What is to be remembered of the sender from here on."""
        return learn(self.memory, self.transaction, self.simulation, self.roles, self.consent)

    @cached_property
    def takings(self) -> tuple[Taking, ...]:
        """Losses by the holder's own hand that nothing explains, small ones too, the largest share first."""
        if not self.simulation.succeeded or not self.meets(_LOSS) or not self.gained_for_little:
            return ()
        found = [
            Taking(loss.holder, loss.asset.token, loss.amount, self.ledger.before[loss.holder, loss.asset])
            for loss in self.losses
            if loss.acted and not loss.compensated and loss.asset.item is None and loss.share is not None
            if self.unexplained(loss)
        ]
        return tuple(found[:TAKINGS_LIMIT])

    @cached_property
    def effects(self) -> Effects:
        """What is to be remembered once this transaction is forwarded."""
        if not self.simulation.succeeded:
            return NO_EFFECTS
        return Effects(difference(self.memory, self.after), self.takings)

    @cached_property
    def reentries(self) -> tuple[Reentry, ...]:
        """Returns through the ordering side into a contract that was not done."""
        return tuple(reentries(self.simulation.trace, self._returns))

    @cached_property
    def stale_views(self) -> tuple[StaleView, ...]:
        """Answers that outsiders got from a contract that was not done."""
        return tuple(stale_views(self.simulation.trace, self._returns, self.roles.cluster))

    @cached_property
    def half_paid(self) -> tuple[HalfPaid, ...]:
        """Answers that outsiders got by a balance that was about to be paid out."""
        return tuple(half_paid(self.simulation.trace, self.facts.transfers, self._returns, self.roles.cluster))

    @cached_property
    def issues(self) -> tuple[Loss, ...]:
        """Tokens that were made here, each as a loss of all its holders."""
        if not any(amount > 0 for amount in self.ledger.minted.values()):
            return ()
        return issues(self.facts, self.ledger, self.consent, self.roles, self.simulation, self.wrapped)

    @cached_property
    def conjured(self) -> tuple[Conjured, ...]:
        """Balances that grew out of nothing."""
        return conjured(self.facts, self.ledger, self.simulation)

    @cached_property
    def records(self) -> Records:
        """What contracts that lost by their own hand wrote down about members of the ordering side."""
        holders = {loss.holder for loss in self.losses if loss.acted and not loss.signed and self.gain_covers(loss)}
        return records(self.simulation, holders, self.roles.cluster) if holders else {}

    @cached_property
    def round_trips(self) -> tuple[RoundTrip, ...]:
        """Deposits of the ordering side that came back whole beside a loss of the same contract."""
        if not self.losses:
            return ()
        return round_trips(self.facts, self.ledger, self.roles, self.losses, self.simulation)

    @cached_property
    def growths(self) -> tuple[Growth, ...]:
        """Deposits of the ordering side that came back larger."""
        return tuple(growths(self.facts, self.simulation.trace.frames, self.roles, self.losses))

    @cached_property
    def wagers(self) -> frozenset[Address]:
        """Contracts that took a stake and paid a prize within one call."""
        return wagers(self.facts, self.simulation.trace.frames, self.roles, self.losses)

    @cached_property
    def bent_prices(self) -> tuple[BentPrice, ...]:
        """Looks of outsiders at pools whose price the ordering side had bent."""
        return bent_prices(self.facts, self.market, self.roles, self.simulation)

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
        """
        prices, supply = self.market.prices, self.ledger.supply
        selfmade = overspent(self.ledger, self.roles.cluster)
        return {
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

    @property
    def gained_for_little(self) -> bool:
        """True if the ordering side has more than before and paid less than half of it."""
        return self.consideration is not None and self.consideration < CHEAP

    def gain_covers(self, loss: Loss) -> bool:
        """True if the ordering side ended with a good part of what was lost.

        Of that asset, of its value, or of what somebody gave for it.
        """
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

    def unexplained(self, loss: Loss) -> bool:
        """True if nothing shows that the holder agreed, and the loss did not just go where it always goes."""
        kept = loss.settled and not self.gain_covers(loss) and not self._took_proceeds(loss)
        agreed = loss.agreed and not self._by_an_open_door(loss)
        return not (agreed or loss.signed or kept)

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

    def has_standing_order(self, holder: Address) -> bool:
        """True if a contract that is no party of token movements kept a record of `holder`: it may act for him."""
        tokens = {move.token for move in self.facts.transfers}
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
        frames = self.simulation.trace.frames
        chain = path(frames, frame)
        position = max((at for at, (account, _) in enumerate(chain) if account == contract), default=0)
        caller = chain[position - 1][0] if position else self.roles.origin
        called = contract == self.transaction.to and contract not in self.memory.created
        if contract in self.roles.cluster and not (door and called):
            return None
        parties = frozenset((caller, self.roles.origin))
        if self.consent.bonds(contract, parties, before=before):
            return None
        first = chain[position][1]
        tokens = {move.token for move in self.facts.transfers}
        for asked in frames[first : min(frame, first + HELPER_FRAMES) + 1]:
            helper = asked.context
            if helper is None or helper in self.roles.cluster or not self.consent.knows(contract, helper):
                continue
            if self.consent.bonds(helper, parties, before=before, entries=helper not in tokens):
                return None
        return caller

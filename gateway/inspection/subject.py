"""All that a detector sees of one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from gateway.inspection.acquaintance import learn
from gateway.inspection.conjured import Conjured, conjured, overspent
from gateway.inspection.consent import Consent, gather, path
from gateway.inspection.deposit import RoundTrip, round_trips
from gateway.inspection.facts import derive
from gateway.inspection.ledger import Asset, Ledger, keep
from gateway.inspection.loss import HELPER_FRAMES, Loss, issues, losses
from gateway.inspection.memory import EMPTY_MEMORY, Memory
from gateway.inspection.payment import payments
from gateway.inspection.pool import Market, survey, wrappers
from gateway.inspection.record import Records, records
from gateway.inspection.reentry import HalfPaid, Reentry, Return, StaleView, half_paid, reentries, returns, stale_views
from gateway.inspection.roles import Roles, assign
from gateway.inspection.swap import Trades, trades
from gateway.model.facts import Facts
from gateway.model.primitive import Address
from gateway.model.trace import SimulationResult
from gateway.model.transaction import Transaction

CHEAP = 0.5
"""who pays less than this part of what it gets did not trade"""
CRUMBS = 100
"""smallest units of a token without a price up to which it is no payment"""
COVERED = 0.3
"""a gain of at least this part of a loss ties the two together; the rest went to fees and slippage"""


@dataclass(frozen=True)
class Inspection:
    """One simulated transaction with what was derived and remembered; derived parts are made once, when asked for."""

    transaction: Transaction
    simulation: SimulationResult
    memory: Memory = EMPTY_MEMORY
    """what earlier transactions of the same sender left behind"""
    labels: Mapping[Address, frozenset[str]] = field(default_factory=dict)
    """what the operator knows of an address, for example "router" or "sanctioned" """

    @cached_property
    def facts(self) -> Facts:
        """Facts of the engine if it derives them, else derived here."""
        return self.simulation.facts or derive(self.transaction, self.simulation)

    @cached_property
    def ledger(self) -> Ledger:
        """Net movements of every asset and what was held before."""
        return keep(self.facts, self.simulation)

    @cached_property
    def roles(self) -> Roles:
        """Who ordered this, and what that side ended with."""
        return assign(self.transaction, self.simulation, self.facts, self.ledger, self.memory, self.consent)

    @cached_property
    def consent(self) -> Consent:
        """What each contract knew of its callers before."""
        return gather(self.transaction, self.simulation)

    @cached_property
    def market(self) -> Market:
        """Pools and prices before the transaction."""
        return survey(self.facts, self.ledger, self.simulation)

    @cached_property
    def trades(self) -> Trades:
        """Which way each pool was traded."""
        return trades(self.simulation)

    @cached_property
    def losses(self) -> tuple[Loss, ...]:
        """What outsiders lost, and whether they agreed."""
        return losses(self.facts, self.ledger, self.consent, self.roles, self.market, self.simulation)

    @cached_property
    def _returns(self) -> tuple[Return, ...]:
        return tuple(returns(self.simulation.trace.frames, self.roles.cluster))

    @cached_property
    def losses_to_newcomer(self) -> tuple[Loss, ...]:
        """What outsiders lost, where records that the sender had written lately count as no consent."""
        if not self.memory.acquainted:
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
        return issues(self.facts, self.ledger, self.consent, self.roles, self.simulation)

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
        return round_trips(self.facts, self.ledger, self.roles, self.losses, self.simulation)

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
            for asset, amount in self._payments.items()
            if asset not in selfmade
            and (
                amount > CRUMBS
                or asset.item is not None
                or asset in prices
                or amount * 1000 > supply.get(asset, amount * 1000)
            )
        }

    @cached_property
    def _payments(self) -> Mapping[Asset, int]:
        return payments(self.facts, self.ledger, self.roles, wrappers(self.facts), self.simulation)

    @property
    def gained_for_little(self) -> bool:
        """True if the ordering side has more than before and paid less than half of it."""
        return self.consideration is not None and self.consideration < CHEAP

    def gain_covers(self, loss: Loss) -> bool:
        """True if the ordering side ended with a good part of what was lost: of that asset, or of its value."""
        if self.roles.gained.get(loss.asset, 0) >= COVERED * loss.amount:
            return True
        gained, _ = self.market.value(self.roles.gained)
        lost, complete = self.market.value({loss.asset: loss.amount})
        return complete and lost > 0.0 and gained >= COVERED * lost

    def unexplained(self, loss: Loss) -> bool:
        """True if nothing shows that the holder agreed, and the loss did not just go where it always goes."""
        return not (loss.agreed or loss.signed or (loss.settled and not self.gain_covers(loss)))

    def stranger(self, contract: Address, frame: int, before: int) -> Address | None:
        """Who made `contract` act in `frame` (index) if nothing shows that it knew them; None if it did.

        A registry that the contract had named before, and asks on the way, may answer for the caller.
        """
        frames = self.simulation.trace.frames
        chain = path(frames, frame)
        position = max((at for at, (account, _) in enumerate(chain) if account == contract), default=0)
        caller = chain[position - 1][0] if position else self.roles.origin
        if contract in self.roles.cluster:
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

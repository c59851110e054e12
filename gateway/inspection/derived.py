"""What is derived of one simulated transaction: each part once, when somebody asks for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

from gateway.inspection.consent.given import Consent, gather
from gateway.inspection.harm.deposit import RoundTrip, round_trips
from gateway.inspection.harm.growth import Growth, growths, wagers
from gateway.inspection.harm.loss import Loss, issues, losses
from gateway.inspection.market.bent import BentPrice, bent_prices
from gateway.inspection.market.pool import Market, survey, wrappers
from gateway.inspection.parties.roles import Reading, Roles, assign
from gateway.inspection.past.effects import TakenFrom
from gateway.inspection.past.hearsay import NOTHING_RELIED, Relied
from gateway.inspection.past.memory import EMPTY_MEMORY, Memory
from gateway.inspection.past.moved import BENT, Moved
from gateway.inspection.trace.conjured import Conjured, conjured
from gateway.inspection.trace.facts import derive
from gateway.inspection.trace.ledger import Asset, Ledger, keep
from gateway.inspection.trace.reentry import HalfPaid, Reentry, StaleView, half_paid, reentries, returns, stale_views
from gateway.inspection.trace.swap import Trades, trades
from gateway.model.comeback import Return
from gateway.model.facts import Facts
from gateway.model.lazy import cached_property
from gateway.model.primitive import Address
from gateway.model.trace import SimulationResult
from gateway.model.transaction import Transaction


@dataclass(frozen=True)
class Derived:
    """One transaction, its simulation, what is remembered, and everything that follows from these by reading alone."""

    transaction: Transaction
    simulation: SimulationResult
    memory: Memory = EMPTY_MEMORY
    """what earlier transactions of the same sender left behind"""
    taken: TakenFrom = field(default_factory=dict)
    """what was taken lately, by whomever, from accounts that act here"""
    labels: Mapping[Address, frozenset[str]] = field(default_factory=dict)
    """what the operator knows of an address, for example "router" or "sanctioned" """
    reading: Reading = Reading.COMMON
    """how to answer where it is open who acts for the origin"""
    relied: Relied = NOTHING_RELIED
    """what contracts that act here keep because strangers said so lately"""
    leaned: Mapping[Address, Moved] = field(default_factory=dict)
    """pools looked at here whose price others bent lately, and where it stands still"""
    doubting: bool = False
    """True: what strangers said is no consent, and who listened to them is nobody's tool"""

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
            self.transaction,
            self.simulation,
            self.facts,
            self.ledger,
            self.memory,
            self.wrapped,
            self.consent,
            reading=self.reading,
            outside=frozenset([word.contract for word in self.relied.words]) if self.doubting else frozenset(),
        )

    @cached_property
    def wrapped(self) -> Set[Asset]:
        """Tokens that are the chain's coin in another form."""
        return wrappers(self.facts, self.simulation)

    @cached_property
    def consent(self) -> Consent:
        """What each contract knew of its callers before."""
        return gather(self.transaction, self.simulation, self._doubted)

    @property
    def _doubted(self) -> Set[tuple[Address, int]]:
        return self.relied.doubted if self.doubting else frozenset()

    @cached_property
    def market(self) -> Market:
        """Pools and prices before the transaction."""
        return survey(self.facts, self.ledger, self.simulation, self.wrapped, {**self.leaned, **self._moved})

    @cached_property
    def trades(self) -> Trades:
        """Which way each pool was traded."""
        return trades(self.simulation)

    @cached_property
    def outsider_lost(self) -> bool:
        """True if an account outside the ordering side has less of something than before."""
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
        if not self.outsider_lost:
            return ()
        return losses(self.facts, self.ledger, self.consent, self.roles, self.market, self.simulation, self.wrapped)

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
    def _returns(self) -> Sequence[Return]:
        return returns(self.simulation.trace, self.roles.cluster) if self.facts.come_back else ()

    @cached_property
    def reentries(self) -> tuple[Reentry, ...]:
        """Returns through the ordering side into a contract that was not done."""
        return tuple(reentries(self.simulation.trace, self._returns))

    @cached_property
    def stale_views(self) -> tuple[StaleView, ...]:
        """Answers that outsiders got from a contract that was not done."""
        strange = [back for back in self._returns if not self._by_its_office(back)]
        return tuple(stale_views(self.simulation.trace, strange, self.roles.cluster))

    def _by_its_office(self, back: Return) -> bool:
        """True if a contract came back to itself through one that it names, and that the origin did not make."""
        account = self.simulation.trace.frames[back.inner].context
        return account is not None and back.through not in self.roles.own and self.consent.knows(account, back.through)

    @cached_property
    def half_paid(self) -> tuple[HalfPaid, ...]:
        """Answers that outsiders got by a balance that was about to be paid out."""
        return tuple(half_paid(self.simulation.trace, self.facts.transfers, self._returns, self.roles.cluster))

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
        return bent_prices(self.facts, self.market, self.roles, self.simulation, self._moved, self.leaned)

    @property
    def _moved(self) -> Mapping[Address, Moved]:
        """Pools that the sender's own transactions bent."""
        return self.memory.moved and {pool: move for pool, move in self.memory.moved.items() if move.factor >= BENT}

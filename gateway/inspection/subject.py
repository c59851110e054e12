"""All that a detector sees of one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace

from gateway.inspection.consent.given import gather
from gateway.inspection.consent.record import Records, records
from gateway.inspection.harm.dilution import overissued
from gateway.inspection.harm.loss import Loss, losses
from gateway.inspection.harm.rewrite import Rewrite, rewritten
from gateway.inspection.harm.sojourn import Sojourn, heirs, note_deals, sojourns
from gateway.inspection.judgement import Judgement
from gateway.inspection.market.moves import note_moves
from gateway.inspection.market.pool import SWAPPED
from gateway.inspection.need import Need
from gateway.inspection.parties.acquaintance import learn
from gateway.inspection.parties.roles import Reading
from gateway.inspection.past.deal import Deal, Dealings
from gateway.inspection.past.effects import NO_EFFECTS, TAKINGS_LIMIT, Effects, Taking, chained, difference, joined
from gateway.inspection.past.hearsay import Hearsay, hearsay
from gateway.inspection.past.memory import Memory
from gateway.inspection.trace.ledger import Asset
from gateway.model.lazy import cached_property
from gateway.model.primitive import Address

_LOSS = frozenset({Need.OUTSIDER_LOSS})
_SAME = ("facts", "ledger", "wrapped", "market", "trades")
"""parts in which it plays no role who acts for whom, and what is remembered"""
_PLAIN = (*_SAME, "consent")
"""parts in which it plays no role who acts for whom"""


@dataclass(frozen=True)
class Inspection(Judgement):
    """One simulated transaction with what was derived and remembered; derived parts are made once, when asked for."""

    @cached_property
    def _met(self) -> dict[frozenset[Need], bool]:
        return {}

    def meets(self, needs: Set[Need]) -> bool:
        """True if all of `needs` hold. Most detectors name one of a few combinations, each answered once."""
        key = frozenset(needs)
        met = self._met.get(key)
        if met is None:
            met = self._met[key] = all(map(self._holds, key))
        return met

    def _holds(self, need: Need) -> bool:
        match need:
            case Need.OUTSIDER_LOSS:
                return self.outsider_lost
            case Need.CREATION:
                return bool(self.memory.created or self.simulation.created)
            case Need.CALLS:
                return len(self.simulation.trace.frames) > 1
            case Need.COMEBACK:
                return self.facts.come_back
            case Need.FAILURE:
                return self.simulation.trace.fails
            case Need.CODE:
                return bool(self.simulation.trace.active) or len(self.simulation.trace.frames) > 1
            case Need.APPROVAL:
                return bool(self.facts.approvals)
            case Need.RESERVES:
                return bool(self.facts.reserves)
            case Need.PAST:
                return bool(self.memory.codes or self.memory.signatures)

    @property
    def readings(self) -> tuple[Inspection, ...]:
        """The same transaction with other answers to the question who acts for the origin, if somebody is robbed then.

        Whether a contract that was called is a tool or a victim is not always to be seen: a striker may put plain
        contracts in front, pay in advance, or have let its tool be trusted. Who is robbed in any reading is robbed.
        """
        return tuple([other for other in (*self._others, *self._unled) if other.outsider_lost])

    @cached_property
    def _unled(self) -> tuple[Inspection, ...]:
        """The same where what strangers said counts for nothing, and those who said it are of the ordering side."""
        if not self.relied.words or self.doubting:
            return ()
        other = replace(self, memory=joined(self.memory, self.relied.memory), doubting=True)
        other.__dict__.update({part: self.__dict__[part] for part in _SAME if part in self.__dict__})
        return (other,)

    @cached_property
    def _others(self) -> tuple[Inspection, ...]:
        if self.reading is not Reading.COMMON or self.doubting or len(self.simulation.trace.frames) < 2:
            return ()
        found = []
        for reading in (Reading.BOLD, Reading.SHY):
            if reading in self.roles.others:
                other = replace(self, reading=reading)
                other.__dict__.update({part: self.__dict__[part] for part in _PLAIN if part in self.__dict__})
                if other.roles.cluster != self.roles.cluster:
                    found.append(other)
        return tuple(found)

    @cached_property
    def losses_to_newcomer(self) -> tuple[Loss, ...]:
        """What outsiders lost, where records that the sender had written lately count as no consent."""
        if not self.memory.acquainted or not self.outsider_lost:
            return ()
        consent = gather(self.transaction, self.simulation, self.memory.acquainted | self._doubted)
        return losses(self.facts, self.ledger, consent, self.roles, self.market, self.simulation, self.wrapped)

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
        """What is to be remembered of the sender from here on; where it is open who acts for him, of all who may."""
        known = learn(self.memory, self.transaction, self.simulation, self.roles, self.consent, self.ledger)
        traded = self.facts.reserves or any(True for _ in self.simulation.trace.events(SWAPPED))
        moves = note_moves(self.market, self.ledger, self.simulation) if traded else {}
        if moves:
            known = replace(known, moved=chained(known.moved, moves))
        deals = self._deals
        if deals:
            known = replace(known, deals=deals)
        bolder = next((other for other in self._others if other.reading is Reading.BOLD), None)
        if bolder is None:
            return known
        more = bolder.after
        # what was given in either reading speaks for the sender
        dealt = {asset: min(known.dealt.get(asset, 0), amount) for asset, amount in more.dealt.items()}
        return replace(known, acquainted=known.acquainted | more.acquainted, dealt={**known.dealt, **dealt})

    @cached_property
    def _deals(self) -> Dealings:
        if not self.simulation.succeeded:
            return self.memory.deals
        pools = self.market.pairs.keys() | self.market.concentrated
        called = self.transaction.to
        active = self.simulation.trace.active
        return note_deals(self.memory.deals, self.facts, self.ledger, self.roles, self.consent, called, pools, active)

    def dealings(self, holder: Address) -> Mapping[Asset, Deal]:
        """What went between the sender's side and `holder` since that was first paid lately, this transaction too."""
        return {Asset(token, item): deal for (at, token, item), deal in self._deals.items() if at == holder}

    @cached_property
    def sojourns(self) -> tuple[Sojourn, ...]:
        """What the sender put into contracts lately that pay him now."""
        called = self.transaction.to
        return tuple(sojourns(self.memory.deals, self.facts, self.ledger, self.roles, self.consent, called))

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
        added = difference(self.memory, self.after)
        return Effects(added, self.takings, heirs(self._deals, self.simulation, self.roles), self.said)

    @cached_property
    def said(self) -> tuple[Hearsay, ...]:
        """What contracts that knew nobody here wrote down because the sender had it said, and gave nothing for it."""
        if not self.simulation.succeeded or self.roles.gave or self.transaction.value:
            return ()
        own = {self.roles.origin, *self.memory.created, *self.simulation.created}
        moving = {party for move in self.facts.transfers for party in (move.token, move.from_, move.to)}
        words = hearsay(self.simulation, own, moving, self.unknown_caller)
        return tuple(word for word in words if not self.was_promised(word.contract, word.slot, word.named))

    def overissued(self, issue: Loss, house: Address) -> float | None:
        """Units of `issue` made, as a multiple of what came in to `house` was worth before; None if unknown."""
        return overissued(issue, house, self.market, self.ledger, self.simulation)

    def rewritten(self, loss: Loss) -> Rewrite | None:
        """The number most changed by earlier calls of this transaction, of those that the calls behind a loss read."""
        return rewritten(self.facts, self.ledger, self.simulation, self.roles.cluster, loss)

    @cached_property
    def records(self) -> Records:
        """What contracts that lost by their own hand wrote down about members of the ordering side."""
        holders = {loss.holder for loss in self.losses if loss.acted and not loss.signed and self.gain_covers(loss)}
        return records(self.simulation, holders, self.roles.cluster) if holders else {}

"""Somebody pays by a price that the same transaction has bent."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import ClassVar

from gateway.plugin import (
    BENT,
    Address,
    Asset,
    BentPrice,
    Confidence,
    Detector,
    Family,
    Finding,
    Inspection,
    Loss,
    Need,
    Severity,
    describe_loss,
)

SHORT = 0.2
"""part of what it gave that a holder is short of, at the prices before"""
GRAVE_SHARE = 0.0001
"""part of the stock from which on the loss counts, where its worth is known or nothing was got for it"""
OTHER_SHARE = 0.01
"""the same where no pool that is read here was asked, but somebody else whose answer jumped"""
KEPT_SHARE = 0.02
"""part of the stock from which on a loss counts where the price was moved by an earlier transaction"""
BEYOND = 1.1
"""times what was given that may be got for it, where nobody is seen to ask for the price that was bent"""
TAKEN_BACK = 1.01
"""times what was struck off the receiver's entry that a payment may be, with interest, to be his own money"""
DRAINED = 0.15
"""the same where something without a price was got for it"""
_ENTERED = attrgetter("entered")


class BentPriceBelieved(Detector):
    """A contract asked a pool for its price after the ordering side had bent it, and paid by the answer.

    The ordering side borrowed from the pool, or traded in it, until the price was half as much again or less than
    two thirds; then it called a lender, a sale, a reward formula or a vault that looks at the pool. That contract,
    or one that it commands, gave away far more than it got at the prices before, in the same call or in a later
    one. Whether the ordering side kept the loot, parted with it again or left it with another contract does not
    matter: the loss is there. Whoever else is asked a plain question, a custom pool, a vault or an oracle, and
    answers it twice in one transaction by numbers that far apart, counts like a pool; so does a number of its own
    that a holder, or whom it asks, went by, and that earlier calls had rewritten: the price of a market where one
    sold to oneself. With money of his own one may bend the price in one transaction and borrow in the next: memory
    keeps for half an hour what a sender did to pools, and a price that still stands where he left it counts as
    bent. It is bent for everybody, so that it does not help if one moves it and another uses it; but of the other
    it is asked that he takes more than he lately gave, at the price before.
    """

    id = "bent-price"
    family = Family.PRICE
    severity = Severity.HIGH
    confidence = Confidence.HIGH
    needs = frozenset({Need.OUTSIDER_LOSS})
    references: ClassVar[tuple[str, ...]] = (
        "https://arxiv.org/abs/2502.11521",
        "https://docs.uniswap.org/contracts/v2/concepts/core-concepts/oracles",
    )
    false_positives: ClassVar[tuple[str, ...]] = (
        "A trade that moves a thin pool by half, followed by a claim from a farm that happens to look at that pool.",
    )
    needs_accesses = True

    def inspect(self, subject: Inspection) -> Iterator[Finding]:
        """One finding per holder and asset that was given away."""
        if not subject.losses:
            return
        told: set[tuple[Address, Asset]] = set()
        least = min(GRAVE_SHARE, OTHER_SHARE)
        grave = [loss for loss in subject.losses if loss.asset.item is None and self._is_grave(subject, loss, least)]
        seen = _Actors(subject)
        for bent in subject.bent_prices if grave else ():
            for loss in grave:
                if (loss.holder, loss.asset) in told or loss.holder == bent.pool:
                    continue
                if not seen.is_by_the_answer(bent, loss):
                    continue
                kept = not bent.earlier or self._is_kept_bent(subject, bent, loss)
                if bent.others and not (kept and self._took_beyond(subject, loss)):
                    continue
                pool = bent.earlier or bent.pool in subject.market.pairs or bent.pool in subject.market.roots
                if not kept or not self._is_grave(subject, loss, GRAVE_SHARE if pool else OTHER_SHARE):
                    continue
                told.add((loss.holder, loss.asset))
                yield self.finding(
                    f"{bent.reader} asked {bent.pool} for its price after {self._who(bent)} had moved it by a factor "
                    f"of {bent.factor:.3g}; {loss.holder} lost {describe_loss(loss)} by the answer.",
                    victim=loss.holder,
                    attacker=subject.roles.origin,
                    instrument=bent.pool,
                    frames=(bent.visit, bent.view, *loss.frames),
                    evidence={"factor": f"{bent.factor:.4g}", "reader": str(bent.reader), "pool": str(bent.pool)},
                )
        yield from self._by_own_record(subject, told)
        yield from self._by_own_bend(subject, told)

    def _by_own_bend(self, subject: Inspection, told: set[tuple[Address, Asset]]) -> Iterator[Finding]:
        """Holders that give far more than they got lately, at the price that the sender bent and nobody asks now.

        They may go by what somebody else wrote down in between.
        """
        for pool, move in subject.memory.moved.items():
            tokens = frozenset(move.tokens)
            if move.factor < BENT or pool in subject.market.pairs or pool in subject.market.roots:
                continue
            for loss in subject.losses:
                new = (loss.holder, loss.asset) not in told and loss.holder != pool and loss.acted and not loss.signed
                if not new or loss.asset.token not in tokens or (loss.share or 0.0) < KEPT_SHARE or loss.compensated:
                    continue
                pledged = {asset.token for asset, deal in subject.dealings(loss.holder).items() if deal.put}
                if pledged == tokens - {loss.asset.token} and self._took_beyond(subject, loss, BEYOND):
                    told.add((loss.holder, loss.asset))
                    yield self.finding(
                        f"The sender moved the price in {pool} by a factor of {move.factor:.3g}; {loss.holder}, who "
                        f"got the one coin of that pool, lost {describe_loss(loss)}, worth more at the price before.",
                        victim=loss.holder,
                        attacker=subject.roles.origin,
                        instrument=pool,
                        frames=loss.frames,
                        evidence={"factor": f"{move.factor:.4g}", "pool": str(pool)},
                    )

    def _by_own_record(self, subject: Inspection, told: set[tuple[Address, Asset]]) -> Iterator[Finding]:
        """Holders that got something for what they gave, at a price of their own record that had been rewritten."""
        for loss in subject.losses:
            bought = (
                loss.acted and loss.compensated and loss.asset.item is None and (loss.holder, loss.asset) not in told
            )
            if not bought or not self._is_grave(subject, loss, DRAINED) or not subject.gain_covers(loss):
                continue
            found = subject.rewritten(loss)
            if found is not None:
                yield self.finding(
                    f"{found.keeper} keeps a number that earlier calls of this transaction had moved by a factor of "
                    f"{found.factor:.3g}; {loss.holder} lost {describe_loss(loss)} in a call that went by it.",
                    victim=loss.holder,
                    attacker=subject.roles.origin,
                    instrument=found.keeper,
                    frames=(found.visit, *loss.frames),
                    evidence={"factor": f"{found.factor:.4g}", "slot": hex(found.slot), "keeper": str(found.keeper)},
                )

    def _who(self, bent: BentPrice) -> str:
        return "somebody else" if bent.others else "the ordering side"

    def _took_beyond(self, subject: Inspection, loss: Loss, least: float = 1.0) -> bool:
        """True if the sender took more from the holder than all he lately gave it for was worth before the bend.

        What somebody may borrow at an honest price is worth less than his pledge, and a large honest trade is followed
        by honest people; of a pledge that was given long ago nothing is known here.
        """
        deals = subject.dealings(loss.holder)
        put = {asset: deal.put - deal.taken for asset, deal in deals.items() if deal.put > deal.taken}
        got = {asset: deal.taken - deal.put for asset, deal in deals.items() if deal.taken > deal.put}
        gave, complete = subject.market.value(put)
        took, _ = subject.market.value(got)
        return complete and gave > 0.0 and took > least * gave

    def _is_kept_bent(self, subject: Inspection, bent: BentPrice, loss: Loss) -> bool:
        """True if a price that an earlier transaction moved, maybe as an honest trade, got the sender `loss`.

        A token that looks at its own pool whenever it moves tells no price, and who takes back what stands under his
        name in the holder's book gets what is his at any price.
        """
        if (loss.share or 0.0) < KEPT_SHARE or loss.compensated or bent.reader == loss.asset.token:
            return False
        own = (row for (holder, _), rows in subject.records.items() if holder == loss.holder for row in rows)
        if subject.is_redemption(loss) or any(-row.added * TAKEN_BACK >= loss.amount for row in own):
            return False
        return subject.gain_covers(loss)

    def _is_grave(self, subject: Inspection, loss: Loss, least: float) -> bool:
        share = loss.share or 0.0
        if share < least or loss.signed:
            return False
        if not loss.compensated:
            return True
        changes = subject.ledger.net[loss.holder]
        balance, complete = subject.market.value(changes)
        given, _ = subject.market.value({asset: -amount for asset, amount in changes.items() if amount < 0})
        if complete and given > 0.0:
            return -balance / given > SHORT
        return share > DRAINED


class _Actors:
    """Who acted in which calls out of the ordering side; each call is looked through once."""

    def __init__(self, subject: Inspection) -> None:
        self._subject, self._frames = subject, subject.simulation.trace.frames
        self._others = subject.roles.cluster | subject.facts.tokens
        self._visits: Sequence[int] = ()
        self._acting: dict[int, frozenset[Address]] = {}

    def is_by_the_answer(self, bent: BentPrice, loss: Loss) -> bool:
        """True if the loss happened in the call that looked at the pool, or in a later one with one who acted there.

        A lender or its oracle may note a price in one call, and go by it in the next.
        """
        frames, visit, market = self._frames, self._frames[bent.visit], self._subject.market
        pool = bent.pool in market.pairs or bent.pool in market.roots
        # a rate may jump while a redemption is half done, after all that was lost
        asked = visit.entered if pool else frames[bent.view].entered
        if any(asked < frames[at].left and frames[at].entered <= visit.left for at in loss.frames):
            return True
        later = [at for at in loss.frames if frames[at].entered > visit.left]
        if not later:
            return False
        self._visits = self._visits or self._subject.simulation.trace.visits(self._subject.roles.cluster)
        calls = {self._visits[at] for at in later if self._visits[at] >= 0}
        met = self._in(bent.visit)
        return any(not met.isdisjoint(self._in(call) - {bent.pool}) for call in calls)

    def _in(self, call: int) -> frozenset[Address]:
        """Who acted in a call, tokens left out but for those that lost."""
        known = self._acting.get(call)
        if known is None:
            last = bisect_right(self._frames, self._frames[call].left, key=_ENTERED)
            acting = self._subject.simulation.trace.contexts(call, last)
            losers = {loss.holder for loss in self._subject.losses}
            known = frozenset(who for who in acting if who in losers or who not in self._others)
            self._acting[call] = known - self._subject.roles.cluster
        return self._acting[call]

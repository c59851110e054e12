"""A stake that lives for one transaction, or for minutes, collects what was earned before it."""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter
from typing import ClassVar

from gateway.plugin import (
    Confidence,
    Detector,
    Family,
    Finding,
    Inspection,
    Loss,
    Need,
    Severity,
    Sojourn,
    describe_loss,
)

GRAVE_SHARE = 0.01
"""part of the reward stock from which on the payout is grave"""
HASTY_SHARE = 0.05
"""the same for a stake of half an hour at most; who pays that much in so short a time is empty before the day ends"""
_AMOUNT = itemgetter(1)


class InstantReward(Detector):
    """A stake of one transaction collected rewards.

    Rewards are earned over time. Here an account that had no entry in the farm put tokens in, the farm paid another
    asset out, and gave the stake back, all within one transaction. No time passed, so nothing was earned: the
    accounting paid the rewards of somebody else, or of a time before the stake began. The stake is often borrowed for
    the purpose, but need not be. Where no entry is seen to come and go, nothing else may explain the loss. With money
    of his own one can do it in several transactions: memory keeps for half an hour what a sender put into contracts
    that had not known him, and a farm that gives it all back has paid its rewards for a stake of minutes.
    """

    id = "instant-reward"
    family = Family.REWARD
    severity = Severity.HIGH
    confidence = Confidence.MEDIUM
    needs = frozenset({Need.OUTSIDER_LOSS})
    references: ClassVar[tuple[str, ...]] = ("https://github.com/SunWeb3Sec/DeFiHackLabs",)
    false_positives: ClassVar[tuple[str, ...]] = (
        "A giveaway that pays whoever holds a stake at the moment of asking, as it was announced.",
    )
    needs_accesses = True

    def inspect(self, subject: Inspection) -> Iterator[Finding]:
        """One finding per farm."""
        for trip in subject.round_trips:
            if (trip.loss.share or 0.0) < GRAVE_SHARE or trip.loss.signed or not subject.gain_covers(trip.loss):
                continue
            for account in sorted(trip.depositors):
                entries = subject.records.get((trip.holder, account), ())
                stake = any(entry.came_and_went and entry.before == 0 for entry in entries)
                if any(entry.before for entry in entries):
                    continue
                if stake or self._is_strange(subject, trip.loss):
                    yield self.finding(
                        f"{account} put {trip.paid_in} units of {trip.asset.token} into {trip.holder} and took them "
                        f"out again; meanwhile {trip.holder} lost {describe_loss(trip.loss)} as a reward.",
                        victim=trip.holder,
                        attacker=subject.roles.origin,
                        instrument=account,
                        frames=trip.loss.frames,
                        evidence={"stake": str(trip.paid_in), "reward": str(trip.loss.amount)},
                    )
                    break
        for stay in subject.sojourns:
            yield from self._of_minutes(subject, stay)

    def _of_minutes(self, subject: Inspection, stay: Sojourn) -> Iterator[Finding]:
        """A stake of earlier transactions that is back whole, while something else came out that never went in."""
        rewards = {
            asset: deal.taken
            for asset, deal in stay.rewards.items()
            if asset.item is None and deal.stock and deal.taken >= HASTY_SHARE * deal.stock
        }
        loss = next((loss for loss in subject.losses if loss.holder == stay.holder and loss.acted), None)
        if not rewards or not stay.returned or loss is None or loss.signed:
            return
        asset, amount = max(rewards.items(), key=_AMOUNT)
        yield self.finding(
            f"{stay.holder} got {stay.put} units of {stay.asset.token} minutes ago from somebody it had not known, has "
            f"given {stay.taken} of them back, and paid {amount} units of {asset.token} meanwhile.",
            victim=stay.holder,
            attacker=subject.roles.origin,
            frames=loss.frames,
            evidence={"stake": str(stay.put), "reward": str(amount)},
        )

    def _is_strange(self, subject: Inspection, loss: Loss) -> bool:
        """True if nothing explains the loss where no stake was seen: a farm may keep it in a form that is not read."""
        return subject.unexplained(loss) and not (subject.is_fair_visit(loss) or subject.paid_by_house(loss))

"""Value leaves a contract to somebody whom it got to know a few transactions ago."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from gateway.plugin import (
    NATIVE,
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

GRAVE_SHARE = 0.02
"""part of the holder's stock from which on a loss is no ordinary payment"""
COVERED = 0.5
"""part of the loss that the sender must have beyond all that it gave; an honest stake returns with a small reward"""
SOLD = 0.3
"""the same where the loot was sold on: fees and slippage took the rest"""
CHEAP = 0.5
"""who gave less than this part of what it gained did not trade"""


class ShortAcquaintance(Detector):
    """A contract paid out far more than its new acquaintance had given.

    Some attacks take two steps: the first makes the contract keep an entry for the attacker, or name it as owner,
    by a stake of nothing, a forged deposit, an unguarded setter; the second, minutes later, withdraws on the strength
    of that entry. Records that the sender had written lately are therefore weighed against what it gave since then:
    who deposited a thousand may withdraw a thousand and some reward, but not the savings of everybody. Memory reaches
    back half an hour, and a day for an account that was written down while nothing was paid.
    """

    id = "short-acquaintance"
    family = Family.REWARD
    severity = Severity.HIGH
    confidence = Confidence.MEDIUM
    needs = frozenset({Need.OUTSIDER_LOSS})
    references: ClassVar[tuple[str, ...]] = (
        "https://cwe.mitre.org/data/definitions/841.html",
        "https://arxiv.org/abs/2208.13035",
    )
    false_positives: ClassVar[tuple[str, ...]] = (
        "A prize of a lottery that the winner entered minutes ago.",
        "A deposit paid in from another account, taken out by the account that registered it.",
    )
    needs_accesses = True

    def inspect(self, subject: Inspection) -> Iterator[Finding]:
        """One finding per holder and asset."""
        gave = subject.gave_since_met
        if not subject.memory.acquainted or not subject.gained_since_met or not self._is_gift(subject):
            return
        for loss in subject.losses_to_newcomer:
            if not loss.acted or loss.compensated or loss.asset.item is not None:
                continue
            if (loss.share or 0.0) < GRAVE_SHARE or not self._is_covered(subject, loss) or loss.agreed or loss.signed:
                continue
            yield self.finding(
                f"{loss.holder} lost {describe_loss(loss)}; it got to know the receiver only lately, "
                f"who gave {len(gave)} kinds of asset since and nothing of comparable worth.",
                victim=loss.holder,
                attacker=subject.roles.origin,
                frames=loss.frames,
                evidence={"asset": str(loss.asset.token), "amount": str(loss.amount)},
            )

    def _is_covered(self, subject: Inspection, loss: Loss) -> bool:
        gained = subject.gained_since_met
        if gained.get(loss.asset, 0) >= COVERED * loss.amount:
            return True
        brought, _ = subject.market.value(gained)
        lost, complete = subject.market.value({loss.asset: loss.amount})
        return (complete and lost > 0.0 and brought >= SOLD * lost) or self._is_sold(subject, loss)

    def _is_sold(self, subject: Inspection, loss: Loss) -> bool:
        """True if the loot went to a buyer, at whatever price, and the sender keeps a good part of what he paid."""
        return any(
            2 * changes.get(loss.asset, 0) >= loss.amount
            and any(
                subject.gained_since_met.get(NATIVE if asset in subject.wrapped else asset, 0) >= SOLD * -amount
                for asset, amount in changes.items()
                if amount < 0
            )
            for holder, changes in subject.ledger.net.items()
            if holder not in subject.roles.cluster
        )

    def _is_gift(self, subject: Inspection) -> bool:
        if not subject.gave_since_met:
            return True
        gave, complete = subject.market.value(subject.gave_since_met)
        gained, _ = subject.market.value(subject.gained_since_met)
        return complete and gained > 0.0 and gave < CHEAP * gained

"""A contract gave much and got little, measured by the prices before the transaction."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from gateway.plugin import Confidence, Detector, Family, Finding, Inspection, Loss, Need, Severity, describe_loss

UNFAIR = 0.2
"""part of what it gave that a holder is short of, at the prices before"""
ABSURD = 0.9
"""the same where it is grave by itself: no price moves that far by honest trading"""
GRAVE_SHARE = 0.02
SMALL_SHARE = 0.002
"""part of the stock that is grave where the exchange was absurd"""
DRAINED = 0.15
"""part of the stock whose loss is grave where there is no price"""


class UnfairExchange(Detector):
    """A contract got far less than it gave, at the prices before the transaction.

    Lenders, vaults, zappers and token contracts that ask a pool for its price can be fooled by moving that price
    first: they lend against a bubble, redeem too much, or swap their savings into a pool that was just emptied.
    Measured by the prices before the transaction the trade is absurd. A swap in a pool is not: its own formula
    makes it fair, so pools that kept their promise do not count.
    """

    id = "unfair-exchange"
    family = Family.PRICE
    severity = Severity.HIGH
    confidence = Confidence.MEDIUM
    needs = frozenset({Need.OUTSIDER_LOSS})
    references: ClassVar[tuple[str, ...]] = (
        "https://arxiv.org/abs/2502.11521",
        "https://github.com/SunWeb3Sec/DeFiHackLabs",
    )
    false_positives: ClassVar[tuple[str, ...]] = (
        "An order filled at the true price while the only pool seen here is far off it.",
        "An arbitrage of more than a third of a pool that announces its trades in its own way.",
    )
    needs_accesses = True

    def inspect(self, subject: Inspection) -> Iterator[Finding]:
        """One finding per holder and asset that was given away."""
        for loss in subject.losses:
            if not loss.compensated or loss.asset.item is not None or subject.only_tipped:
                continue
            why = self._unfair(subject, loss)
            if not why or (not loss.acted and subject.has_standing_order(loss.holder)):
                continue
            if subject.unexplained(loss):
                yield self.finding(
                    f"{loss.holder} gave {describe_loss(loss)} and {why}.",
                    victim=loss.holder,
                    attacker=subject.roles.origin,
                    frames=loss.frames,
                    evidence={"asset": str(loss.asset.token), "amount": str(loss.amount)},
                )

    def _unfair(self, subject: Inspection, loss: Loss) -> str:
        changes = subject.ledger.net[loss.holder]
        balance, complete = subject.market.value(changes)
        given, _ = subject.market.value({asset: -amount for asset, amount in changes.items() if amount < 0})
        share = loss.share or 0.0
        if complete and given > 0.0:
            short = -balance / given
            unfair = subject.gained_for_little and short > UNFAIR and (share >= GRAVE_SHARE or not loss.acted)
            absurd = short > ABSURD and share >= SMALL_SHARE and (subject.gained_for_little or not loss.acted)
            return f"is {short:.0%} short at the prices before" if unfair or absurd else ""
        grave = share > DRAINED or (share >= GRAVE_SHARE and given > 0.0 and subject.gain_covers(loss))
        worthless = subject.gained_for_little and grave and not subject.bought_items(loss.holder)
        return "got tokens without a known price for it" if worthless else ""

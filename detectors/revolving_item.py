"""One item is brought in again and again, and each time the contract pays for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import ClassVar

from gateway.plugin import (
    Address,
    Asset,
    Confidence,
    Detector,
    Family,
    Finding,
    Inspection,
    Need,
    Severity,
    describe_loss,
)

TURNS = 3
"""how often one item came to the same account; an honest trade brings it once"""
GRAVE_SHARE = 0.02
"""part of the payer's stock from which on its loss is grave"""


class RevolvingItem(Detector):
    """The same item was paid for over and over.

    An item that was burnt, staked or pledged should be gone, or be given back against what was paid for it. Here it
    came back to the ordering side several times within one transaction, while a contract beside it paid out a good
    part of its stock to that side and got nothing: burnt items that can be fetched again, stakes whose reward stays
    when the stake is withdrawn, collateral that is counted twice.
    """

    id = "revolving-item"
    family = Family.REWARD
    severity = Severity.HIGH
    confidence = Confidence.MEDIUM
    references: ClassVar[tuple[str, ...]] = (
        "https://cwe.mitre.org/data/definitions/672.html",
        "https://github.com/SunWeb3Sec/DeFiHackLabs",
    )
    false_positives: ClassVar[tuple[str, ...]] = (
        "A trader who sells one item to itself many times for the rewards of a market, and is paid from its savings.",
    )
    needs_accesses = True
    needs = frozenset({Need.OUTSIDER_LOSS})

    def inspect(self, subject: Inspection) -> Iterator[Finding]:
        """One finding per contract and asset that was paid out."""
        came: Counter[tuple[Address, Asset]] = Counter()
        for move in subject.facts.transfers:
            if move.token_id is not None and move.to in subject.roles.cluster and move.from_ != move.to:
                came[move.to, Asset(move.token, move.token_id)] += 1
        if not came or max(came.values()) < TURNS:
            return
        (_, item), turns = came.most_common(1)[0]
        for loss in subject.losses:
            grave = loss.asset.item is None and (loss.share or 0.0) >= GRAVE_SHARE
            if not grave or not loss.acted or loss.signed or not loss.to_cluster or not subject.gain_covers(loss):
                continue
            changes = subject.ledger.net[loss.holder]
            if any(amount > 0 for asset, amount in changes.items() if asset != item):
                continue
            yield self.finding(
                f"{loss.holder} paid out {describe_loss(loss)} while item {item.item} of {item.token} came back "
                f"{turns} times.",
                victim=loss.holder,
                attacker=subject.roles.origin,
                instrument=item.token,
                frames=loss.frames,
                evidence={"item": f"{item.token} {item.item}", "turns": str(turns)},
            )

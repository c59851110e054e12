"""A contract is emptied by somebody who made himself its master moments before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from gateway.plugin import NATIVE, Confidence, Detector, Family, Finding, Inspection, Need, Severity, describe_loss

GRAVE_SHARE = 0.02
COIN_FLOOR = 10**16
"""wei of the chain's own coin below which a drained contract is a curiosity"""


class SeizedAuthority(Detector):
    """A contract paid out to its master of a few moments.

    An earlier transaction of this sender made a contract write the sender's address into a slot of its own, though
    it had not known the sender, was not created by it and was not paid. Now the same contract obeys and pays. Seen
    alone each step looks lawful: a setter was called, and an owner withdrew. Together they are the two-step form of
    missing access control: unguarded setters, initialisers left open, plug-ins that write the owner's slot.
    """

    id = "seized-authority"
    family = Family.ACCESS
    severity = Severity.HIGH
    confidence = Confidence.HIGH
    needs = frozenset({Need.OUTSIDER_LOSS})
    references: ClassVar[tuple[str, ...]] = (
        "https://cwe.mitre.org/data/definitions/306.html",
        "https://github.com/SunWeb3Sec/DeFiHackLabs",
    )
    false_positives: ClassVar[tuple[str, ...]] = (
        "A wallet that somebody else created and filled, taken over by its rightful owner on first use.",
        "A prize that goes to whoever was written down last.",
    )
    needs_accesses = True

    def inspect(self, subject: Inspection) -> Iterator[Finding]:
        """One finding per holder and asset that was paid out."""
        if not subject.memory.claimed:
            return
        for loss in subject.losses:
            if loss.holder not in subject.memory.claimed or loss.compensated or loss.signed or not loss.acted:
                continue
            small = (loss.share or 0.0) < GRAVE_SHARE or (loss.asset == NATIVE and loss.amount < COIN_FLOOR)
            if small or not subject.gain_covers(loss):
                continue
            yield self.finding(
                f"{loss.holder} lost {describe_loss(loss)} to {subject.roles.origin}, who had made himself "
                "its master by an earlier transaction.",
                victim=loss.holder,
                attacker=subject.roles.origin,
                frames=loss.frames,
                evidence={"asset": str(loss.asset.token), "amount": str(loss.amount)},
            )

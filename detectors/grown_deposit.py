"""A deposit comes back larger in the transaction that made it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from gateway.plugin import (
    NATIVE,
    Confidence,
    Detector,
    Family,
    Finding,
    Growth,
    Inspection,
    Loss,
    Need,
    Severity,
    describe_loss,
    largest_entry,
)

GRAVE_SHARE = 0.01
"""part of the holder's stock from which on the loss is grave, whatever else was paid to others on the way"""
SMALL_SHARE = 0.0005
"""the same where nothing was paid to anybody"""
TINY_SHARE = 0.00005
"""the same where the deposit came back at least doubled"""
DOUBLED = 1.0
COIN_FLOOR = 10**16
"""wei of the chain's own coin below which the loss is a curiosity"""
OWED = 0.01
"""part of the loss that an entry must have shown before if it is to explain anything"""


class GrownDeposit(Detector):
    """A contract took something in and, in the same transaction, paid more of it back.

    The contract had not known the depositor, or owed him next to nothing, got nothing else, and the ordering side ends
    with the difference. Nobody earns by waiting no time at all: the accounting paid out what belongs to others.
    Rounding that favours the one who leaves, an index that jumps at the moment of entry, an emergency exit that forgets
    to clear the stake, a bonus for every new account, and one payment that is counted by each of several inner calls
    all look like this. The share
    of the stock may be small, for the round can be run again and again.
    """

    id = "grown-deposit"
    family = Family.REWARD
    severity = Severity.HIGH
    confidence = Confidence.MEDIUM
    needs = frozenset({Need.OUTSIDER_LOSS})
    references: ClassVar[tuple[str, ...]] = (
        "https://cwe.mitre.org/data/definitions/682.html",
        "https://github.com/SunWeb3Sec/DeFiHackLabs",
    )
    false_positives: ClassVar[tuple[str, ...]] = (
        "An arbitrage between two pools of a house that keeps all their tokens in one contract and announces its "
        "trades in its own way.",
        "A welcome bonus that is meant to be paid out at once.",
    )
    needs_accesses = True

    def inspect(self, subject: Inspection) -> Iterator[Finding]:
        """One finding per contract and asset."""
        for growth in subject.growths:
            loss = growth.loss
            if loss.compensated:
                continue
            if not subject.unexplained(loss) and not self._owed_little(subject, loss):
                continue
            if not self._is_grave(subject, growth):
                continue
            how = "by one call that counted it several times" if growth.repeated else "by separate calls"
            yield self.finding(
                f"{loss.holder} took in {growth.paid_in} units and paid {growth.paid_back} back, {how}; "
                f"it lost {describe_loss(loss)}.",
                victim=loss.holder,
                attacker=subject.roles.origin,
                frames=loss.frames,
                evidence={"paid in": str(growth.paid_in), "paid back": str(growth.paid_back)},
            )

    def _owed_little(self, subject: Inspection, loss: Loss) -> bool:
        """True if the holder keeps accounts, one of them for the ordering side, and hardly anything stood there."""
        if loss.signed or not any(bond.endswith("entry for the caller") for bond in loss.bonds):
            return False
        entry = largest_entry(subject.simulation, loss.holder, subject.roles.cluster)
        return entry is not None and entry < OWED * loss.amount

    def _is_grave(self, subject: Inspection, growth: Growth) -> bool:
        share = growth.loss.share or 0.0
        if growth.loss.asset == NATIVE and growth.loss.amount < COIN_FLOOR:
            return False
        if not subject.gained_for_little:  # something went to others, whose worth is not known beside the gain
            return share >= GRAVE_SHARE
        return share >= (TINY_SHARE if growth.rate >= DOUBLED else SMALL_SHARE)

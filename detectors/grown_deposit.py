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
    Sojourn,
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
LARGE = 0.5
"""part of what the holder had from which on a deposit of minutes is no bet: nobody plays for half the bank"""
HASTY_SHARE = 0.02
"""part of what the holder had that a deposit of minutes may not earn"""


class GrownDeposit(Detector):
    """A contract took something in and, in the same transaction, paid more of it back.

    The contract had not known the depositor, or owed him next to nothing, got nothing else, and the ordering side ends
    with the difference. Nobody earns by waiting no time at all: the accounting paid out what belongs to others.
    Rounding that favours the one who leaves, an index that jumps at the moment of entry, an emergency exit that forgets
    to clear the stake, a bonus for every new account, and one payment that is counted by each of several inner calls
    all look like this. The share
    of the stock may be small, for the round can be run again and again. Memory keeps for half an hour what a sender
    put into contracts that had not known him, so that a large deposit which comes back larger a few transactions
    later, though nobody else put anything in, is seen too.
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
            if loss.compensated or not self._is_grave(subject, growth):
                continue
            if not subject.unexplained(loss) and not self._owed_little(subject, loss):
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
        for stay in subject.sojourns:
            lost = self._grave_loss(subject, stay)
            if lost is not None:
                yield self.finding(
                    f"{stay.holder} took in {stay.put} units minutes ago, from somebody it had not known, and has paid "
                    f"{stay.taken} back, {stay.profit} more than went in for them; it lost {describe_loss(lost)}.",
                    victim=stay.holder,
                    attacker=subject.roles.origin,
                    frames=lost.frames,
                    evidence={"paid in": str(stay.put), "paid back": str(stay.taken)},
                )

    def _grave_loss(self, subject: Inspection, stay: Sojourn) -> Loss | None:
        """The loss by which a large deposit of minutes came back larger, though nobody else put anything in."""
        if not stay.stock or not stay.whole or stay.put < LARGE * stay.stock:
            return None
        if stay.profit < max(HASTY_SHARE * stay.stock, COIN_FLOOR if stay.asset == NATIVE else 0):
            return None
        lost = (loss for loss in subject.losses if (loss.holder, loss.asset) == (stay.holder, stay.asset))
        return next((loss for loss in lost if loss.acted and not loss.signed), None)

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

"""A loan is left standing while what covered it is gone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from gateway.plugin import (
    Address,
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

EXACT = 0.01
"""how far the debt that was written down may differ from what the lender lost"""
GRAVE_SHARE = 0.01


class UncoveredDebt(Detector):
    """A debt was left behind and its cover taken out.

    In one transaction a lender wrote down a deposit for an account of the ordering side, lent against it, and at the
    end the entry of the deposit is back where it was while the entry of the debt stands, equal to what the lender has
    less. No honest borrower can reach that state: every path that lowers the cover has to ask whether the loan stays
    covered. Forgotten checks in emergency exits, donations to reserves and liquidations of oneself all end in it.
    """

    id = "uncovered-debt"
    family = Family.SOLVENCY
    severity = Severity.HIGH
    confidence = Confidence.HIGH
    needs = frozenset({Need.OUTSIDER_LOSS})
    references: ClassVar[tuple[str, ...]] = (
        "https://www.euler.finance/blog/war-peace-behind-the-scenes-of-eulers-240m-exploit-recovery",
        "https://github.com/SunWeb3Sec/DeFiHackLabs",
    )
    false_positives: ClassVar[tuple[str, ...]] = (
        "A payout contract that counts what it paid and books an own deposit in and out in the same transaction.",
    )
    needs_accesses = True

    def inspect(self, subject: Inspection) -> Iterator[Finding]:
        """One finding per lender."""
        told: set[Address] = set()
        if all(inward for _, inward in subject.facts.crossings(subject.roles.cluster)):
            return  # nothing was put in, so that what was written down and struck off was no deposit
        for loss in subject.losses:
            if loss.holder in told or not loss.acted or loss.asset.item is not None or loss.signed:
                continue
            if (loss.share or 0.0) < GRAVE_SHARE or not subject.gain_covers(loss):
                continue
            debtor = self._debtor(subject, loss)
            if debtor is not None and (not loss.compensated or self._paid_by_another(subject, loss, debtor)):
                told.add(loss.holder)
                yield self.finding(
                    f"{loss.holder} lost {describe_loss(loss)}; {debtor} owes just that, "
                    "and what it had deposited there is gone again.",
                    victim=loss.holder,
                    attacker=subject.roles.origin,
                    instrument=debtor,
                    frames=loss.frames,
                    evidence={"asset": str(loss.asset.token), "amount": str(loss.amount), "debtor": str(debtor)},
                )

    def _debtor(self, subject: Inspection, loss: Loss) -> Address | None:
        for (contract, account), entries in subject.records.items():
            if contract != loss.holder:
                continue
            risen = [entry for entry in entries if entry.added > 0]
            emptied = any(entry.came_and_went for entry in entries)
            if emptied and len(risen) == 1 and abs(risen[0].added - loss.amount) <= EXACT * loss.amount:
                return account
        return None

    def _paid_by_another(self, subject: Inspection, loss: Loss, debtor: Address) -> bool:
        """True if another member of the ordering side paid the lender and took what the debtor had put in."""
        paid = took = False
        for move in subject.facts.transfers:
            other = move.from_ if move.to == loss.holder else move.to
            if other == debtor or other not in subject.roles.cluster or loss.holder not in (move.from_, move.to):
                continue
            paid = paid or (move.to == loss.holder and move.token == loss.asset.token)
            took = took or (move.from_ == loss.holder and move.token != loss.asset.token)
        return paid and took

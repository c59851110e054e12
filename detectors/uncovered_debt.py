"""A loan is left standing while what covered it is gone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import ClassVar

from gateway.plugin import (
    ZERO_ADDRESS,
    Address,
    Asset,
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
BACK = 0.9
"""part of what was paid for a new item that its payer has back"""


class UncoveredDebt(Detector):
    """A debt was left behind and its cover taken out.

    In one transaction a lender wrote down a deposit for an account of the ordering side, lent against it, and at the
    end the entry of the deposit is back where it was while the entry of the debt stands, equal to what the lender has
    less. No honest borrower can reach that state: every path that lowers the cover has to ask whether the loan stays
    covered. The cover may also be an item that was made for the purpose and is worth nothing in the end, for its maker
    gave back what it had been paid. Forgotten checks in emergency exits, donations to reserves, liquidations of
    oneself and pledges that their owner can still revoke all end in it.
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
            item = self._hollow_item(subject, loss) if loss.compensated else None
            if item is not None:
                told.add(loss.holder)
                yield self.finding(
                    f"{loss.holder} lost {describe_loss(loss)} and has got item {item.item} of {item.token} for it; "
                    "that was made here, and what had been paid for it is back with the payer.",
                    victim=loss.holder,
                    attacker=subject.roles.origin,
                    instrument=item.token,
                    frames=loss.frames,
                    evidence={"asset": str(loss.asset.token), "amount": str(loss.amount), "item": str(item.item)},
                )
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

    def _hollow_item(self, subject: Inspection, loss: Loss) -> Asset | None:
        """The one thing that the holder got: an item made here, whose maker gave back what it was paid for it."""
        got = [asset for asset, amount in subject.ledger.net[loss.holder].items() if amount > 0]
        if len(got) != 1 or got[0].item is None or got[0].token in subject.roles.cluster:
            return None
        maker, cluster = got[0].token, subject.roles.cluster
        made = any(
            move.from_ == ZERO_ADDRESS and move.token == maker and move.token_id == got[0].item
            for move in subject.facts.transfers
        )
        paid: dict[Asset, int] = defaultdict(int)
        back: dict[Asset, int] = defaultdict(int)
        for move, inward in subject.facts.crossings(cluster) if made else ():
            if maker in (move.from_, move.to) and move.token_id is None:
                (back if inward else paid)[Asset(move.token)] += move.amount
        return got[0] if any(back[asset] >= BACK * amount for asset, amount in paid.items()) else None

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

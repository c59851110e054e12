"""A contract is entered again through the ordering side while its own change is half done."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from gateway.plugin import Address, Asset, Confidence, Detector, Family, Finding, Inspection, Need, Reentry, Severity

GRAVE_SHARE = 0.02
"""part of the contract's stock whose loss is grave whatever came in return"""
KNOWN_SHARE = 0.02
"""the same where nothing came in return, whoever it was"""
EMPTIED_SHARE = 0.95
FAIR = 0.5
"""who gave at least this part of what it got traded, whatever way the calls took"""


class ReEntrancy(Detector):
    """A contract was entered again before it had finished.

    The contract called out, the ordering side took the call and came back into the same contract, changed a slot
    there, and the first call, which had looked at that slot before, changed it again afterwards. What the first call
    knew was no longer true: it pays twice, mints twice, or forgets a debt. It is grave if the ordering side ends with
    more and paid little for it, or if the first call overwrote the inner change unseen. Callbacks of flash loans,
    hooks of tokens and unlock patterns come back too; they leave the slots of the open call alone, or serve somebody
    the contract already knew.
    """

    id = "re-entrancy"
    family = Family.REENTRANCY
    severity = Severity.HIGH
    confidence = Confidence.MEDIUM
    needs = frozenset({Need.COMEBACK})
    references: ClassVar[tuple[str, ...]] = (
        "https://arxiv.org/abs/1812.05934",  # Sereum: the rule of the stale slot
        "https://swcregistry.io/docs/SWC-107",
    )
    false_positives: ClassVar[tuple[str, ...]] = (
        "A first-time borrower who levers up inside the lender's own flash loan.",
        "A token hook that moves the same token again on the owner's behalf.",
    )
    needs_accesses = True

    def inspect(self, subject: Inspection) -> Iterator[Finding]:
        """One finding per contract that was entered again, for the gravest of its slots."""
        worst: dict[object, tuple[Severity, Reentry]] = {}
        for reentry in subject.reentries:
            severity = self._severity(subject, reentry)
            if severity < Severity.HIGH and self._repeats(subject, reentry):
                severity = Severity.HIGH
            if severity >= Severity.HIGH and subject.is_settled(reentry):
                continue
            if severity > worst.get(reentry.account, (Severity.INFO, reentry))[0]:
                worst[reentry.account] = (severity, reentry)
        for severity, reentry in worst.values():
            how = "and overwrote the inner change unseen" if reentry.stale else "and changed it again afterwards"
            yield self.finding(
                f"{reentry.account} was entered again through {reentry.through} before its first call had ended; "
                f"slot {reentry.slot:#x} was changed inside, {how if reentry.written_after else 'after it was read'}.",
                victim=reentry.account,
                attacker=subject.roles.origin,
                frames=(reentry.outer, reentry.inner),
                evidence={"slot": hex(reentry.slot), "through": str(reentry.through)},
                severity=severity,
            )

    def _severity(self, subject: Inspection, reentry: Reentry) -> Severity:
        fair = subject.consideration is not None and subject.consideration >= FAIR
        inner = subject.simulation.trace.frames[reentry.inner]
        if fair or inner.reverted:
            return Severity.INFO
        if reentry.stale and reentry.read_before:
            return Severity.HIGH
        known = subject.consent.bonds(
            reentry.account, frozenset((subject.roles.origin, reentry.through)), before=inner.entered
        )
        if reentry.read_before and reentry.written_after:
            lost = max((loss.share or 0.0 for loss in subject.losses if loss.holder == reentry.account), default=0.0)
            if not known and (subject.gained_for_little or lost >= GRAVE_SHARE):
                return Severity.HIGH
            if subject.gained_for_little and self._paid_for_nothing(subject, reentry.account):
                return Severity.HIGH
        if self._robbed(subject, known=bool(known)) or self._left_a_credit(subject, reentry.account):
            return Severity.HIGH
        return Severity.MEDIUM

    def _repeats(self, subject: Inspection, reentry: Reentry) -> bool:
        """The same function of a contract that knew nobody, entered again half-way, and profit for nothing.

        What the open call had looked at changed, and what the inner call wrote changed again: not always one slot.
        """
        frames = subject.simulation.trace.frames
        outer, inner = frames[reentry.outer], frames[reentry.inner]
        if inner.reverted or outer.input[:4] != inner.input[:4] or not outer.input[:4]:
            return False
        if not subject.gained_for_little:
            return False
        known = subject.consent.bonds(
            reentry.account, frozenset((subject.roles.origin, reentry.through)), before=inner.entered
        )
        return not known and any(
            other.written_after and other.outer == reentry.outer and other.account == reentry.account
            for other in subject.reentries
        )

    def _paid_for_nothing(self, subject: Inspection, account: Address) -> bool:
        """True if the contract lost a good part to the ordering side and got nothing: that it knew it is no excuse."""
        return any(
            loss.holder == account and loss.to_cluster and not loss.compensated and (loss.share or 0.0) >= KNOWN_SHARE
            for loss in subject.losses
        )

    def _robbed(self, subject: Inspection, *, known: bool) -> bool:
        """Outsiders lost to the ordering side: two emptied whatever was agreed, one where the caller was a stranger."""
        taken = [loss for loss in subject.losses if loss.to_cluster and not loss.compensated]
        if len({loss.holder for loss in taken if (loss.share or 0.0) >= EMPTIED_SHARE}) >= 2:
            return True
        return not known and any(
            subject.unexplained(loss) and (loss.asset.item is not None or (loss.share or 0.0) >= GRAVE_SHARE)
            for loss in taken
        )

    def _left_a_credit(self, subject: Inspection, account: Address) -> bool:
        """True if what the contract paid out stands there as a credit all the same, of somebody who was not paid.

        It has no more than before, so that nothing backs the credit.
        """
        simulation, net = subject.simulation, subject.ledger.net.get(account, {})
        paid = [
            move
            for move in subject.facts.transfers
            if move.from_ == account and move.to in subject.roles.cluster
            if net.get(Asset(move.token, move.token_id), 0) <= 0
        ]
        amounts, payees = {move.amount for move in paid}, {move.to for move in paid}
        diff, preimages = simulation.state_diff.get(account), simulation.trace.preimages or {}
        for slot, (before, after) in diff.storage.items() if diff is not None and paid else ():
            key = preimages.get(slot, b"")
            if after - before in amounts and len(key) == 64:
                holders = {
                    Address(word[12:]) for word in (key[:32], key[32:]) if not any(word[:12]) and any(word[12:16])
                }
                if holders and holders.isdisjoint(payees):
                    return True
        return False

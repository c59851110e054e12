"""A contract is talked into approving a spender, and the spender takes what it holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from gateway.plugin import (
    Address,
    Approval,
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

GRAVE_SHARE = 0.02
"""part of the holder's stock from which on a loss is no ordinary payment"""
BOUNDLESS = 1 << 96
"""units that no token's supply reaches: an allowance of so many is meant for everything"""


class WrungAllowance(Detector):
    """A contract approved a spender whom it never knew, and was emptied by it.

    Some contracts approve whomever the caller names: an open `approveAll`, a call with arguments of the caller's
    choice, an adapter that trusts its input. The allowance looks lawful afterwards, for the holder itself gave it.
    Here it was given in this transaction at the wish of a stranger, to an account that stands neither in the
    holder's storage nor in its code, and spent without anything in return; or it is boundless and belongs to the
    ordering side, which will spend it next. Or the token itself wrote down an allowance for the ordering side of an
    owner who neither acted nor signed, and knew nobody who asked for it.
    """

    id = "wrung-allowance"
    family = Family.DEPUTY
    severity = Severity.HIGH
    confidence = Confidence.HIGH
    needs = frozenset({Need.APPROVAL})
    references: ClassVar[tuple[str, ...]] = (
        "https://cwe.mitre.org/data/definitions/441.html",
        "https://github.com/SunWeb3Sec/DeFiHackLabs",
    )
    false_positives: ClassVar[tuple[str, ...]] = (
        "A contract without owner that lends to whoever asks, by an allowance, and is paid back another way.",
    )
    needs_accesses = True

    def inspect(self, subject: Inspection) -> Iterator[Finding]:
        """One finding per holder and token."""
        spent = {
            (loss.holder, loss.asset.token): loss
            for loss in reversed(subject.losses)
            if not loss.acted and not loss.compensated and self._is_grave(loss) and not loss.signed
        }
        last = {(approval.owner, approval.token, approval.spender): approval for approval in subject.facts.approvals}
        told: set[tuple[Address, Address]] = set()
        for approval in last.values():
            key = (approval.owner, approval.token)
            loss = spent.get(key)
            left = approval.spender in subject.roles.cluster and self._is_wide(subject, approval)
            if key in told or approval.amount == 0 or approval.owner == approval.spender or not (loss or left):
                continue
            if loss is None and self._holds_nothing(subject, approval):
                continue
            stranger = self._wrung(subject, approval)
            if stranger is None:
                continue
            told.add(key)
            what = f"and lost {describe_loss(loss)} through it" if loss else "and the allowance is boundless"
            yield self.finding(
                f"{approval.owner} approved {approval.spender} for {approval.token} at the wish of {stranger}, "
                f"knew neither, {what}.",
                victim=approval.owner,
                attacker=subject.roles.origin,
                instrument=approval.spender,
                frames=(approval.frame, *(loss.frames if loss else ())),
                evidence={"token": str(approval.token), "spender": str(approval.spender)},
            )

    def _forged(self, subject: Inspection, approval: Approval) -> Address | None:
        """Who made the token write down an allowance of an owner who did nothing; None if something speaks for it.

        A signature, an office of the caller's in the token, or an older allowance, of which a transfer leaves less.
        """
        consent, trace = subject.consent, subject.simulation.trace
        if approval.spender not in subject.roles.cluster or approval.owner in subject.roles.cluster:
            return None
        if (approval.token, approval.owner, approval.spender) in consent.allowances:
            return None
        asker = trace.asker(approval.frame, approval.token)
        parties = frozenset((asker, subject.roles.origin))
        if asker not in subject.roles.cluster or consent.has_signed(approval.token, approval.owner):
            return None
        bonds = consent.bonds(approval.token, parties, before=approval.sequence, entries=False)
        return None if bonds or consent.holds_office(approval.token, parties) else asker

    def _is_wide(self, subject: Inspection, approval: Approval) -> bool:
        """True if the allowance is boundless, or lets go of a grave part of what the owner is known to have had."""
        if approval.amount is None or approval.amount >= BOUNDLESS:
            return True
        stock = subject.ledger.before.get((approval.owner, Asset(approval.token)), 0)
        return stock > 0 and approval.amount >= GRAVE_SHARE * stock

    def _holds_nothing(self, subject: Inspection, approval: Approval) -> bool:
        """True if the owner had none of the token before, and has none in the end: what passes through is others'."""
        asset = Asset(approval.token)
        if subject.ledger.net.get(approval.owner, {}).get(asset):
            return False
        preimages = subject.simulation.trace.preimages or {}
        places = subject.ledger.balance_places.get(approval.token, frozenset())
        keys = {bytes(12) + approval.owner + place for place in places}
        return any(
            use.address == approval.token and not use.before and preimages.get(use.slot) in keys
            for use in subject.simulation.trace.slots or ()
        )

    def _is_grave(self, loss: Loss) -> bool:
        return loss.asset.item is not None or (loss.share or 0.0) >= GRAVE_SHARE

    def _wrung(self, subject: Inspection, approval: Approval) -> Address | None:
        """Who made the owner approve a stranger; None if the owner knew either of them or did not act itself."""
        created = frozenset(subject.simulation.created)
        if approval.owner in created or approval.owner == subject.roles.origin:
            return None
        if approval.spender not in created and subject.consent.knows(approval.owner, approval.spender):
            return None
        frames = subject.simulation.trace.frames
        frame = frames[approval.frame]
        while frame.parent >= 0 and frame.context == approval.token:
            frame = frames[frame.parent]
        if frame.context != approval.owner:
            return self._forged(subject, approval)
        return subject.stranger(approval.owner, frame.index, approval.sequence, door=True)

"""A contract runs, in its own name, code that the ordering side made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from gateway.plugin import (
    NATIVE,
    Address,
    CallFrame,
    Confidence,
    Detector,
    Family,
    Finding,
    FrameKind,
    Inspection,
    Loss,
    Need,
    Severity,
    describe_loss,
)

GRAVE_SHARE = 0.02
COIN_FLOOR = 10**16
MASK = (1 << 160) - 1


class InjectedCode(Detector):
    """A contract ran code of the ordering side in its own name.

    By DELEGATECALL a contract lends its storage, its money and all allowances it was given to other code. Here that
    code was created by the sender moments before, the contract had no owner, entry or signature to go by, and value
    of others left or came into being under it, or the code put the ordering side where another address stood. Module
    hubs that forget to ask whether a module is registered, wallets with open plug-ins, councils that obey whoever has
    the most votes at that moment and proxies whose logic was just exchanged all end like this.
    """

    id = "injected-code"
    family = Family.CODE
    severity = Severity.HIGH
    confidence = Confidence.HIGH
    needs = frozenset({Need.CREATION})
    references: ClassVar[tuple[str, ...]] = (
        "https://swcregistry.io/docs/SWC-112",
        "https://cwe.mitre.org/data/definitions/829.html",
    )
    false_positives: ClassVar[tuple[str, ...]] = (
        "An owner who upgrades a contract of his own and moves its money by a function without an owner check.",
    )
    needs_accesses = True

    def inspect(self, subject: Inspection) -> Iterator[Finding]:
        """One finding per contract that ran such code."""
        made = frozenset((*subject.memory.created, *subject.simulation.created))
        if not made:
            return
        told: set[Address] = set()
        borrowing = frozenset({FrameKind.DELEGATECALL, FrameKind.CALLCODE})
        for frame in subject.simulation.trace.select(kinds=borrowing):
            lent = frame.code_address in made
            holder = frame.from_
            if not lent or frame.reverted or holder in made or holder in told or holder == subject.roles.origin:
                continue
            if self._knew(subject, holder, frame):
                continue
            what = self._robbed(subject, holder, frame) or self._rewritten(subject, holder, frame)
            if what is not None:
                told.add(holder)
                yield self.finding(
                    f"{holder} ran {frame.code_address}, which the sender created, in its own name: {what}.",
                    victim=holder,
                    attacker=subject.roles.origin,
                    instrument=frame.code_address,
                    frames=(frame.index,),
                )

    def _knew(self, subject: Inspection, holder: Address, frame: CallFrame) -> bool:
        """True if the holder names the origin, has an entry for it or saw a signature; the lent code does not count."""
        consent, origin = subject.consent, subject.roles.origin
        bonded = origin in consent.stored.get(holder, ()) or origin in consent.entries.get(holder, ())
        return bonded or bool(consent.signers(holder, before=frame.entered))

    def _robbed(self, subject: Inspection, holder: Address, frame: CallFrame) -> str | None:
        frames = subject.simulation.trace.frames
        for loss in subject.losses:
            small = (loss.share or 0.0) < GRAVE_SHARE or (loss.asset == NATIVE and loss.amount < COIN_FLOOR)
            if small or loss.compensated or loss.signed or not subject.gain_covers(loss):
                continue
            if self._under(frames, loss, frame.index):
                return f"{loss.holder} lost {describe_loss(loss)}"
        for issue in subject.issues:
            grave = (issue.share or 0.0) >= GRAVE_SHARE and not issue.compensated and not issue.signed
            if grave and subject.gain_covers(issue) and self._under(frames, issue, frame.index):
                return f"{issue.amount} units of {issue.asset.token} were made"
        return None

    def _under(self, frames: Sequence[CallFrame], loss: Loss, index: int) -> bool:
        for at in loss.frames:
            while at > index:
                at = frames[at].parent
            if at == index:
                return True
        return False

    def _rewritten(self, subject: Inspection, holder: Address, frame: CallFrame) -> str | None:
        diff = subject.simulation.state_diff.get(holder)
        preimages = subject.simulation.trace.preimages or {}
        for slot, (before, after) in (diff.storage if diff is not None else {}).items():
            old, new = _address(before), _address(after)
            if slot in preimages or old is None or new is None or old == new:
                continue
            if new in subject.roles.cluster and old not in subject.roles.cluster:
                return f"slot {slot:#x} named {old} and now names {new}"
        return None


def _address(value: int) -> Address | None:
    """The address in the low bytes of a slot; None for a number that is too small to be one."""
    low = value & MASK
    return Address(low.to_bytes(20, "big")) if low >> 96 else None

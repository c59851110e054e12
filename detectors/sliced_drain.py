"""One contract is emptied in slices, each too small to stand out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from gateway.plugin import (
    ZERO_ADDRESS,
    Address,
    Confidence,
    Detector,
    Family,
    Finding,
    Inspection,
    Need,
    Severity,
    Taken,
    Taking,
)

GRAVE_SHARE = 0.04
"""part of what the holder had before the first slice from which on the slices together are no ordinary payments"""
SLICES = 3
COIN_FLOOR = 10**16
"""wei of the chain's own coin below which a drained contract is a curiosity"""
STRUCT_SPAN = 8
"""slots behind a mapping entry that count as part of it"""


class SlicedDrain(Detector):
    """A contract is drained in slices by callers it does not know.

    Whoever knows that a single large payment is held takes many small ones: from one account or from several, through
    one gateway replica or another, minutes apart. Each slice alone looks like a tip. Memory keeps what left every
    contract by its own hand, to callers whom it had no record of and who gave nothing for it; the slices of half an
    hour are added up and measured against what the contract held before the first. A contract that writes down whom
    it has paid hands out portions by design, and a claim proved against a stored root was agreed to: the first stays
    a hint, the second is no finding.
    """

    id = "sliced-drain"
    family = Family.FLOW
    severity = Severity.HIGH
    confidence = Confidence.MEDIUM
    references: ClassVar[tuple[str, ...]] = (
        "https://arxiv.org/abs/2208.13035",
        "https://cwe.mitre.org/data/definitions/862.html",
    )
    false_positives: ClassVar[tuple[str, ...]] = (
        "A faucet that pays everybody without writing down whom.",
        "An open bounty that is meant to be emptied, a portion at a time.",
    )
    needs_accesses = True
    needs = frozenset({Need.OUTSIDER_LOSS})

    def inspect(self, subject: Inspection) -> Iterator[Finding]:
        """One finding per holder and asset whose slices together are grave."""
        if not subject.taken:
            return
        for taking in subject.takings:
            earlier = subject.taken.get((taking.holder, taking.token))
            if earlier is None or not self._is_grave(taking, earlier) or self._is_proved(subject, taking.holder):
                continue
            total, times = earlier.amount + taking.amount, earlier.times + 1
            takers = earlier.takers | {subject.roles.origin}
            noted = self._notes_receivers(subject, taking.holder)
            share = f"{total / earlier.stock:.1%} of its stock"
            what = "of the chain's own coin" if taking.token == ZERO_ADDRESS else f"of {taking.token}"
            yield self.finding(
                f"{taking.holder} lost {total} units {what} ({share}) in {times} slices "
                f"to {len(takers)} senders it never knew, within half an hour; this one takes {taking.amount}.",
                victim=taking.holder,
                attacker=subject.roles.origin,
                evidence={
                    "asset": str(taking.token),
                    "amount": str(total),
                    "slices": str(times),
                    "senders": ", ".join(str(taker) for taker in sorted(takers)[:8]),
                },
                severity=Severity.MEDIUM if noted else Severity.HIGH,
            )

    def _is_grave(self, taking: Taking, earlier: Taken) -> bool:
        total = earlier.amount + taking.amount
        if earlier.times + 1 < SLICES or total < GRAVE_SHARE * earlier.stock:
            return False
        return taking.token != ZERO_ADDRESS or total >= COIN_FLOOR

    def _is_proved(self, subject: Inspection, holder: Address) -> bool:
        """True if the holder read a stored word that is a hash computed here: a proof against a root."""
        preimages = subject.simulation.trace.preimages or {}
        return any(
            use.address == holder and not use.written and use.before in preimages
            for use in subject.simulation.trace.slots or ()
        )

    def _notes_receivers(self, subject: Inspection, holder: Address) -> bool:
        """True if the holder changed an entry of its own for a member of the ordering side."""
        preimages = subject.simulation.trace.preimages or {}
        for use in subject.simulation.trace.slots or ():
            if use.address != holder or not use.written:
                continue
            for offset in range(STRUCT_SPAN):
                preimage = preimages.get(use.slot - offset)
                if preimage is None:
                    continue
                words = [preimage[at : at + 32] for at in range(0, len(preimage), 32)]
                if any(not any(word[:12]) and word[12:] in subject.roles.cluster for word in words if len(word) == 32):
                    return True
                break
        return False

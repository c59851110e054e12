"""A stranger puts a contract of his own where others ask for answers, and is paid by the answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from gateway.plugin import Address, Confidence, Detector, Family, Finding, FrameKind, Inspection, Need, Severity

GRAVE_SHARE = 0.02
"""part of the holder's stock from which on a loss is no ordinary payment"""
SLOTS_EXAMINED = 64
_ADDRESS = (1 << 160) - 1
_QUERIES = frozenset({FrameKind.STATICCALL})


class PlantedSource(Detector):
    """A price feed, a registry or a verifier was replaced by the caller's own, asked, and believed.

    A setter without a guard lets anybody name the contract that a protocol asks for prices, rates or permission. Who
    names his own contract there gets every answer that he wants, and may put the old one back before the transaction
    ends, so that nothing is left to see. Here a slot that named another contract was made to name one of the ordering
    side's by somebody whom the contract did not know; that one was then asked by outsiders, who lost.
    """

    id = "planted-source"
    family = Family.PRICE
    severity = Severity.HIGH
    confidence = Confidence.HIGH
    needs = frozenset({Need.OUTSIDER_LOSS, Need.CALLS})
    references: ClassVar[tuple[str, ...]] = (
        "https://cwe.mitre.org/data/definitions/862.html",
        "https://owasp.org/www-project-smart-contract-top-10/",
    )
    false_positives: ClassVar[tuple[str, ...]] = (
        "A market that lets whoever trades there bring a feed of his own, and notes the last one in a common slot.",
    )
    needs_accesses = True

    def inspect(self, subject: Inspection) -> Iterator[Finding]:
        """One finding per slot that named a source of others."""
        asked = self._asked(subject)
        if not asked:
            return
        worst = next(
            (
                loss
                for loss in subject.losses
                if (loss.share is None or loss.share >= GRAVE_SHARE) and not loss.signed and subject.gain_covers(loss)
            ),
            None,
        )
        if worst is None:
            return
        told: set[tuple[Address, int]] = set()
        for contract, slot, planted, frame, sequence in self._planted(subject, asked):
            if (contract, slot) in told:
                continue
            stranger = subject.stranger(contract, frame, sequence, door=True)
            if stranger is not None:
                told.add((contract, slot))
                yield self.finding(
                    f"{contract} was made to name {planted} as its source by {stranger}, whom it did not know; "
                    f"it was asked, and {worst.holder} lost.",
                    victim=worst.holder,
                    attacker=subject.roles.origin,
                    instrument=planted,
                    frames=(frame, *worst.frames),
                    evidence={"slot": f"{slot:#x}", "asset": str(worst.asset.token), "amount": str(worst.amount)},
                )

    def _asked(self, subject: Inspection) -> dict[Address, int]:
        """Members of the ordering side whom outsiders asked -> when they did so for the last time."""
        frames, cluster = subject.simulation.trace.frames, subject.roles.cluster
        found: dict[Address, int] = {}
        for frame in subject.simulation.trace.select(kinds=_QUERIES, to=cluster):
            asker = frames[frame.parent].context if frame.parent >= 0 else None
            if frame.to is not None and asker is not None and asker not in cluster and any(frame.output):
                found[frame.to] = frame.entered
        return found

    def _planted(
        self, subject: Inspection, asked: dict[Address, int]
    ) -> Iterator[tuple[Address, int, Address, int, int]]:
        """(contract, slot, newcomer, frame, sequence) of each slot where one of `asked` took another's place."""
        trace, cluster = subject.simulation.trace, subject.roles.cluster
        slots = [use for use in trace.written if use.address not in cluster and use.before >> 80][:SLOTS_EXAMINED]
        places = {(use.address, use.slot) for use in slots}
        for access in trace.accesses_of(frozenset(use.address for use in slots), changing=True) if slots else ():
            if (access.address, access.slot) not in places or access.value == access.previous:
                continue
            old = Address((access.previous & _ADDRESS).to_bytes(20, "big"))
            new = Address((access.value & _ADDRESS).to_bytes(20, "big"))
            if new in asked and any(old[:10]) and old not in cluster and access.sequence < asked[new]:
                yield access.address, access.slot, new, access.frame, access.sequence

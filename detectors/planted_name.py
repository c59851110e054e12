"""A contract pays, or believes, an account that a stranger had made it name a while ago."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from gateway.plugin import (
    Confidence,
    Detector,
    Family,
    Finding,
    Hearsay,
    Inspection,
    Loss,
    Need,
    Severity,
    describe_loss,
)

GRAVE_SHARE = 0.02
"""part of the holder's stock from which on a loss is no ordinary payment"""
RECEIVED = 0.5
"""part of the loss that the named account must have got"""


class PlantedName(Detector):
    """What a stranger wrote into a contract yesterday decides who is paid today.

    A setter, an initialiser or a list without a guard lets anybody put a name where a contract keeps its router, its
    strategy, its feed or its plug-in. The strike need not come from the same hands: a keeper who means no harm makes
    the contract pay that account, or a second account takes what the planted feed allows. Memory keeps, for a day,
    which names in which slots replaced others at the wish of somebody whom the contract did not know and who gave
    nothing. Here such a contract paid the one that it was made to name, or asked it, and somebody lost.
    """

    id = "planted-name"
    family = Family.ACCESS
    severity = Severity.HIGH
    confidence = Confidence.MEDIUM
    needs = frozenset({Need.OUTSIDER_LOSS})
    references: ClassVar[tuple[str, ...]] = (
        "https://cwe.mitre.org/data/definitions/306.html",
        "https://owasp.org/www-project-smart-contract-top-10/",
    )
    false_positives: ClassVar[tuple[str, ...]] = (
        "A leader who is named by whoever counts the votes, and is paid by the contract that names him.",
        "A user of the same contract who is paid what is his while the wrong name stands in it.",
    )
    needs_accesses = True

    def inspect(self, subject: Inspection) -> Iterator[Finding]:
        """One finding per name and holder."""
        if not subject.doubting:
            return
        for word in subject.relied.words:
            if word.named is None or not word.replaced:
                continue
            for loss in subject.losses:
                grave = loss.share is None or loss.share >= GRAVE_SHARE
                if not grave or loss.compensated or loss.signed or not self._led(subject, word, loss):
                    continue
                yield self.finding(
                    f"A stranger made {word.contract} name {word.named} lately; now it was believed, "
                    f"and {loss.holder} lost {describe_loss(loss)}.",
                    victim=loss.holder,
                    instrument=word.named,
                    frames=loss.frames,
                    evidence={"slot": f"{word.slot:#x}", "asset": str(loss.asset.token), "amount": str(loss.amount)},
                )
                break

    def _led(self, subject: Inspection, word: Hearsay, loss: Loss) -> bool:
        """True if the contract led to the loss, and the one it was made to name was paid by it, or asked before."""
        trace, named = subject.simulation.trace, word.named
        if named is None or not any(word.contract in dict(trace.path(at)) for at in loss.frames):
            return False
        got = subject.ledger.net.get(named, {}).get(loss.asset, 0)
        if got >= RECEIVED * loss.amount:
            return True
        last = max(trace.frames[at].left for at in loss.frames)
        return any(
            any(frame.output) and frame.entered < last and word.contract in dict(trace.path(frame.index))
            for frame in trace.select(to=frozenset({named}))
        )

"""A contract was entered again while it was at work, and its books changed in between."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from gateway.plugin import Confidence, Detector, Family, Finding, Inspection, Reentry, Severity

GRAVE_SHARE = 0.2


class ReentrantCall(Detector):
    """A contract was called back before it was done, and the inner call changed what the outer one relied on.

    The contract sends coin, or a token that calls its receiver, before its own books are right. The receiver calls
    it again and is served on the old books. What shows it: a storage slot that the outer call had used, the inner
    call changed, and an ordering side that gained for nothing; or a slot that the outer call then overwrote with
    what it had computed before, while the contract lost a good part of its stock.
    """

    id = "reentrant-call"
    family = Family.REENTRANCY
    severity = Severity.HIGH
    confidence = Confidence.HIGH
    references: ClassVar[tuple[str, ...]] = (
        "https://arxiv.org/abs/1812.05934",
        "https://swcregistry.io/docs/SWC-107",
    )
    false_positives: ClassVar[tuple[str, ...]] = (
        "Pools that call back to be paid; their books are locked meanwhile, so no slot is shared.",
    )
    needs_accesses = True

    def inspect(self, subject: Inspection) -> Iterator[Finding]:
        """One finding per contract that was entered again."""
        reported = set()
        for reentry in subject.reentries:
            if reentry.contract in reported or not self._is_grave(subject, reentry):
                continue
            reported.add(reentry.contract)
            yield self.finding(
                f"{reentry.contract} was entered again in frame {reentry.inner} while frame {reentry.outer} was open; "
                f"{len(reentry.slots)} storage slot(s) that it was working on changed.",
                victim=reentry.contract,
                attacker=subject.roles.origin,
                frames=(reentry.outer, reentry.inner),
                evidence={"slots": ", ".join(hex(slot) for slot in reentry.slots[:8])},
            )

    def _is_grave(self, subject: Inspection, reentry: Reentry) -> bool:
        if subject.gained_for_little:
            return True
        lost = (loss.share or 0.0 for loss in subject.losses if loss.holder == reentry.contract)
        return reentry.overwritten and max(lost, default=0.0) >= GRAVE_SHARE

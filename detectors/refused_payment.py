"""Payments to many are undone because the one who ordered the transaction refuses its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import ClassVar

from gateway.plugin import Address, Confidence, Detector, Family, Finding, Inspection, Need, Severity

OTHERS = 3
"""so many outsiders were about to be paid"""


class RefusedPayment(Detector):
    """A contract could not pay its people because one receiver refused.

    Auctions, lotteries and refunds that pay everybody in one loop stop for ever if a single receiver throws. Who
    enters such a list with a contract that refuses coin holds everybody's money. Here a contract had paid several
    outsiders, came to a contract of the ordering side, was refused, and took all the payments back.
    """

    id = "refused-payment"
    family = Family.RESOURCE
    severity = Severity.HIGH
    confidence = Confidence.MEDIUM
    references: ClassVar[tuple[str, ...]] = (
        "https://swcregistry.io/docs/SWC-113",
        "https://cwe.mitre.org/data/definitions/703.html",
    )
    false_positives: ClassVar[tuple[str, ...]] = (
        "A wallet without a payable fallback whose owner calls the payout that would pay it.",
    )
    needs = frozenset({Need.CALLS, Need.FAILURE})

    def inspect(self, subject: Inspection) -> Iterator[Finding]:
        """One finding per contract that could not pay."""
        trace, cluster = subject.simulation.trace, subject.roles.cluster
        own = {subject.roles.origin, *subject.memory.created, *subject.simulation.created}
        if not any(link.to in cluster and link.from_ not in own and link.to != link.from_ for link in trace.links):
            return
        calls = trace.select(to=cluster)
        if not any(frame.error is not None and frame.value and frame.code_hash is not None for frame in calls):
            return
        frames = trace.frames
        paid: dict[int, set[Address]] = defaultdict(set)
        told: set[Address] = set()
        for frame in frames:
            if not frame.value or frame.parent < 0 or frame.to is None or not frames[frame.parent].reverted:
                continue
            payer = frame.from_  # may be counted to the cluster, for whoever stands behind a door is
            if payer in own or payer in told or payer == frame.to:
                continue
            if frame.to not in cluster:
                if frame.error is None:
                    paid[frame.parent].add(frame.to)
            elif frame.error is not None and frame.code_hash is not None and len(paid[frame.parent]) >= OTHERS:
                told.add(payer)
                yield self.finding(
                    f"{payer} had paid {len(paid[frame.parent])} receivers when {frame.to} refused its share; "
                    "all the payments were undone.",
                    victim=payer,
                    attacker=subject.roles.origin,
                    instrument=frame.to,
                    frames=(frame.parent, frame.index),
                    evidence={"receivers": str(len(paid[frame.parent])), "refused": str(frame.value)},
                )

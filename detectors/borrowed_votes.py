"""A proposal is made, voted for and carried out in one breath, by votes that arrived in the same breath."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from gateway.plugin import (
    Address,
    CallFrame,
    Confidence,
    Detector,
    Family,
    Finding,
    FrameKind,
    Inspection,
    Need,
    Severity,
)

_QUERIES = frozenset({FrameKind.STATICCALL})
ORDER = 36
"""bytes of a call that identify it: selector and one word; shorter ones occur by chance"""
ORDERS_KEPT = 64
"""calls into one contract whose data is searched for a later order"""


class BorrowedVotes(Detector):
    """A stranger's proposal was carried out in the transaction that proposed it.

    A governor lets holders of a token decide what it does with its money. Here a caller whom it did not know handed
    it an order in one call and had it carried out by a later one, both inside this transaction, and in between the
    governor asked how many votes the caller holds: votes that came in the same transaction and can be given back at
    its end. No holder had a block's time to answer. Where the votes were not seen to arrive, the finding is weaker.
    """

    id = "borrowed-votes"
    family = Family.GOVERNANCE
    severity = Severity.HIGH
    confidence = Confidence.HIGH
    needs = frozenset({Need.CALLS})
    references: ClassVar[tuple[str, ...]] = (
        "https://docs.openzeppelin.com/contracts/5.x/governance",
        "https://bean.money/blog/beanstalk-governance-exploit",
    )
    false_positives: ClassVar[tuple[str, ...]] = (
        "A wallet of one owner that is told and made to act by a helper contract it does not know.",
        "An order book that takes and fills an order through two calls of one router.",
    )

    def inspect(self, subject: Inspection) -> Iterator[Finding]:
        """One finding per contract that obeyed."""
        told: set[Address] = set()
        for order, execution in self._obeyed(subject):
            governor = execution.from_
            if governor in told or subject.stranger(governor, execution.index, order.entered) is None:
                continue
            told.add(governor)
            asked = self._counted(subject, governor, order.left, execution.entered)
            if asked is None:
                continue
            fresh = any(
                move.token == asked and move.to in subject.roles.cluster and move.sequence < execution.entered
                for move in subject.facts.transfers
            )
            yield self.finding(
                f"{governor} was given an order, counted votes in {asked} and carried the order out on "
                f"{execution.to}, all in this transaction" + (", by votes that arrived in it." if fresh else "."),
                victim=governor,
                attacker=subject.roles.origin,
                instrument=asked,
                frames=(order.index, execution.index),
                evidence={"selector": execution.input[:4].hex(), "target": str(execution.to)},
                severity=Severity.HIGH if fresh else Severity.MEDIUM,
            )

    def _obeyed(self, subject: Inspection) -> Iterator[tuple[CallFrame, CallFrame]]:
        """(call that brought an order, later call that carries it out) of contracts outside the ordering side."""
        cluster = subject.roles.cluster
        trace = subject.simulation.trace
        counting = trace.askers(cluster) - cluster  # no other can have counted that side's votes
        for order, execution in trace.orders(cluster, counting, ORDER, ORDERS_KEPT) if counting else ():
            yield trace.frames[order], trace.frames[execution]

    def _counted(self, subject: Inspection, governor: Address, after: int, before: int) -> Address | None:
        """The token that the governor asked about a member of the ordering side between two moments."""
        asked_here = subject.simulation.trace.select(kinds=_QUERIES, from_={governor})
        for frame in asked_here:
            if frame.entered >= before:
                return None
            if frame.entered > after:
                asked = Address(frame.input[16:36]) if len(frame.input) >= 36 else None
                if asked in subject.roles.cluster and any(frame.output):
                    return frame.to
        return None

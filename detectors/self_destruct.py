"""A live contract disappears by the hand of somebody it did not know."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from gateway.plugin import CallFrame, Confidence, Detector, Family, Finding, FrameKind, Inspection, Need, Severity

DISPOSABLE = 128
"""bytes of code up to which a contract holds nothing but its own end: gas tokens made millions of them"""


class SelfDestruct(Detector):
    """A contract that others rely on destroyed itself.

    Code that can be made to run SELFDESTRUCT by anybody takes its coins, and before EIP-6780 its code and storage,
    with it: wallets and proxies that pointed at it are dead, their funds frozen. Contracts that this transaction made
    itself, and contracts that knew who asked, may go.
    """

    id = "self-destruct"
    family = Family.TAKEOVER
    severity = Severity.HIGH
    confidence = Confidence.MEDIUM
    needs = frozenset({Need.CALLS})
    references: ClassVar[tuple[str, ...]] = (
        "https://www.parity.io/blog/security-alert-2/",
        "https://eips.ethereum.org/EIPS/eip-6780",
    )
    false_positives: ClassVar[tuple[str, ...]] = (
        "A disposable deposit contract that anybody may flush to its fixed owner.",
        "A bot that recreates itself at one address.",
    )
    needs_accesses = True

    def inspect(self, subject: Inspection) -> Iterator[Finding]:
        """One finding per destroyed contract that did not know who asked."""
        simulation = subject.simulation
        created = frozenset(simulation.created)
        for frame in simulation.trace.select(kinds=frozenset({FrameKind.SELFDESTRUCT})):
            if frame.reverted:
                continue
            gone = frame.from_
            if gone in created or gone in subject.roles.cluster or self._is_disposable(subject, frame):
                continue
            asker = subject.stranger(gone, frame.index, frame.entered)
            if asker is None:
                continue
            fixed = frame.to is not None and frame.to not in subject.roles.cluster
            yield self.finding(
                f"{gone} destroyed itself at the wish of {asker}, unknown to it, and left its coins to {frame.to}.",
                victim=gone,
                attacker=subject.roles.origin,
                frames=(frame.index,),
                evidence={"beneficiary": str(frame.to), "amount": str(frame.value)},
                severity=Severity.MEDIUM if fixed and subject.consent.knows(gone, frame.to or gone) else self.severity,
            )

    def _is_disposable(self, subject: Inspection, frame: CallFrame) -> bool:
        codes = subject.simulation.trace.codes or {}
        ran = subject.simulation.trace.frames[frame.parent].code_hash if frame.parent >= 0 else None
        return not frame.value and ran is not None and ran in codes and len(codes[ran]) <= DISPOSABLE

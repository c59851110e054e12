"""Accounts that delegated to code (EIP-7702) are emptied without a word of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from gateway.plugin import (
    NATIVE,
    Address,
    Confidence,
    Detector,
    Family,
    Finding,
    FrameKind,
    Inspection,
    Need,
    Severity,
    describe_loss,
)

NEARLY_ALL = 0.9
"""part of an account's stock whose loss empties it"""
COIN_FLOOR = 10**15
_P256 = Address((0x100).to_bytes(20, "big"))
"""the precompile that checks signatures of passkeys (RIP-7212)"""


class DelegationSweep(Detector):
    """An account that delegated to code was emptied by somebody else.

    With EIP-7702 an account signs that it will run certain code. Tricked into signing for a thief's code, or for
    code that obeys anybody, it can be emptied by whoever calls it. Here somebody else called such an account, no
    signature of the owner was checked on the way, and nearly all of an asset went to the ordering side.
    """

    id = "delegation-sweep"
    family = Family.DELEGATION
    severity = Severity.HIGH
    confidence = Confidence.HIGH
    needs = frozenset({Need.OUTSIDER_LOSS})
    references: ClassVar[tuple[str, ...]] = ("https://eips.ethereum.org/EIPS/eip-7702",)
    false_positives: ClassVar[tuple[str, ...]] = (
        "An owner who sends from one account what another of his own accounts delegated to him.",
    )

    def inspect(self, subject: Inspection) -> Iterator[Finding]:
        """One finding per emptied account, the first asset of each."""
        trace = subject.simulation.trace
        delegated = {
            link.to
            for link in trace.links
            if link.kind is FrameKind.CALL and link.code_address is not None and link.code_address != link.to
        }
        delegated |= {permission.authority for permission in subject.transaction.authorization_list}
        delegated -= {None, subject.roles.origin}
        if not delegated or any(any(frame.output) for frame in trace.select(to=frozenset({_P256}))):
            return
        told: set[Address] = set()
        for loss in subject.losses:
            if loss.holder not in delegated or loss.holder in told or loss.signed or loss.compensated:
                continue
            small = (loss.share or 0.0) < NEARLY_ALL or (loss.asset == NATIVE and loss.amount < COIN_FLOOR)
            if small or not loss.acted or not loss.to_cluster:
                continue
            told.add(loss.holder)
            yield self.finding(
                f"{loss.holder} delegated to code and lost {describe_loss(loss)} to {subject.roles.origin} "
                "without a signature for it.",
                victim=loss.holder,
                attacker=subject.roles.origin,
                frames=loss.frames,
                evidence={"asset": str(loss.asset.token), "amount": str(loss.amount)},
            )

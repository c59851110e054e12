"""Other code stands at an address than stood there before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from gateway.plugin import (
    Address,
    Confidence,
    Detector,
    Family,
    Finding,
    FrameKind,
    Inspection,
    Need,
    Severity,
    code_key,
)

_CREATIONS = frozenset({FrameKind.CREATE, FrameKind.CREATE2})


class MetamorphicCode(Detector):
    """A contract was replaced by other code at the same address.

    CREATE2 puts a contract at an address that need not depend on its code. Destroyed and created again it can become
    anything, while whoever reviewed, registered or approved the address still trusts what was there before. Here the
    sender created an address a second time with code that differs. It is grave if a contract of others that did not
    know the sender runs or calls the new code in the same transaction and loses by it.
    """

    id = "metamorphic-code"
    family = Family.CODE
    severity = Severity.MEDIUM
    confidence = Confidence.HIGH
    needs = frozenset({Need.PAST})
    references: ClassVar[tuple[str, ...]] = (
        "https://eips.ethereum.org/EIPS/eip-1014",
        "https://eips.ethereum.org/EIPS/eip-6780",
    )
    false_positives: ClassVar[tuple[str, ...]] = ("A trader's bot that renews itself at the address it always had.",)

    def inspect(self, subject: Inspection) -> Iterator[Finding]:
        """One finding per address that changed its code."""
        known: dict[Address, bytes] = dict(subject.memory.codes)
        for frame in subject.simulation.trace.select(kinds=_CREATIONS) if known else ():
            before = known.get(frame.to) if not frame.reverted and frame.to is not None else None
            if before is None or frame.to is None or code_key(frame.output) == before:
                continue
            users = self._users(subject, frame.to)
            robbed = [loss for loss in subject.losses if loss.holder in users and not loss.compensated]
            grave = bool(robbed) and subject.gain_covers(robbed[0])
            yield self.finding(
                f"{frame.to} was created again with other code"
                + (f" and {robbed[0].holder}, which used the address, lost by it." if grave else "."),
                victim=robbed[0].holder if grave else None,
                attacker=subject.roles.origin,
                instrument=frame.to,
                frames=(frame.index,),
                evidence={"code before": before.hex(), "code now": code_key(frame.output).hex()},
                severity=Severity.HIGH if grave else Severity.MEDIUM,
            )

    def _users(self, subject: Inspection, changed: Address) -> set[Address]:
        """Outsiders that call or run what stands at the address."""
        return {
            link.from_
            for link in subject.simulation.trace.links
            if changed in (link.to, link.code_address) and link.from_ not in subject.roles.cluster
        }

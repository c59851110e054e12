"""A contract asked for a payment in a token that does not exist, and took silence for an answer."""

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

_PULL = frozenset({bytes.fromhex("23b872dd")})
"""transferFrom(address,address,uint256)"""
RESERVED = 1 << 16
"""numbers below it are precompiled contracts, or will be; zero is none"""
FRAMES_EXAMINED = 16


class MissingToken(Detector):
    """A contract booked a payment in a token that has no code.

    A call to an account without code succeeds and says nothing. Whoever takes that for `true` believes that he was
    paid: a bridge announces a deposit that was never made, a market notes a pledge that is not there, and pays for it
    elsewhere or later. Here an older contract told an account without code to pay it, and wrote the payment down or
    announced it.
    """

    id = "missing-token"
    family = Family.COUNTERFEIT
    severity = Severity.HIGH
    confidence = Confidence.HIGH
    needs = frozenset({Need.CALLS})
    references: ClassVar[tuple[str, ...]] = (
        "https://cwe.mitre.org/data/definitions/252.html",
        "https://docs.soliditylang.org/en/latest/control-structures.html#external-function-calls",
    )
    false_positives: ClassVar[tuple[str, ...]] = (
        "A user who names the wrong address to a contract that keeps a list of what everybody says he paid.",
    )
    needs_accesses = True

    def inspect(self, subject: Inspection) -> Iterator[Finding]:
        """One finding per contract and missing token."""
        trace, told = subject.simulation.trace, set[tuple[Address, Address]]()
        for frame in trace.select(selectors=_PULL)[:FRAMES_EXAMINED]:
            asker = self._asker(subject, frame)
            if asker is None or frame.to is None or (asker, frame.to) in told:
                continue
            if self._went_on(subject, asker, frame):
                told.add((asker, frame.to))
                yield self.finding(
                    f"{asker} was to be paid in {frame.to}, where there is no contract, and went on as if it had been.",
                    victim=asker,
                    attacker=subject.roles.origin,
                    instrument=frame.to,
                    frames=(frame.index,),
                    evidence={"amount": str(int.from_bytes(frame.input[68:100], "big"))},
                )

    def _asker(self, subject: Inspection, frame: CallFrame) -> Address | None:
        """Who called an account without code for a payment to itself, of more than nothing; None if nobody did."""
        silent = frame.kind is FrameKind.CALL and frame.code_hash is None and not frame.reverted and not frame.output
        if not silent or frame.to is None or 0 < int.from_bytes(frame.to, "big") < RESERVED:
            return None
        asker = frame.from_
        own = asker in subject.roles.own or frame.to in subject.simulation.created
        paid = frame.input[48:68] == asker and any(frame.input[68:100])
        return asker if paid and not own else None

    def _went_on(self, subject: Inspection, asker: Address, frame: CallFrame) -> bool:
        """True if `asker` wrote something down or announced something after it had asked."""
        trace = subject.simulation.trace
        wrote = any(use.address == asker and use.sequence > frame.left for use in trace.written)
        return wrote or any(
            log.address == asker and log.sequence > frame.left and not log.reverted for log in trace.logs
        )

"""A bridge pays out what nobody proved, or nearly everything at once."""

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
    Inspection,
    Loss,
    Need,
    Severity,
    describe_loss,
)

NEARLY_ALL = 0.9
"""part of the stock that no ordinary withdrawal takes"""
GRAVE_SHARE = 0.02
SIGNERS = 2
"""signers from which on a contract is kept by a committee"""
COIN_FLOOR = 10**17
_ZERO = bytes(32)
_ECRECOVER = Address(b"\0" * 19 + b"\x01")


class BridgeOutflow(Detector):
    """A bridge paid out against a message that proves nothing.

    Bridges hold what was locked and release it for messages of the other chain. Two signs. The contract looked up
    the zero word in one of its tables, found it accepted, and paid a stranger: "never proved" was read as "proved
    against an accepted root". Or a committee's signatures release nearly the whole stock at once, to the one who
    brings them and who is none of the contract's own: what stolen keys do, and what a careful bridge would delay.
    """

    id = "bridge-outflow"
    family = Family.BRIDGE
    severity = Severity.HIGH
    confidence = Confidence.MEDIUM
    needs = frozenset({Need.OUTSIDER_LOSS})
    references: ClassVar[tuple[str, ...]] = (
        "https://medium.com/nomad-xyz-blog/nomad-bridge-hack-root-cause-analysis-875ad2e5aacd",
        "https://github.com/SunWeb3Sec/DeFiHackLabs",
    )
    false_positives: ClassVar[tuple[str, ...]] = (
        "The last depositor who takes everything out of a bridge that is being closed.",
        "A committee's treasury that pays its whole stock to the one who carries the payment out.",
    )
    needs_accesses = True

    def inspect(self, subject: Inspection) -> Iterator[Finding]:
        """One finding per holder and asset."""
        for loss in subject.losses:
            plain = loss.acted and not loss.compensated and loss.asset.item is None and subject.gain_covers(loss)
            if not plain or (loss.asset == NATIVE and loss.amount < COIN_FLOOR):
                continue
            share = loss.share or 0.0
            if (
                share >= NEARLY_ALL
                and self._to_bearer(subject, loss)
                and loss.signed
                and self._committee(subject, loss)
            ):
                how = "on the signatures of a committee, to the one who brought them"
            elif share >= GRAVE_SHARE and self._zero_accepted(subject, loss) and not (loss.signed or loss.agreed):
                how = "after it had looked up the zero word and found it accepted"
            else:
                continue
            yield self.finding(
                f"{loss.holder} paid out {describe_loss(loss)} {how}.",
                victim=loss.holder,
                attacker=subject.roles.origin,
                frames=loss.frames,
                evidence={"asset": str(loss.asset.token), "amount": str(loss.amount)},
            )

    def _to_bearer(self, subject: Inspection, loss: Loss) -> bool:
        """True if it went to the origin or a contract of the ordering side, not to a third account that it was told."""
        side = subject.roles.own | (subject.roles.cluster & subject.simulation.trace.active)
        return any(move.to in side for move in subject.ledger.outflows[loss.holder, loss.asset])

    def _committee(self, subject: Inspection, loss: Loss) -> bool:
        """True if the holder checked signatures of several others over one digest and does not know the origin."""
        signers: dict[bytes, set[bytes]] = {}
        for frame in subject.simulation.trace.select(from_={loss.holder}, to={_ECRECOVER}):
            if any(frame.output):
                signers.setdefault(frame.input[:32], set()).add(frame.output[12:32])
        origin = subject.roles.origin
        if any(origin in found for found in signers.values()):
            return False
        known = origin in subject.consent.stored.get(loss.holder, ()) or origin in subject.consent.entries.get(
            loss.holder, ()
        )
        return not known and any(len(found) >= SIGNERS for found in signers.values())

    def _zero_accepted(self, subject: Inspection, loss: Loss) -> bool:
        preimages = subject.simulation.trace.preimages or {}
        zero = {slot for slot, preimage in preimages.items() if preimage[:32] == _ZERO and len(preimage) == 64}
        return bool(zero) and any(
            use.before and not use.written and use.slot in zero  # a bitmap of claims is written
            for use in subject.simulation.trace.slots_of({loss.holder})
        )

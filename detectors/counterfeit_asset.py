"""Real value is paid out against a token that the ordering side made."""

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
    Loss,
    Need,
    Severity,
    describe_loss,
)

GRAVE_SHARE = 0.05
"""part of the stock from which on a payout against a new token is grave"""
# what every token answers; an answer to these says nothing of its worth
_PLAIN = frozenset(
    bytes.fromhex(selector)
    for selector in (
        "70a08231",  # balanceOf
        "18160ddd",  # totalSupply
        "313ce567",  # decimals
        "06fdde03",  # name
        "95d89b41",  # symbol
        "dd62ed3e",  # allowance
        "a9059cbb",  # transfer
        "23b872dd",  # transferFrom
        "01ffc9a7",  # supportsInterface
        "8da5cb5b",  # owner
    )
)


class CounterfeitAsset(Detector):
    """Real value was paid out against a token made by the one who brought it.

    A lender, exchange or migrator took a token whose contract the same sender created moments before, asked that very
    contract for a fact that decides the payout (a price, a rate, an underlying, a balance elsewhere), and gave
    something real for it; or an allowance or a signed offer of somebody was met with nothing but that token. Whoever
    writes the contract writes the answer. Pools that trade a new token by their own reserves do not ask it anything,
    and stay out of this.
    """

    id = "counterfeit-asset"
    family = Family.COUNTERFEIT
    severity = Severity.HIGH
    confidence = Confidence.MEDIUM
    needs = frozenset({Need.OUTSIDER_LOSS, Need.CREATION})
    references: ClassVar[tuple[str, ...]] = (
        "https://cwe.mitre.org/data/definitions/345.html",
        "https://github.com/SunWeb3Sec/DeFiHackLabs",
    )
    false_positives: ClassVar[tuple[str, ...]] = (
        "A launch platform that buys back a coin by a curve which the coin itself computes.",
    )

    def inspect(self, subject: Inspection) -> Iterator[Finding]:
        """One finding per holder that paid."""
        made = frozenset((*subject.memory.created, *subject.simulation.created))
        if not made:
            return
        told: set[Address] = set()
        for loss in subject.losses:
            if loss.holder in told or loss.holder in made or loss.asset.token in made:
                continue
            received = {asset for asset, amount in subject.ledger.net[loss.holder].items() if amount > 0}
            fakes = {asset.token for asset in received} & made
            if not fakes or (loss.share or 0.0) < GRAVE_SHARE or not subject.gain_covers(loss):
                continue
            if not loss.acted:
                if {asset.token for asset in received} <= made:
                    told.add(loss.holder)
                    yield self._paid_in_fakes(subject, loss, min(fakes))
                continue
            answer = self._asked(subject, loss.holder, fakes)
            if answer is None:
                continue
            told.add(loss.holder)
            fake, frame = answer
            yield self.finding(
                f"{loss.holder} lost {describe_loss(loss)} against {fake}, which the sender created, "
                "on the word of that contract itself.",
                victim=loss.holder,
                attacker=subject.roles.origin,
                instrument=fake,
                frames=(frame, *loss.frames),
                evidence={"asked": subject.simulation.trace.frames[frame].input[:4].hex(), "token": str(fake)},
            )

    def _paid_in_fakes(self, subject: Inspection, loss: Loss, fake: Address) -> Finding:
        return self.finding(
            f"{loss.holder} lost {describe_loss(loss)} by what it had allowed or signed, and got nothing for it but "
            f"units of {fake}, which the sender created.",
            victim=loss.holder,
            attacker=subject.roles.origin,
            instrument=fake,
            frames=loss.frames,
            evidence={"token": str(fake)},
        )

    def _asked(self, subject: Inspection, holder: Address, fakes: set[Address]) -> tuple[Address, int] | None:
        asking = frozenset({FrameKind.STATICCALL, FrameKind.CALL})
        for frame in subject.simulation.trace.select(kinds=asking, from_={holder}, to=fakes):
            if frame.to is not None and frame.input[:4] not in _PLAIN and len(frame.output) >= 32:
                return frame.to, frame.index
        return None

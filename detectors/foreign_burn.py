"""Somebody else's tokens or items are destroyed at a stranger's wish."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from gateway.plugin import (
    BURN_ADDRESSES,
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

GRAVE_SHARE = 0.02
"""part of the holder's stock from which on a burn is no tax on a transfer"""
TOLL_SHARE = 0.1
"""part of the stock of a pool that it names which a token may burn by itself when somebody gives its units away"""


class ForeignBurn(Detector):
    """Tokens were destroyed whose holder had not asked for it.

    A burn function that trusts an argument, or checks the wrong one of two, lets anybody destroy what others hold.
    Nobody need gain by it: the victim's items are gone, a pool is thrown out of balance, a rival's votes vanish. Here
    units or items of an outsider were burnt while none of its own code ran, no allowance, signature or office let the
    caller in, and the holder got nothing for them.
    """

    id = "foreign-burn"
    family = Family.MINT
    severity = Severity.HIGH
    confidence = Confidence.MEDIUM
    references: ClassVar[tuple[str, ...]] = (
        "https://cwe.mitre.org/data/definitions/862.html",
        "https://slowmist.medium.com/the-vulnerability-behind-the-sandbox-land-migration-2abf68933170",
    )
    false_positives: ClassVar[tuple[str, ...]] = (
        "A token that takes back what was given on terms, when anybody shows that the terms are broken.",
        "Shares of a closed fund that a keeper redeems for their holders, who are paid elsewhere.",
    )
    needs_accesses = True
    needs = frozenset({Need.OUTSIDER_LOSS})

    def inspect(self, subject: Inspection) -> Iterator[Finding]:
        """One finding per holder and asset."""
        for loss in subject.losses:
            if loss.acted or loss.compensated or not self._is_grave(loss) or loss.agreed or loss.signed:
                continue
            moves = subject.ledger.outflows[loss.holder, loss.asset]
            burnt = sum(move.amount for move in moves if move.to in BURN_ADDRESSES)
            if (
                2 * burnt <= sum(move.amount for move in moves)
                or subject.paid_by_house(loss)
                or subject.is_fair_visit(loss)
                or subject.is_seized_for_debt(loss)
                or self._is_toll(subject, loss)
            ):
                continue
            yield self.finding(
                f"{loss.holder} lost {describe_loss(loss)}: it was burnt by order of {subject.roles.origin}, "
                "to whom nothing shows that the holder or the token had agreed.",
                victim=loss.holder,
                attacker=subject.roles.origin,
                frames=loss.frames,
                evidence={"asset": str(loss.asset.token), "amount": str(burnt)},
            )

    def _is_toll(self, subject: Inspection, loss: Loss) -> bool:
        """True if a token burnt a small part of a stock by itself while it moved what the ordering side gave away."""
        token = loss.asset.token
        return (
            all(subject.simulation.trace.asker(at, token) in subject.roles.cluster for at in loss.frames)
            and not subject.roles.gained
            and loss.asset in subject.roles.gave
            and (loss.share or 1.0) < TOLL_SHARE
            and subject.consent.knows(token, loss.holder)
        )

    def _is_grave(self, loss: Loss) -> bool:
        return loss.asset.item is not None or (loss.share or 0.0) >= GRAVE_SHARE

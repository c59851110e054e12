"""An allowance of somebody else is spent for the one who ordered it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import ClassVar

from gateway.plugin import Asset, Confidence, Detector, Family, Finding, Inspection, Need, Severity, describe_loss

GRAVE_SHARE = 0.25
"""part of the holder's stock from which on it does not matter what the ordering side paid to others"""


class AllowanceDrain(Detector):
    """Somebody else's allowance was spent, and the one who ordered it keeps the proceeds.

    Users approve routers, bridges and wallets without limit. When such a contract can be talked into calling
    `transferFrom` with arguments of the caller's choice, everyone who ever approved it can be robbed. Here tokens
    left a holder whose own code did not run and who did not sign, by the hand of a contract that did not know its
    caller; the holder got nothing, the ordering side got the tokens or their worth.
    """

    id = "allowance-drain"
    family = Family.DEPUTY
    severity = Severity.HIGH
    confidence = Confidence.HIGH
    needs = frozenset({Need.OUTSIDER_LOSS})
    references: ClassVar[tuple[str, ...]] = (
        "https://cwe.mitre.org/data/definitions/441.html",
        "https://github.com/SunWeb3Sec/DeFiHackLabs",
    )
    false_positives: ClassVar[tuple[str, ...]] = (
        "A settlement whose maker was paid outside this transaction.",
        "A subscription that its merchant pulls through a contract that keeps no list of merchants.",
    )
    needs_accesses = True

    def inspect(self, subject: Inspection) -> Iterator[Finding]:
        """One finding per robbed holder and asset."""
        silent = [
            loss
            for loss in subject.losses
            if not (loss.acted or loss.compensated) and (loss.share is not None or loss.asset.item is not None)
        ]
        if not silent:
            return
        inflow = self._inflow(subject)
        for loss in silent:
            taken = loss.to_cluster or subject.gain_covers(loss) or 2 * inflow[loss.asset] >= loss.amount
            plain = subject.gained_for_little and (loss.to_cluster or subject.gain_covers(loss))
            # whatever the ordering side paid to others, this holder had none of it
            grave = taken and (loss.share or 0.0) >= GRAVE_SHARE and not subject.has_standing_order(loss.holder)
            if not (plain or grave) or not subject.unexplained(loss):
                continue
            if subject.is_fair_visit(loss) or subject.pays_off_debt(loss):
                continue
            yield self.finding(
                f"{loss.holder} lost {describe_loss(loss)} through an allowance and got nothing for it; "
                "the contract that spent it did not know its caller.",
                victim=loss.holder,
                attacker=subject.roles.origin,
                frames=loss.frames,
                evidence={"asset": str(loss.asset.token), "amount": str(loss.amount)},
            )

    def _inflow(self, subject: Inspection) -> Counter[Asset]:
        """What came to the ordering side from outside, whether it stayed there or not."""
        came: Counter[Asset] = Counter()
        for move, inward in subject.facts.crossings(subject.roles.cluster):
            if inward:
                came[Asset(move.token, move.token_id)] += move.amount
        return came

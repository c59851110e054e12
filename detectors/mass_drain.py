"""Many people's wallets are emptied through allowances at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import ClassVar

from gateway.plugin import Address, Asset, Confidence, Detector, Family, Finding, Inspection, Loss, Need, Severity

VICTIMS = 3
"""emptied holders from which on it is a pattern"""
NEARLY_ALL = 0.99
EXACT = 0.002
"""how far the split may differ between victims"""
UNLIMITED = 1 << 255
"""units of an allowance that is for everything; a permit of that size is what a fake page asks for"""


class MassDrain(Detector):
    """Many wallets were emptied through allowances in one transaction.

    A fake claim page collects allowances; later one transaction takes everything that those people own. The holders
    did not act, signed nothing but allowances without limit, got nothing, and each lost all of the token. Drainers are
    rented out, so every haul is split by the same ratio between operator and affiliate: with that split the finding is
    grave. Without it the same shape may be an exchange that gathers from deposit addresses, and the finding stays a
    hint.
    """

    id = "mass-drain"
    family = Family.DRAINER
    severity = Severity.MEDIUM
    confidence = Confidence.MEDIUM
    needs = frozenset({Need.OUTSIDER_LOSS})
    references: ClassVar[tuple[str, ...]] = ("https://www.chainalysis.com/blog/crypto-drainers/",)
    false_positives: ClassVar[tuple[str, ...]] = (
        "An exchange that gathers from deposit addresses through allowances and pays a partner by ratio.",
    )
    needs_accesses = True

    def inspect(self, subject: Inspection) -> Iterator[Finding]:
        """One finding per token that was taken from several holders."""
        emptied: dict[Asset, list[Address]] = defaultdict(list)
        active: set[Address | None] | None = None
        for loss in subject.losses:
            if loss.acted or loss.compensated or loss.asset.item is not None or (loss.share or 0.0) < NEARLY_ALL:
                continue
            if active is None:
                active = {link.context for link in subject.simulation.trace.links if link.code_hash is not None}
            if loss.holder not in active and (not loss.signed or self._signed_away(subject, loss)):
                emptied[loss.asset].append(loss.holder)
        for asset, holders in emptied.items():
            if len(holders) < VICTIMS:
                continue
            split = self._split(subject, asset, holders)
            yield self.finding(
                f"{len(holders)} holders lost all their {asset.token} through allowances and got nothing"
                + (f"; every haul was split {split:.0%} to {1 - split:.0%}." if split is not None else "."),
                victim=holders[0],
                attacker=subject.roles.origin,
                instrument=subject.transaction.to,
                evidence={"holders": str(len(holders)), "token": str(asset.token)},
                severity=Severity.HIGH if split is not None else Severity.MEDIUM,
            )

    def _signed_away(self, subject: Inspection, loss: Loss) -> bool:
        """True if the signature that was shown allows all that the holder will ever have, to whoever shows it."""
        return any(
            given.owner == loss.holder and given.token == loss.asset.token and (given.amount or 0) >= UNLIMITED
            for given in subject.facts.approvals
        )

    def _split(self, subject: Inspection, asset: Asset, holders: list[Address]) -> float | None:
        """The part that goes to the first of two receivers, if it is the same two and the same part for everyone."""
        parts: set[tuple[Address, ...]] = set()
        ratios: list[float] = []
        for holder in holders:
            taken: dict[Address, int] = defaultdict(int)
            for move in subject.ledger.outflows.get((holder, asset), ()):
                taken[move.to] += move.amount
            if len(taken) != 2:
                return None
            receivers = tuple(sorted(taken))
            parts.add(receivers)
            ratios.append(taken[receivers[0]] / sum(taken.values()))
        same = len(parts) == 1 and max(ratios) - min(ratios) <= EXACT
        return ratios[0] if same else None

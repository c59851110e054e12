"""A liquidity pair holds less than its own formula allows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from gateway.plugin import Confidence, Detector, Family, Finding, Inspection, Need, Severity

GRAVE_KEPT = 0.97
GIFT_KEPT = 0.995
"""the same where the ordering side gained and gave nothing; honest pairs that we measured keep 0.999 and more"""


class BrokenPair(Detector):
    """A constant-product pair is worth less per liquidity token than before.

    Whatever swaps, deposits and withdrawals happen, a share of a pair never loses worth: fees only add to it. It
    does lose when tokens leave the pair outside a swap: a token that burns from the pair, a transfer that anyone
    may order, a wrong check of the product, fee logic that pays out of the reserves. The ordering side usually
    calls `sync` and then buys the other side of the pair for nothing.
    """

    id = "broken-pair"
    family = Family.PRICE
    severity = Severity.HIGH
    confidence = Confidence.HIGH
    needs = frozenset({Need.RESERVES})
    references: ClassVar[tuple[str, ...]] = (
        "https://docs.uniswap.org/contracts/v2/concepts/protocol-overview/how-uniswap-works",
        "https://github.com/SunWeb3Sec/DeFiHackLabs",
    )
    false_positives: ClassVar[tuple[str, ...]] = (
        "A rebase that shrinks balances, ordered together with a trade.",
        "A token that burns from its pair on a schedule, triggered by a trader.",
    )

    def inspect(self, subject: Inspection) -> Iterator[Finding]:
        """One finding per pair that lost worth while the ordering side gained."""
        if not subject.facts.reserves or not subject.roles.gained:
            return
        limit = GIFT_KEPT if subject.gained_for_little else GRAVE_KEPT
        for pair in subject.market.pairs.values():
            kept = pair.worth_kept
            if kept is None or kept >= limit:
                continue
            yield self.finding(
                f"A share of pair {pair.address} is worth {1 - kept:.1%} less than before, which no swap can do.",
                victim=pair.address,
                attacker=subject.roles.origin,
                evidence={
                    "before": f"{pair.before[0]} {pair.tokens[0].token} and {pair.before[1]} {pair.tokens[1].token}",
                    "after": f"{pair.after[0]} {pair.tokens[0].token} and {pair.after[1]} {pair.tokens[1].token}",
                },
                confidence=Confidence.HIGH if subject.gained_for_little else Confidence.MEDIUM,
            )

"""One transaction trades a pool both ways and ends richer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from gateway.plugin import Confidence, Detector, Family, Finding, Inspection, Need, Severity

PAID = 0.95
"""part of what it gained that a trader paid at least, at the prices before; who paid less lived on somebody else"""


class RoundTrip(Detector):
    """A pool was traded both ways in one transaction, and the one who ordered it ended richer.

    Buying and selling in the same pool at once can only lose the fees, unless somebody else was made to trade, to
    lend, to pay out or to value something in between, at the price that the first trade made. That somebody is the
    victim: a lender that reads the pool, a token that sells its savings, a vault that compounds, a reward formula.
    An honest arbitrage trades each pool one way.
    """

    id = "round-trip"
    family = Family.PRICE
    severity = Severity.HIGH
    confidence = Confidence.HIGH
    needs = frozenset({Need.CODE})
    references: ClassVar[tuple[str, ...]] = (
        "https://arxiv.org/abs/2502.11521",
        "https://github.com/SunWeb3Sec/DeFiHackLabs",
    )
    false_positives: ClassVar[tuple[str, ...]] = (
        "A keeper whose vault sells and buys back in one pool, and who is paid for it.",
    )

    def inspect(self, subject: Inspection) -> Iterator[Finding]:
        """One finding for all pools together."""
        pools, paid = subject.trades.round_trips, subject.consideration
        if not pools or not subject.roles.gained or (paid is not None and paid >= PAID):
            return
        what = "gave nothing" if subject.gained_for_little else "gave less, or what has no price"
        yield self.finding(
            f"{len(pools)} pool(s), first {pools[0]}, were traded both ways, "
            f"and the ordering side ended with more and {what}.",
            attacker=subject.roles.origin,
            instrument=pools[0],
            evidence={f"pool {number}": str(pool) for number, pool in enumerate(pools[:8], 1)},
            confidence=Confidence.HIGH if subject.gained_for_little else Confidence.MEDIUM,
        )

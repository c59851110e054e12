"""Somebody else's allowance is spent on a sale at an absurd price."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from gateway.plugin import (
    Address,
    Confidence,
    Detector,
    Family,
    Finding,
    Inspection,
    Need,
    Severity,
    describe_loss,
)

GRAVE_SHARE = 0.02
"""part of the holder's stock from which on a bad sale is grave"""
SHORT = 0.5
"""part of the value that must be missing; a keeper's limit order in a thin pool loses far less"""
SHORT_FOR_GAIN = 0.3
"""the same where the one who ordered it ended with more and gave nothing for it"""
SAVINGS = 0.2
"""part of a contract's stock that a stranger may have it sell for next to nothing"""
FLOODED = 9
"""times what a pool held of a coin that it was sold: it paid less than a tenth of the price that it had"""


class ForcedSale(Detector):
    """An outsider's tokens were sold for it, for a fraction of their worth.

    Routers and zappers that take the holder's address as an argument let anybody trade with the allowances of
    others. The thief does not take the tokens: he lets the victim sell them into an empty pool and buys them from
    there, in this transaction or the next, or makes it lend, deposit or buy what is worthless. The victim even gets
    something, so nothing looks stolen; but its own code did not run, it signed nothing, the contract that spent the
    allowance knew neither the caller nor the holder, and at the prices before the transaction most of the value is
    gone, or what came for it has no price and the ordering side grew richer for nothing. A vault that sells its
    savings whenever anybody asks is robbed in the same way: by one who asks when the pool is empty, and another whose
    pool it is.
    """

    id = "forced-sale"
    family = Family.DEPUTY
    severity = Severity.HIGH
    confidence = Confidence.MEDIUM
    references: ClassVar[tuple[str, ...]] = (
        "https://cwe.mitre.org/data/definitions/441.html",
        "https://github.com/SunWeb3Sec/DeFiHackLabs",
    )
    false_positives: ClassVar[tuple[str, ...]] = (
        "A standing order without limit that a keeper fills in a pool which has run dry.",
    )
    needs_accesses = True
    needs = frozenset({Need.OUTSIDER_LOSS})

    def inspect(self, subject: Inspection) -> Iterator[Finding]:
        """One finding per holder and asset."""
        for loss in subject.losses:
            if loss.acted or not loss.compensated or loss.asset.item is not None:
                continue
            if (loss.share or 0.0) < GRAVE_SHARE or subject.has_standing_order(loss.holder):
                continue
            short = self._short(subject, loss.holder)
            if short is None and not subject.gained_for_little:
                continue
            if short is not None and short < (SHORT_FOR_GAIN if subject.gained_for_little else SHORT):
                continue
            if loss.agreed or loss.signed:
                continue
            priced = f"is {short:.0%} short at the prices before" if short is not None else ""
            what = priced or "got something without a known price for it"
            yield self.finding(
                f"{loss.holder} lost {describe_loss(loss)} through an allowance that {subject.roles.origin} had spent, "
                f"and {what}.",
                victim=loss.holder,
                attacker=subject.roles.origin,
                frames=loss.frames,
                evidence={
                    "asset": str(loss.asset.token),
                    "amount": str(loss.amount),
                    "short": "unknown" if short is None else f"{short:.4f}",
                },
            )

        yield from self._by_a_stranger(subject)

    def _by_a_stranger(self, subject: Inspection) -> Iterator[Finding]:
        """The called contract sells its savings for next to nothing, as anybody may have it do."""
        called = subject.transaction.to
        if called is None or called not in subject.roles.cluster or called in subject.roles.own:
            return
        lost = (asset for at, asset in subject.ledger.outflows if at == called)
        share = max((subject.ledger.share_lost(called, asset) or 0.0 for asset in lost), default=0.0)
        for pool, pair in subject.market.pairs.items() if share >= SAVINGS else ():
            for asset, stock in zip(pair.tokens, pair.before, strict=True):
                if subject.ledger.net.get(pool, {}).get(asset, 0) < FLOODED * stock:
                    continue
                sold = [move for move in subject.facts.transfers if move.to == pool and move.token == asset.token]
                asked = (subject.simulation.trace.asker(move.frame, move.token) for move in sold)
                if called not in {*asked, *(move.from_ for move in sold)}:
                    continue
                if subject.stranger(called, sold[0].frame, sold[0].sequence, door=True) is not None:
                    yield self.finding(
                        f"{called} sold {asset.token} out of {share:.1%} of its savings as {subject.roles.origin}, "
                        f"whom it does not know, asked; {pool}, which bought it, had next to nothing to give for it.",
                        victim=called,
                        attacker=subject.roles.origin,
                        instrument=pool,
                        frames=tuple(move.frame for move in sold),
                        evidence={"asset": str(asset.token), "pool had": str(stock)},
                    )

    def _short(self, subject: Inspection, holder: Address) -> float | None:
        """The missing part of what the holder gave, at the prices before; None if something has no price."""
        changes = subject.ledger.net[holder]
        balance, complete = subject.market.value(changes)
        given, _ = subject.market.value({asset: -amount for asset, amount in changes.items() if amount < 0})
        return -balance / given if complete and given > 0.0 else None

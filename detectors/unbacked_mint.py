"""Tokens come into being for somebody, and nothing came in for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from gateway.plugin import Address, Confidence, Detector, Family, Finding, Inspection, Loss, Need, Severity

GRAVE_SHARE = 0.02
"""part of the supply before; honest claims that we measured add at most 0.6 %"""
SMALL_SHARE = 0.002
"""the same where new units were sold at once, for a good part of what the buying pool held"""
SOLD_SHARE = 0.1
ABSURD_SHARE = 100.0
STRANGE_SHARE = 20.0
"""the same where somebody ordered it whom the token or one that mints for it had not known"""
DOUBLED = 1.0
"""times the supply before that a token may hand out of itself while it is young"""
ALIKE = 0.5
CRUMBS = 1000
"""units; what holds less backs nothing yet"""
SETTLED_SUPPLY = 10**12
"""units; below that a token is only being set up"""


class UnbackedMint(Detector):
    """Tokens were made that nothing backs.

    A mint function without a guard, an overflow, a reward formula that was fed a borrowed balance, a bridge that
    believed a forged message: the supply grows by a good part, no contract on the way takes anything in for it,
    none of them knew the caller, and the new units end with the ordering side or are sold at once. A mint that
    multiplies an established supply a hundredfold is grave whoever ordered it, for it robs every holder; twentyfold
    is enough where a stranger ordered it. A smaller one is grave if its sale took a good part of what a pool held.
    Items count by their number: fifty or more at once for a stranger who gave nothing, and what they add to the count.
    """

    id = "unbacked-mint"
    family = Family.MINT
    severity = Severity.HIGH
    confidence = Confidence.HIGH
    needs = frozenset({Need.CODE})
    references: ClassVar[tuple[str, ...]] = (
        "https://cwe.mitre.org/data/definitions/862.html",
        "https://github.com/SunWeb3Sec/DeFiHackLabs",
    )
    false_positives: ClassVar[tuple[str, ...]] = (
        "A free mint by a token that is only being launched.",
        "A bridge that mints against a proof which leaves no trace in storage.",
    )
    needs_accesses = True

    def inspect(self, subject: Inspection) -> Iterator[Finding]:
        """One finding per token."""
        for made in subject.conjured:
            how = "by a transfer to itself" if made.to_itself else "by a transfer of more than it had"
            yield self.finding(
                f"{made.amount} units of {made.token} came out of nothing at {made.holder}, {how}.",
                victim=made.token,
                attacker=subject.roles.origin,
                frames=(made.frame,),
                evidence={"token": str(made.token), "amount": str(made.amount)},
            )
        for issue in subject.issues:
            if self._is_unbacked(subject, issue) or self._is_absurd(subject, issue):
                yield self.finding(
                    f"{issue.amount} units of {issue.asset.token} were made out of nothing, "
                    f"{issue.share or 0.0:.2g} times the supply before.",
                    victim=issue.asset.token,
                    attacker=subject.roles.origin,
                    frames=issue.frames,
                    evidence={"token": str(issue.asset.token), "amount": str(issue.amount)},
                )

    def _is_unbacked(self, subject: Inspection, issue: Loss) -> bool:
        share = issue.share or 0.0
        sold = share >= SMALL_SHARE and subject.sale_shook(issue.asset, issue.asset.token) >= SOLD_SHARE
        return (
            (share >= GRAVE_SHARE or sold)
            and subject.gained_for_little
            and not (issue.compensated or issue.agreed or issue.signed)
            and (sold or not self._is_dole(subject, issue))
        )

    def _is_dole(self, subject: Inspection, issue: Loss) -> bool:
        """True if the token itself set the amount, at most as much as there was, and nothing else was had for it.

        So a young token is mined, or handed out to whoever asks.
        """
        alone = subject.roles.gained.keys() <= {issue.asset} and not subject.outsider_lost
        return alone and (issue.share or 0.0) <= DOUBLED and not subject.named_amount(issue)

    def _is_absurd(self, subject: Inspection, issue: Loss) -> bool:
        established = subject.ledger.supply.get(issue.asset, 0) >= SETTLED_SUPPLY
        if not established or (issue.share or 0.0) < min(STRANGE_SHARE, ABSURD_SHARE):
            return False
        strange = not (issue.agreed or issue.signed)
        if (issue.share or 0.0) < (STRANGE_SHARE if strange else ABSURD_SHARE):
            return False
        if not strange and subject.was_proven(issue):
            return False
        return not (issue.compensated and self._in_proportion(subject, issue.share or 0.0, issue.asset.token))

    def _in_proportion(self, subject: Inspection, share: float, token: Address) -> bool:
        """True if what backs the token grew about as much as its supply: a young vault took a large deposit."""
        return any(
            (stock := subject.ledger.before.get((holder, asset), 0)) > CRUMBS and amount >= ALIKE * share * stock
            for holder, changes in subject.ledger.net.items()
            if holder not in subject.roles.cluster
            for asset, amount in changes.items()
            if asset.token != token
        )

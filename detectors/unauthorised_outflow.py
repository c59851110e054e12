"""Value leaves a contract to somebody it never knew."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from gateway.plugin import (
    NATIVE,
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
"""part of the holder's stock from which on a loss is no ordinary payment"""
SMALL_SHARE = 0.002
"""the same where the loot was sold at once, and took a grave part of what the buying pool held"""
COIN_FLOOR = 2 * 10**17
"""wei of the chain's own coin below which a drained contract is a curiosity"""
DOLE_SHARE = 0.1
"""part of the stock up to which one payment by a rule is what it is for: a faucet, a bounty, a finder's fee"""
RUINED_SHARE = 0.2
"""part of a house's coin that no single bet may win"""
EMPTIED_SHARE = 0.95
EMPTIED_HOLDERS = 3
"""so many contracts emptied for one stranger are no redemption, whatever the stranger gave"""


class UnauthorisedOutflow(Detector):
    """A contract paid out to a caller it never knew and got nothing back.

    The contract, or one that may spend for it, let go of a good part of what it holds. On the whole way from the
    ordering side to the payment no contract had the caller as owner, kept an entry for it, checked a signature or
    names it in its code; the receiver is not one that was fixed beforehand; the ordering side ends with more and
    gave nothing worth mentioning. That is the shape of missing access control, of forged proofs, of broken
    accounting and of re-entrancy alike: whoever asked was paid. A smaller part counts if its sale, in the same
    transaction, took a good part of what the buying pool held.
    """

    id = "unauthorised-outflow"
    family = Family.ACCESS
    severity = Severity.HIGH
    confidence = Confidence.MEDIUM
    needs = frozenset({Need.OUTSIDER_LOSS})
    references: ClassVar[tuple[str, ...]] = (
        "https://github.com/SunWeb3Sec/DeFiHackLabs",
        "https://cwe.mitre.org/data/definitions/862.html",
    )
    false_positives: ClassVar[tuple[str, ...]] = (
        "The last claim of an airdrop whose proof is neither a signature nor a Merkle path.",
        "A withdrawal by an owner who is recognised outside the EVM, for example by a precompile of the chain.",
    )
    needs_accesses = True

    def inspect(self, subject: Inspection) -> Iterator[Finding]:
        """One finding per drained holder and asset."""
        if subject.only_tipped or not (subject.gained_for_little or self._emptied(subject)):
            return
        for loss in subject.losses:
            if not loss.acted or loss.compensated:
                continue
            if (self._is_grave(loss) or self._shook_the_market(subject, loss)) and subject.unexplained(loss):
                if self._is_won(subject, loss) or subject.paid_by_house(loss) or subject.is_fair_visit(loss):
                    continue
                if subject.is_shared(loss):
                    continue
                if (loss.share or 0.0) <= DOLE_SHARE and self._is_rule(subject, loss):
                    continue
                sure = Confidence.HIGH if (loss.share or 0.0) >= 0.5 else Confidence.MEDIUM
                yield self.finding(
                    f"{loss.holder} lost {describe_loss(loss)} and got nothing for it; "
                    "no contract on the way knew the caller.",
                    victim=loss.holder,
                    attacker=subject.roles.origin,
                    frames=loss.frames,
                    evidence={"asset": str(loss.asset.token), "amount": str(loss.amount)},
                    confidence=sure,
                )

    def _is_rule(self, subject: Inspection, loss: Loss) -> bool:
        """The holder had fixed the amount, or the part of its stock, before; nobody named it, or sold it at once."""
        if subject.is_fixed(loss):
            return True
        rule = subject.is_round_part(loss) and not subject.named_amount(loss)
        return rule and not self._shook_the_market(subject, loss)

    def _is_won(self, subject: Inspection, loss: Loss) -> bool:
        """A house that paid a bet at once, and can pay many more, lost what it put at stake."""
        return loss.asset == NATIVE and (loss.share or 0.0) < RUINED_SHARE and loss.holder in subject.wagers

    def _shook_the_market(self, subject: Inspection, loss: Loss) -> bool:
        """A small part of a large stock was enough to move the pool that it was sold into, and nothing was paid."""
        if loss.asset.item is not None or loss.asset == NATIVE or (loss.share or 0.0) < SMALL_SHARE:
            return False
        return subject.consideration == 0.0 and subject.sale_shook(loss.asset, loss.holder) >= GRAVE_SHARE

    def _emptied(self, subject: Inspection) -> bool:
        """Several contracts that did not know the caller are left with nothing: no price explains that."""
        emptied = {
            loss.holder
            for loss in subject.losses
            if loss.acted and not loss.compensated and loss.to_cluster
            if (loss.share or 0.0) >= EMPTIED_SHARE and self._is_grave(loss) and subject.unexplained(loss)
        }
        return len(emptied) >= EMPTIED_HOLDERS

    def _is_grave(self, loss: Loss) -> bool:
        if loss.asset.item is not None or loss.share is None or loss.share < GRAVE_SHARE:
            return False
        return loss.asset != NATIVE or loss.amount >= COIN_FLOOR

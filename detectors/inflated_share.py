"""The price of a share is pushed up by a gift, so that somebody else's deposit buys nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from gateway.plugin import (
    NATIVE,
    Asset,
    Confidence,
    Detector,
    Family,
    Finding,
    Inspection,
    Need,
    Severity,
    describe_loss,
)

# ERC-4626: Deposit(address indexed sender, address indexed owner, uint256 assets, uint256 shares)
_DEPOSIT = bytes.fromhex("dcbc1c05240f31ff3ad067ef1ee35ce4997762752e3a095284754544f4c709d7")
GRAVE_SHARE = 0.01
"""part of the vault's stock from which on a deposit or a loss is grave"""
MOSTLY = 0.5


class InflatedShare(Detector):
    """The price of a share was inflated by a gift.

    Shares of a vault or market are priced as what it holds over the shares that exist. Who owns nearly all shares of
    an empty one can send it tokens directly: the price jumps, the next deposit is rounded down to no share at all,
    or a few units of share cover a large loan. Two shapes are unmistakable: a deposit that was taken and booked for
    zero shares, and a gift that comes back to its giver in the same transaction while the market loses another asset.
    """

    id = "inflated-share"
    family = Family.SHARE
    severity = Severity.HIGH
    confidence = Confidence.HIGH
    needs = frozenset({Need.CODE})
    references: ClassVar[tuple[str, ...]] = (
        "https://eips.ethereum.org/EIPS/eip-4626",
        "https://docs.openzeppelin.com/contracts/5.x/erc4626",
    )
    false_positives: ClassVar[tuple[str, ...]] = (
        "A vault that books shares later, in a queue, and announces zero at the time of the deposit.",
    )

    def inspect(self, subject: Inspection) -> Iterator[Finding]:
        """One finding per deposit for nothing, and per gift that came back."""
        yield from self._deposits_for_nothing(subject)
        for trip in subject.round_trips:
            grave = (trip.loss.share or 0.0) >= GRAVE_SHARE and subject.gain_covers(trip.loss)
            # what is sent in the chain's own coin has no other way in than directly
            if trip.asset == NATIVE or trip.donated < MOSTLY * trip.paid_in or not grave or trip.loss.signed:
                continue
            yield self.finding(
                f"{trip.holder} was given {trip.donated} units of {trip.asset.token}, gave them back, "
                f"and lost {describe_loss(trip.loss)}.",
                victim=trip.holder,
                attacker=subject.roles.origin,
                frames=trip.loss.frames,
                evidence={"given": str(trip.donated), "returned": str(trip.returned), "token": str(trip.asset.token)},
            )

    def _deposits_for_nothing(self, subject: Inspection) -> Iterator[Finding]:
        for log in subject.simulation.trace.events(frozenset({_DEPOSIT})):
            if log.reverted or len(log.topics) != 3 or len(log.data) != 64:
                continue
            assets, shares = int.from_bytes(log.data[:32], "big"), int.from_bytes(log.data[32:], "big")
            if shares or not assets:
                continue
            for move in subject.facts.transfers:
                if move.to != log.address or move.amount != assets:
                    continue
                held = subject.ledger.before.get((log.address, Asset(move.token)))
                if held is not None and assets >= GRAVE_SHARE * held:
                    yield self.finding(
                        f"{move.from_} paid {assets} units of {move.token} into {log.address} for no share at all.",
                        victim=move.from_,
                        instrument=log.address,
                        frames=(log.frame,),
                        evidence={"assets": str(assets), "shares": "0", "held before": str(held)},
                    )
                    break

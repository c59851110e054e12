"""The price of a share is pushed up by a gift, so that somebody else's deposit buys nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from gateway.plugin import (
    NATIVE,
    ZERO_ADDRESS,
    Asset,
    Confidence,
    Detector,
    Family,
    Finding,
    Inspection,
    Need,
    Severity,
    Transfer,
    describe_loss,
)

# ERC-4626: Deposit(address indexed sender, address indexed owner, uint256 assets, uint256 shares)
_DEPOSIT = bytes.fromhex("dcbc1c05240f31ff3ad067ef1ee35ce4997762752e3a095284754544f4c709d7")
GRAVE_SHARE = 0.01
"""part of the vault's stock from which on a deposit or a loss is grave"""
MOSTLY = 0.5
FEW_SHARES = 1000
"""units of share in all up to which one unit can be made dear"""
DEAR = 10**6
"""times the units of share that a gift must have in units to make each of them dear"""
SHORT = 0.9
"""part of the shares due below which rounding has robbed the depositor"""
KEPT_SHARE = 0.02
"""part of all shares from which on new ones count that were made at a bent price"""
BEYOND = 1.1
"""times the shares that were due by the prices before"""


class InflatedShare(Detector):
    """The price of a share was inflated by a gift.

    Shares of a vault or market are priced as what it holds over the shares that exist. Who owns nearly all shares of
    an empty one can send it tokens directly: the price jumps, the next deposit is rounded down to no share at all,
    or a few units of share cover a large loan. Five shapes are unmistakable: a deposit that was taken and booked for
    zero shares, or for far fewer than are due in a vault that has only a few units; a gift to such a vault by whoever
    had its few units made, then or a few transactions earlier; and a gift that comes back to its giver in the same
    transaction while the market loses another asset. A fifth needs memory: a vault that makes shares by the price of a
    pool which an earlier transaction, the sender's or somebody else's, left bent, and more of them than what came in
    was worth before.
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
        yield from self._few_shares(subject)
        yield from self._gifts_by_hand(subject)
        yield from self._too_many_shares(subject)
        for trip in subject.round_trips:
            grave = (trip.loss.share or 0.0) >= GRAVE_SHARE and subject.gain_covers(trip.loss)
            # what is sent in the chain's own coin has no other way in than directly
            gift = trip.donated > 0 and trip.donated >= MOSTLY * trip.paid_in and trip.asset != NATIVE
            if not gift or not grave or trip.loss.signed:
                continue
            yield self.finding(
                f"{trip.holder} was given {trip.donated} units of {trip.asset.token}, gave them back, "
                f"and lost {describe_loss(trip.loss)}.",
                victim=trip.holder,
                attacker=subject.roles.origin,
                frames=trip.loss.frames,
                evidence={"given": str(trip.donated), "returned": str(trip.returned), "token": str(trip.asset.token)},
            )

    def _few_shares(self, subject: Inspection) -> Iterator[Finding]:
        """Vaults that have but a few units of share: one that is made dear by a gift, and one where it is dear."""
        for share, made, supply in self._made(subject):
            if not 0 < supply + made <= FEW_SHARES:
                continue
            moves = [move for move in subject.facts.transfers if move.token_id is None]
            makers = (ZERO_ADDRESS, share.token)
            minted = max(
                (move.sequence for move in moves if move.token == share.token and move.from_ in makers), default=0
            )
            for move in moves:
                if move.to != share.token or move.token in (share.token, ZERO_ADDRESS):
                    continue
                held = subject.ledger.before.get((share.token, Asset(move.token)), 0)
                asked = subject.simulation.trace.asker(move.frame, move.token)
                gift = move.sequence > minted and move.from_ in subject.roles.cluster and asked == move.from_
                if gift and move.amount >= DEAR * (supply + made):
                    yield self._finding_of_few(share, move, "was given", supply + made)
                    return
                fair = move.amount * supply / held if held else 0.0
                if not gift and asked == share.token and fair >= 1.0 and made < SHORT * fair:
                    taken = f"took for {made} where {fair:.3g} were due"
                    yield self._finding_of_few(share, move, taken, supply + made)
                    return

    def _too_many_shares(self, subject: Inspection) -> Iterator[Finding]:
        """Shares made while a price stands that an earlier transaction has bent."""
        remembered = subject.memory.moved or subject.leaned
        bent_before = [bent for bent in subject.bent_prices if bent.earlier] if remembered else []
        for issue in subject.issues if bent_before else ():
            for bent in bent_before if (issue.share or 0.0) >= KEPT_SHARE else ():
                house = subject.simulation.trace.frames[bent.visit].to
                times = subject.overissued(issue, house) if house is not None else None
                if house is not None and times is not None and times >= BEYOND:
                    yield self.finding(
                        f"{bent.reader} asked {bent.pool} for its price, which an earlier transaction had moved by a "
                        f"factor of {bent.factor:.3g}; {times:.3g} times as many shares of {issue.asset.token} were "
                        "made as what came in was worth before.",
                        victim=house,
                        attacker=subject.roles.origin,
                        instrument=bent.pool,
                        frames=(bent.visit, bent.view, *issue.frames),
                        evidence={"factor": f"{bent.factor:.4g}", "reader": str(bent.reader), "pool": str(bent.pool)},
                    )
                    break

    def _made(self, subject: Inspection) -> Iterator[tuple[Asset, int, int]]:
        """(share, units made here, units before); markets of Compound's kind say Transfer from themselves for it."""
        for share, made in subject.ledger.minted.items():
            supply = subject.ledger.supply.get(share) if made > 0 and share.item is None else None
            if supply is not None:
                yield share, made, supply
        for market in subject.facts.tokens:
            made = -subject.ledger.net.get(market, {}).get(Asset(market), 0)
            diff = subject.simulation.state_diff.get(market) if made > 0 else None
            for slot, (before, after) in diff.storage.items() if diff is not None else ():
                if after - before == made and slot not in (subject.simulation.trace.preimages or {}):
                    yield Asset(market), made, before
                    break

    def _gifts_by_hand(self, subject: Inspection) -> Iterator[Finding]:
        """A gift to a vault that the sender lately found empty, and left with but a few units of share, all his own."""
        deals, active = subject.memory.deals, subject.simulation.trace.active
        for move in subject.facts.transfers if deals else ():
            found = deals.get((move.to, move.token, None))
            if found is None or found.stock or move.to in active or move.from_ not in subject.roles.cluster:
                continue
            for (vault, token, item), deal in deals.items():
                left = deal.taken - deal.put
                few = vault == move.to and token != move.token and item is None and 0 < left <= FEW_SHARES
                if few and not deal.stock and move.amount >= DEAR * left:
                    yield self._finding_of_few(Asset(vault), move, "was given", left)
                    return

    def _finding_of_few(self, share: Asset, move: Transfer, what: str, supply: int) -> Finding:
        return self.finding(
            f"{share.token} {what} {move.amount} units of {move.token}, and has only {supply} units of share in all.",
            victim=share.token,
            instrument=share.token,
            frames=(move.frame,),
            evidence={"units of share": str(supply), "amount": str(move.amount), "token": str(move.token)},
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

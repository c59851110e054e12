"""What a transaction would take from others, in money: for the order of the queue, never for the verdict.

Two views of one loss are priced, and the larger is told: what outsiders lose without having agreed (or as a finding's
victim), and what the ordering side keeps beyond what it gave. An asset is worth what the operator's price says; the
coin, what the coin is worth; anything else, what the pools of this transaction paid for it before it touched them, but
never more than those pools could have paid out in all. What has no price is counted, so that the figure can be called
a lower bound.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.inspection.subject import Inspection
from gateway.inspection.trace.ledger import NATIVE, Asset
from gateway.model.case import LossBasis, LossEstimate
from gateway.model.finding import Finding
from gateway.model.price import COIN_UNIT, PriceBook

_SURE = tuple(LossBasis)
"""the surest first"""


def estimate(subject: Inspection, findings: Sequence[Finding], book: PriceBook = PriceBook()) -> LossEstimate | None:
    """What is at stake, in the book's unit. None if nothing was found, nothing is lost, or nothing of it has a price.

    A loss that has no price beside a gain that has one is not counted as missing: it is the same loss seen twice.
    """
    if not findings:
        return None
    victims = {finding.victim for finding in findings if finding.victim is not None}
    lost: dict[Asset, int] = defaultdict(int)
    for loss in subject.losses:
        if loss.holder in victims or subject.unexplained(loss):
            lost[loss.asset] += loss.amount
    kept = dict(subject.roles.gained)
    gave = {asset: amount for asset, amount in subject.roles.gave.items() if asset not in kept}
    if not lost and not kept:
        return None
    valuer = _Valuer(subject, book)
    views = [valuer.worth(lost), valuer.worth(kept) - valuer.worth(gave)]
    best = max(views, key=lambda view: (view.amount, -view.unpriced))
    if best.amount <= 0.0:
        return None
    return LossEstimate(best.amount, book.unit, best.basis, best.unpriced)


@dataclass(frozen=True, slots=True)
class _Worth:
    amount: float
    basis: LossBasis
    unpriced: int

    def __sub__(self, other: _Worth) -> _Worth:
        """What is left of a gain; without the price of what was given, the gain itself is no bound and counts not."""
        if other.unpriced:
            return _Worth(0.0, self.basis, self.unpriced)
        return _Worth(self.amount - other.amount, max(self.basis, other.basis, key=_SURE.index), self.unpriced)


class _Valuer:
    """Prices amounts of assets at the state before the transaction."""

    def __init__(self, subject: Inspection, book: PriceBook) -> None:
        self._subject, self._book = subject, book
        self._coins = {NATIVE, *subject.wrapped, *map(Asset, book.wrapped)}
        self._rate = self._anchored()

    def worth(self, amounts: Mapping[Asset, int]) -> _Worth:
        """The sum of what has a price, and how many assets have none."""
        total, basis, unpriced = 0.0, LossBasis.COIN, 0
        for asset, amount in amounts.items():
            priced = self._price(asset, amount)
            if priced is None:
                unpriced += 1
                continue
            total += priced[0]
            basis = max(basis, priced[1], key=_SURE.index)
        return _Worth(total, basis, unpriced)

    def _price(self, asset: Asset, amount: int) -> tuple[float, LossBasis] | None:
        if asset.item is not None:
            return None
        direct = self._direct(asset)
        if direct is not None:
            return amount * direct, LossBasis.COIN if asset in self._coins else LossBasis.SETTINGS
        price = self._subject.market.prices.get(asset)
        most = self._payable(asset)
        if price is None or self._rate is None or most is None:
            return None
        return min(amount * price, most) * self._rate, LossBasis.POOLS

    def _direct(self, asset: Asset) -> float | None:
        """Units of the book for one smallest unit of the asset."""
        if asset.item is not None:
            return None
        if asset in self._coins and self._book.coin is not None:
            return self._book.coin / COIN_UNIT
        return self._book.tokens.get(asset.token)

    def _anchored(self) -> float | None:
        """Units of the book in one unit of the market's account: by the coin if it is traded, else by a known token."""
        prices = self._subject.market.prices
        for asset in sorted(prices, key=lambda asset: (asset not in self._coins, asset)):
            direct = self._direct(asset)
            if direct is not None and prices[asset] > 0.0:
                return direct / prices[asset]
        return None

    def _payable(self, asset: Asset) -> float | None:
        """What the pools that trade the asset held of other assets, in the market's unit; None if none is known."""
        market, ledger = self._subject.market, self._subject.ledger
        total, seen = 0.0, False
        for pair in market.pairs.values():
            if asset in pair.tokens:
                other = pair.tokens[1 - pair.tokens.index(asset)]
                total += pair.before[pair.tokens.index(other)] * market.prices.get(other, 0.0)
                seen = True
        for (holder, other), stock in ledger.before.items():
            if holder in market.concentrated and other != asset and asset in ledger.net.get(holder, {}):
                total += stock * market.prices.get(other, 0.0)
                seen = True
        pool = market.pairs.get(asset.token)
        if pool is not None:  # a liquidity token is worth its part of both sides
            return 2 * pool.before[0] * market.prices.get(pool.tokens[0], 0.0)
        return total if seen else None

"""How many shares too many were made for what came in, by what the house holds and the prices before."""

from __future__ import annotations

from gateway.inspection.harm.loss import Loss
from gateway.inspection.market.pool import Market
from gateway.inspection.trace.ledger import BALANCE_OF, Asset, Ledger
from gateway.model.primitive import Address
from gateway.model.trace import SimulationResult

_QUERIES = frozenset({BALANCE_OF})


def overissued(
    issue: Loss, house: Address, market: Market, ledger: Ledger, simulation: SimulationResult
) -> float | None:
    """Units of `issue` made, as a multiple of what the payment to `house` was worth; None if that is not known.

    The worth of a unit is what `house` held before of all that it asked its balance of, over all units.
    """
    supply, paid = ledger.supply.get(issue.asset), dict(ledger.net.get(house, {}))
    if not supply or not paid or any(amount <= 0 for amount in paid.values()):
        return None
    stocks = {asset: ledger.before[house, asset] for asset in paid if (house, asset) in ledger.before}
    if len(stocks) < len(paid):
        return None
    for frame in simulation.trace.select(selectors=_QUERIES, about={house}, answered=True):
        if frame.to is not None and len(frame.output) >= 32:
            stocks.setdefault(Asset(frame.to), int.from_bytes(frame.output[:32], "big"))
    stocks.pop(issue.asset, None)
    worth, known = market.value(stocks)
    came, priced = market.value(paid)
    if not known or not priced or worth <= 0.0 or came <= 0.0:
        return None
    return (issue.amount / supply) / (came / worth)

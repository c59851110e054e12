"""Who ended with more and who with less: net movements of every asset, and what was held before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.model.facts import NATIVE as NATIVE
from gateway.model.facts import Asset as Asset
from gateway.model.facts import Changes, Facts, Transfer
from gateway.model.primitive import ZERO_ADDRESS, Address
from gateway.model.trace import CallFrame, SimulationResult

BALANCE_OF = bytes.fromhex("70a08231")
_QUERIES = frozenset({BALANCE_OF})
_NOTHING: Mapping[Asset, int] = {}

BURN_ADDRESSES = frozenset({ZERO_ADDRESS, Address(b"\0" * 18 + b"\xde\xad"), Address(b"\0" * 19 + b"\x01")})

Holding = tuple[Address, Asset]


@dataclass(frozen=True, slots=True)
class Ledger:
    """Net effect on every holder, by the transfers that stood."""

    net: Changes
    """holder -> asset -> what it gained (negative: lost); zero entries are left out, so is the zero address"""
    minted: Mapping[Asset, int]
    """asset -> net amount that came out of the zero address (negative: burnt)"""
    before: Mapping[Holding, int]
    """what a holder of a changed asset had before the transaction, where storage or a balance query shows it"""
    supply: Mapping[Asset, int]
    """units that existed before, of tokens that were minted or burnt, where storage shows it"""
    outflows: Mapping[Holding, tuple[Transfer, ...]]
    """the transfers that took from each holder that lost on balance, in order"""

    def share_lost(self, holder: Address, asset: Asset) -> float | None:
        """Fraction (0 to 1) of the holder's own stock that left; None if it lost nothing or the stock is unknown."""
        lost = -self.net.get(holder, {}).get(asset, 0)
        stock = self.before.get((holder, asset))
        if lost <= 0 or not stock:
            return None
        return min(1.0, lost / stock)


def keep(facts: Facts, simulation: SimulationResult) -> Ledger:
    """Build the ledger of one transaction; linear in transfers, storage accesses and frames."""
    net = facts.net
    queries = simulation.trace.select(selectors=_QUERIES)
    held = {(asset.token, holder) for holder, changes in net.items() for asset in changes if asset.item is None}
    asked = {(frame.to, frame.input[16:36]) for frame in queries} & held
    series: dict[Holding, list[Transfer]] = defaultdict(list)
    outflows: dict[Holding, list[Transfer]] = defaultdict(list)
    for move in facts.transfers:
        if move.from_ == move.to or not move.amount:
            continue
        asset = Asset(move.token, move.token_id)
        if net.get(move.from_, _NOTHING).get(asset, 0) < 0:
            outflows[move.from_, asset].append(move)
        for holder in (move.from_, move.to) if asked else ():
            if (move.token, holder) in asked:
                series[holder, asset].append(move)
    stocks = _stocks(net, series, queries, simulation)
    taken = {holding: tuple(moves) for holding, moves in outflows.items()}
    return Ledger(net, facts.minted, stocks, _supplies(facts.minted, simulation), taken)


def _stocks(
    net: Changes, series: Mapping[Holding, list[Transfer]], queries: Sequence[CallFrame], simulation: SimulationResult
) -> dict[Holding, int]:
    stocks = _from_storage(net, simulation)
    for holder, changes in net.items():
        account = simulation.state_diff.get(holder)
        if NATIVE in changes and account is not None and account.balance is not None:
            stocks[holder, NATIVE] = account.balance[0]
    for frame in queries:
        if len(frame.input) < 36 or len(frame.output) < 32 or frame.error or frame.to is None:
            continue
        holding = (Address(frame.input[16:36]), Asset(frame.to))
        if holding in stocks or holding[1] not in net.get(holding[0], {}):
            continue
        stock = int.from_bytes(frame.output[:32], "big")
        for move in series.get(holding, ()):
            if move.sequence > frame.entered:
                break
            stock += move.amount if move.from_ == holding[0] else -move.amount
        if stock >= 0:
            stocks[holding] = stock
    return stocks


def _from_storage(net: Changes, simulation: SimulationResult) -> dict[Holding, int]:
    """A balance is the mapping entry keyed by the holder that changed by exactly what the transfers say."""
    preimages = simulation.trace.preimages
    slots = simulation.trace.slots
    if preimages is None or slots is None:
        return {}
    stocks: dict[Holding, int] = {}
    for token, slot, before, written, *_ in slots:
        if not written:
            continue
        preimage = preimages.get(slot)
        if preimage is None or len(preimage) != 64:
            continue
        asset = Asset(token)
        diff = simulation.state_diff.get(token)
        after = diff.storage.get(slot, (before, before))[1] if diff is not None else before
        for word in (preimage[:32], preimage[32:]):
            if any(word[:12]):
                continue
            holder = Address(word[12:])
            if net.get(holder, {}).get(asset) == after - before:
                stocks[holder, asset] = before
    return stocks


def _supplies(minted: Mapping[Asset, int], simulation: SimulationResult) -> dict[Asset, int]:
    """The supply is the plain slot of the token that changed by exactly what was minted."""
    preimages = simulation.trace.preimages or {}
    supplies: dict[Asset, int] = {}
    for asset, amount in minted.items():
        diff = simulation.state_diff.get(asset.token)
        if asset.item is not None or diff is None:
            continue
        for slot, (before, after) in diff.storage.items():
            if after - before == amount and slot not in preimages:
                supplies[asset] = before
                break
    return supplies

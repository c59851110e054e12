"""Who ended with more and who with less: net movements of every asset, and what was held before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from gateway.model.facts import Facts, Transfer
from gateway.model.primitive import ZERO_ADDRESS, Address
from gateway.model.trace import SimulationResult

BALANCE_OF = bytes.fromhex("70a08231")
BURN_ADDRESSES = frozenset({ZERO_ADDRESS, Address(b"\0" * 18 + b"\xde\xad"), Address(b"\0" * 19 + b"\x01")})


class Asset(NamedTuple):
    """A token, one item of it, or the chain's own coin (zero address)."""

    token: Address
    item: int | None = None
    """token id of an ERC-721 or ERC-1155 item"""


NATIVE = Asset(ZERO_ADDRESS)

Holding = tuple[Address, Asset]


@dataclass(frozen=True, slots=True)
class Ledger:
    """Net effect on every holder, by the transfers that stood."""

    net: Mapping[Address, Mapping[Asset, int]]
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
    series: dict[Holding, list[Transfer]] = defaultdict(list)
    sums: dict[Holding, int] = defaultdict(int)
    for transfer in facts.transfers:
        if transfer.from_ == transfer.to or not transfer.amount:
            continue
        asset = Asset(transfer.token, transfer.token_id)
        for holder, sign in ((transfer.from_, -1), (transfer.to, 1)):
            sums[holder, asset] += sign * transfer.amount
            series[holder, asset].append(transfer)
    net: dict[Address, dict[Asset, int]] = defaultdict(dict)
    minted: dict[Asset, int] = {}
    outflows: dict[Holding, tuple[Transfer, ...]] = {}
    for (holder, asset), amount in sums.items():
        if not amount:
            continue
        if holder == ZERO_ADDRESS:
            if asset != NATIVE:
                minted[asset] = -amount
            continue
        net[holder][asset] = amount
        if amount < 0:
            outflows[holder, asset] = tuple(move for move in series[holder, asset] if move.from_ == holder)
    stocks = _stocks(net, series, simulation)
    return Ledger(dict(net), minted, stocks, _supplies(minted, simulation), outflows)


def _stocks(
    net: Mapping[Address, Mapping[Asset, int]], series: Mapping[Holding, list[Transfer]], simulation: SimulationResult
) -> dict[Holding, int]:
    stocks = _from_storage(net, simulation)
    for holder, changes in net.items():
        account = simulation.state_diff.get(holder)
        if NATIVE in changes and account is not None and account.balance is not None:
            stocks[holder, NATIVE] = account.balance[0]
    for frame in simulation.trace.frames:
        if frame.input[:4] != BALANCE_OF or len(frame.input) < 36 or len(frame.output) < 32 or frame.error:
            continue
        if frame.to is None:
            continue
        holding = (Address(frame.input[16:36]), Asset(frame.to))
        if holding in stocks or holding[1] not in net.get(holding[0], {}):
            continue
        stock = int.from_bytes(frame.output[:32], "big")
        for move in series[holding]:
            if move.sequence > frame.entered:
                break
            stock += move.amount if move.from_ == holding[0] else -move.amount
        if stock >= 0:
            stocks[holding] = stock
    return stocks


def _from_storage(net: Mapping[Address, Mapping[Asset, int]], simulation: SimulationResult) -> dict[Holding, int]:
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

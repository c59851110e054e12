"""Who ended with more and who with less: net movements of every asset, and what was held before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass

from gateway.model.facts import NATIVE as NATIVE
from gateway.model.facts import Asset as Asset
from gateway.model.facts import Changes, Facts, Transfer
from gateway.model.lazy import cached_property
from gateway.model.primitive import ZERO_ADDRESS, Address
from gateway.model.trace import SimulationResult

BALANCE_OF = bytes.fromhex("70a08231")
_QUERIES = frozenset({BALANCE_OF})
_NOTHING: Mapping[Asset, int] = {}

BURN_ADDRESSES = frozenset({ZERO_ADDRESS, Address(b"\0" * 18 + b"\xde\xad"), Address(b"\0" * 19 + b"\x01")})

Holding = tuple[Address, Asset]


@dataclass(frozen=True)
class Ledger:
    """Net effect on every holder, by the transfers that stood; each part is drawn up when it is asked for."""

    facts: Facts
    simulation: SimulationResult

    @property
    def net(self) -> Changes:
        """Holder -> asset -> what it gained (negative: lost); zero entries are left out, so is the zero address."""
        return self.facts.net

    @property
    def minted(self) -> Mapping[Asset, int]:
        """Asset -> net amount that came out of the zero address (negative: burnt)."""
        return self.facts.minted

    @cached_property
    def before(self) -> Mapping[Holding, int]:
        """What a holder of a changed asset had before the transaction, where storage or a balance query shows it."""
        return _stocks(self.facts, self.simulation)

    @cached_property
    def balance_places(self) -> Mapping[Address, Set[bytes]]:
        """Token -> where its mapping of balances lies, as the second half of the preimage of its entries."""
        places: dict[Address, set[bytes]] = defaultdict(set)
        for (_, asset), _, place in _balances(self.net, self.simulation):
            places[asset.token].add(place)
        return dict(places)

    @cached_property
    def supply(self) -> Mapping[Asset, int]:
        """Units that existed before, of tokens that were minted or burnt, where storage shows it."""
        return _supplies(self.minted, self.simulation)

    @cached_property
    def outflows(self) -> Mapping[Holding, tuple[Transfer, ...]]:
        """The transfers that took from each holder that lost on balance, in order."""
        net = self.net
        taken: dict[Holding, list[Transfer]] = defaultdict(list)
        for move in self.facts.transfers:
            if move.from_ != move.to and move.amount:
                asset = Asset(move.token, move.token_id)
                if net.get(move.from_, _NOTHING).get(asset, 0) < 0:
                    taken[move.from_, asset].append(move)
        return {holding: tuple(moves) for holding, moves in taken.items()}

    def share_lost(self, holder: Address, asset: Asset) -> float | None:
        """Fraction (0 to 1) of the holder's own stock that left; None if it lost nothing or the stock is unknown."""
        lost = -self.net.get(holder, {}).get(asset, 0)
        stock = self.before.get((holder, asset))
        if lost <= 0 or not stock:
            return None
        return min(1.0, lost / stock)


def keep(facts: Facts, simulation: SimulationResult) -> Ledger:
    """The ledger of one transaction; linear in transfers, storage accesses and frames."""
    return Ledger(facts, simulation)


def _stocks(facts: Facts, simulation: SimulationResult) -> dict[Holding, int]:
    net = facts.net
    stocks = _from_storage(net, simulation)
    for holder, changes in net.items():
        account = simulation.state_diff.get(holder)
        if NATIVE in changes and account is not None and account.balance is not None:
            stocks[holder, NATIVE] = account.balance[0]
    queries = simulation.trace.select(selectors=_QUERIES)
    series = _series(facts, {(frame.to, frame.input[16:36]) for frame in queries}) if queries else {}
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


def _series(facts: Facts, asked: Set[tuple[Address | None, bytes]]) -> Mapping[Holding, list[Transfer]]:
    """The movements of each holding that a balance query was about, in order."""
    series: dict[Holding, list[Transfer]] = defaultdict(list)
    for move in facts.transfers:
        for holder in (move.from_, move.to) if move.from_ != move.to and move.amount else ():
            if (move.token, holder) in asked:
                series[holder, Asset(move.token, move.token_id)].append(move)
    return series


def _from_storage(net: Changes, simulation: SimulationResult) -> dict[Holding, int]:
    return {holding: before for holding, before, _ in _balances(net, simulation)}


def _balances(net: Changes, simulation: SimulationResult) -> Iterator[tuple[Holding, int, bytes]]:
    """(holding, units before, the other half of the key) of each balance.

    A balance is the mapping entry keyed by the holder that changed by exactly what the transfers say.
    """
    preimages = simulation.trace.preimages
    slots = simulation.trace.slots
    if preimages is None or slots is None:
        return
    for token, slot, before, written, *_ in slots:
        if not written:
            continue
        preimage = preimages.get(slot)
        if preimage is None or len(preimage) != 64:
            continue
        asset = Asset(token)
        diff = simulation.state_diff.get(token)
        after = diff.storage.get(slot, (before, before))[1] if diff is not None else before
        for word, other in ((preimage[:32], preimage[32:]), (preimage[32:], preimage[:32])):
            if any(word[:12]):
                continue
            holder = Address(word[12:])
            if net.get(holder, {}).get(asset) == after - before:
                yield (holder, asset), before, other


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

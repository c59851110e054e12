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
from gateway.model.trace import CallFrame, SimulationResult

BALANCE_OF = bytes.fromhex("70a08231")
_QUERIES = frozenset({BALANCE_OF})

BURN_ADDRESSES = frozenset({ZERO_ADDRESS, Address(b"\0" * 18 + b"\xde\xad"), Address(b"\0" * 19 + b"\x01")})

Holding = tuple[Address, Asset]


@dataclass(frozen=True)
class Ledger:
    """Net effect on every holder, by the transfers that stood; each part is drawn up when it is asked for."""

    facts: Facts
    simulation: SimulationResult

    @cached_property
    def net(self) -> Changes:
        """Holder -> asset -> what it gained (negative: lost); zero entries are left out, so is the zero address."""
        return self.facts.net

    @cached_property
    def minted(self) -> Mapping[Asset, int]:
        """Asset -> net amount that came out of the zero address (negative: burnt)."""
        return self.facts.minted

    @cached_property
    def before(self) -> Mapping[Holding, int]:
        """What a holder of a changed asset had before the transaction, where storage or a balance query shows it."""
        known = self.facts.stocks
        return stocks(self.facts, self.simulation) if known is None else known

    @cached_property
    def balance_places(self) -> Mapping[Address, Set[bytes]]:
        """Token -> where its mapping of balances lies, as the second half of the preimage of its entries."""
        known = self.facts.balance_places
        if known is not None:
            return known
        places: dict[Address, set[bytes]] = defaultdict(set)
        for (_, asset), _, place in _balances(self.net, self.simulation):
            places[asset.token].add(place)
        return dict(places)

    @cached_property
    def supply(self) -> Mapping[Asset, int]:
        """Units that existed before, of tokens that were minted or burnt, where storage shows it."""
        return _supplies(self.minted, self.simulation)

    @property
    def outflows(self) -> Mapping[Holding, tuple[Transfer, ...]]:
        """The transfers that took from each holder that lost on balance, in order."""
        return self.facts.outflows

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


def stocks(facts: Facts, simulation: SimulationResult) -> dict[Holding, int]:
    """What holders of changed assets had before; the reference for engines that find it themselves. Linear."""
    net = facts.net
    found = _from_storage(net, simulation)
    for holder, changes in net.items():
        account = simulation.state_diff.get(holder)
        if NATIVE in changes and account is not None and account.balance is not None:
            found[holder, NATIVE] = account.balance[0]
    asked = {
        holding: _Movements()
        for frame in simulation.trace.select(selectors=_QUERIES)
        if (holding := _asked(frame)) is not None and holding not in found
        if holding[1] in net.get(holding[0], {})
    }
    if not asked:
        return found
    for move in facts.transfers:
        for holder in (move.from_, move.to) if move.from_ != move.to and move.amount else ():
            movements = asked.get((holder, Asset(move.token, move.token_id)))
            if movements is not None:
                movements.add(move.sequence, move.amount if move.to == holder else -move.amount)
    for frame in simulation.trace.select(selectors=_QUERIES):
        holding = _asked(frame)
        if holding is not None and holding in asked and holding not in found:
            stock = int.from_bytes(frame.output[:32], "big") - asked[holding].until(frame.entered)
            if stock >= 0:  # else the token contradicts its own transfers
                found[holding] = stock
    return found


def _asked(frame: CallFrame) -> Holding | None:
    """Whose balance a frame asked of whom; None if it was not answered."""
    if len(frame.input) < 36 or len(frame.output) < 32 or frame.error or frame.to is None:
        return None
    return Address(frame.input[16:36]), Asset(frame.to)


class _Movements:
    """The movements of one holding, added up as far as the queries, which come in order, have got."""

    def __init__(self) -> None:
        self._moves: list[tuple[int, int]] = []
        self._next, self._sum = 0, 0

    def add(self, sequence: int, amount: int) -> None:
        self._moves.append((sequence, amount))

    def until(self, sequence: int) -> int:
        """What came in on balance up to `sequence`."""
        while self._next < len(self._moves) and self._moves[self._next][0] <= sequence:
            self._sum += self._moves[self._next][1]
            self._next += 1
        return self._sum


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

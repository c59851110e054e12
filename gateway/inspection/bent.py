"""Who asked a pool for its price while the ordering side had bent it."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter

from gateway.inspection.ledger import BALANCE_OF
from gateway.inspection.pool import GET_RESERVES, MASK_160, SLOT_ZERO, SWAPPED, Market, Pair
from gateway.inspection.roles import Roles
from gateway.model.facts import Facts, Transfer
from gateway.model.primitive import Address
from gateway.model.trace import CallFrame, Log, SimulationResult

BENT = 1.5
"""times (either way) that a price must have moved; an honest trade of that size costs its owner a fifth"""
VIEWS_EXAMINED = 512
_BALANCES = frozenset({BALANCE_OF})
_PRICES = frozenset({GET_RESERVES, SLOT_ZERO})
_INDEX = itemgetter(0)


@dataclass(frozen=True, slots=True)
class BentPrice:
    """One look at a pool, from outside the ordering side, while its price was bent."""

    pool: Address
    reader: Address
    visit: int
    """the call out of the ordering side under which the pool was asked (index of its frame)"""
    view: int
    """the frame of the answer"""
    factor: float
    """how far the price had moved when `visit` began, as a factor above 1"""


def bent_prices(facts: Facts, market: Market, roles: Roles, simulation: SimulationResult) -> tuple[BentPrice, ...]:
    """Looks at bent pools, each pool once for each call out of the ordering side; linear in frames and transfers.

    What counts is the state when the ordering side made the call, so that a router which looks at a pool in the
    middle of its own swap sees nothing bent.
    """
    if not market.pairs and not market.roots:
        return ()
    frames = simulation.trace.frames
    views = _views(simulation, market, roles)
    if not views:
        return ()
    pools = {pool for pool, _ in views}
    moves: dict[Address, list[Transfer]] = defaultdict(list)
    for move in facts.transfers:
        if move.from_ in pools:
            moves[move.from_].append(move)
        if move.to in pools:
            moves[move.to].append(move)
    swaps: dict[Address, list[Log]] = defaultdict(list)
    for log in simulation.trace.events(SWAPPED) if pools & market.roots.keys() else ():
        if log.address in pools and len(log.data) >= 96:
            swaps[log.address].append(log)
    holdings = {pool: _Holdings(market.pairs[pool], moves[pool]) for pool in pools if pool in market.pairs}
    found = []
    for (pool, call), view in views.items():  # in the order of the visits, for views are
        at = frames[call].entered
        if pool in market.pairs:
            factor = holdings[pool].factor(at)
        else:
            factor = _root_factor(market.roots[pool], swaps[pool], at)
        if factor >= BENT and _believed(frames[view], market, factor):
            found.append(BentPrice(pool, frames[view].from_, call, view, factor))
    return tuple(found)


def _views(simulation: SimulationResult, market: Market, roles: Roles) -> dict[tuple[Address, int], int]:
    visits: Sequence[int] = ()
    views: dict[tuple[Address, int], int] = {}
    trace, pools = simulation.trace, market.pairs.keys() | market.roots.keys()
    asked = [
        *trace.select(selectors=_BALANCES, about=market.pairs.keys(), but=roles.cluster, answered=True),
        *trace.select(selectors=_PRICES, to=pools, but=roles.cluster, answered=True),
    ]
    for frame in sorted(asked, key=_INDEX):
        asks_balance = frame.input[:4] == BALANCE_OF
        pool = Address(frame.input[16:36]) if asks_balance else frame.to
        if pool is None or (asks_balance and frame.from_ == pool):
            continue
        visits = visits or trace.visits(roles.cluster)
        visit = visits[frame.index]
        views.setdefault((pool, visit if visit >= 0 else frame.index), frame.index)
        if len(views) >= VIEWS_EXAMINED:
            break
    return views


class _Holdings:
    """What a pair held at moments that are asked for in order: one pass over its movements for all of them."""

    def __init__(self, pair: Pair, moves: Sequence[Transfer]) -> None:
        self._pair, self._moves, self._next, self._held = pair, moves, 0, list(pair.before)

    def factor(self, at: int) -> float:
        """How far the price had moved by then."""
        pair, held = self._pair, self._held
        while self._next < len(self._moves) and self._moves[self._next].sequence < at:
            move = self._moves[self._next]
            for side, asset in enumerate(pair.tokens):
                if move.token == asset.token:
                    held[side] += (move.to == pair.address) * move.amount - (move.from_ == pair.address) * move.amount
            self._next += 1
        return _factor(max(1, held[0]) * pair.before[1], max(1, held[1]) * pair.before[0])


def _root_factor(root: int, swaps: Sequence[Log], at: int) -> float:
    last = bisect_left(swaps, at, key=lambda log: log.sequence)
    if not last:
        return 1.0
    later = int.from_bytes(swaps[last - 1].data[64:96], "big")
    return _factor(later * later, root * root)


def _believed(view: CallFrame, market: Market, factor: float) -> bool:
    """True if the answer was bent too: reserves that a pair announces do not move while it lends."""
    pair = market.pairs.get(view.to) if view.to is not None else None
    if view.input[:4] == GET_RESERVES and pair is not None and len(view.output) >= 64:
        answers = [max(1, int.from_bytes(view.output[at : at + 32], "big")) for at in (0, 32)]
        first, second = (held for _, held in sorted(zip(pair.tokens, pair.before, strict=True)))
        return _factor(answers[0] * second, answers[1] * first) >= BENT
    before = market.roots.get(view.to) if view.to is not None else None
    if view.input[:4] == SLOT_ZERO and before is not None:
        root = int.from_bytes(view.output[:32], "big") & MASK_160
        return _factor(root * root, before * before) >= BENT
    return True


def _factor(one: int, other: int) -> float:
    if not one or not other:
        return 1.0
    return max(one / other, other / one)

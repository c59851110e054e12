"""Who asked a pool for its price while the ordering side had bent it."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from operator import itemgetter

from gateway.inspection.market.jump import jumps
from gateway.inspection.market.pool import GET_RESERVES, MASK_160, SLOT_ZERO, SWAPPED, Market, Pair
from gateway.inspection.parties.roles import Roles
from gateway.inspection.past.moved import BENT, SAME, Moved, apart
from gateway.inspection.trace.ledger import BALANCE_OF
from gateway.model.facts import Facts, Transfer
from gateway.model.primitive import Address
from gateway.model.trace import CallFrame, Log, SimulationResult

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
    earlier: bool = False
    """True if an earlier transaction moved it, and it still stands where that left it"""
    others: bool = False
    """True if that transaction was somebody else's"""


def bent_prices(
    facts: Facts,
    market: Market,
    roles: Roles,
    simulation: SimulationResult,
    moved: Mapping[Address, Moved] = {},
    leaned: Mapping[Address, Moved] = {},
) -> tuple[BentPrice, ...]:
    """Looks at bent pools, each pool once for each call out of the ordering side; linear in frames and transfers.

    What counts is the state when the ordering side made the call, so that a router which looks at a pool in the
    middle of its own swap sees nothing bent. `moved`: what the sender's earlier transactions did to pools; `leaned`:
    what those of others did to pools that are looked at here.
    """
    asked = (BentPrice(*jump) for jump in jumps(facts, roles, simulation))
    found = (*_bent_pools(facts, market, roles, simulation, moved), *asked)
    by_others = {pool: move for pool, move in leaned.items() if pool not in moved}
    traded = market.pairs.keys() | market.roots.keys()
    more = _bent_before(simulation, roles, by_others, traded) if by_others else ()
    return (*found, *(replace(bent, others=True) for bent in more))


def _bent_pools(
    facts: Facts, market: Market, roles: Roles, simulation: SimulationResult, moved: Mapping[Address, Moved]
) -> tuple[BentPrice, ...]:
    traded = market.pairs.keys() | market.roots.keys()
    before = tuple(_bent_before(simulation, roles, moved, traded)) if moved else ()
    if not traded:
        return before
    frames = simulation.trace.frames
    views = _views(simulation, roles, traded, market.pairs.keys())
    if not views:
        return before
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
    return (*before, *found)


def _bent_before(
    simulation: SimulationResult, roles: Roles, moved: Mapping[Address, Moved], traded: Set[Address]
) -> Iterator[BentPrice]:
    """Looks at pools that nobody trades in now, at a price that the sender left there bent."""
    frames = simulation.trace.frames
    pools = {pool: move for pool, move in moved.items() if pool not in traded and move.factor >= BENT}
    pairs = {pool for pool, move in pools.items() if move.before[1]}
    for (pool, call), view in (_views(simulation, roles, pools.keys(), pairs) if pools else {}).items():
        move, answer = pools[pool], frames[view].output
        numbers = [int.from_bytes(answer[at : at + 32], "big") for at in range(0, min(64, len(answer) - 31), 32)]
        if frames[view].input[:4] == BALANCE_OF:
            held = next((at for at, token in enumerate(move.tokens) if token == frames[view].to), None)
            stays = held is not None and _factor(numbers[0], move.after[held]) <= SAME
        elif pool in pairs:
            first, second = (held for _, held in sorted(zip(move.tokens, move.after, strict=True)))
            stays = len(numbers) == 2 and apart((numbers[0], numbers[1]), (first, second)) <= SAME
        else:
            stays = apart((numbers[0] & MASK_160, 0), move.after) <= SAME
        if stays:
            yield BentPrice(pool, frames[view].from_, call, view, move.factor, earlier=True)


def _views(
    simulation: SimulationResult, roles: Roles, pools: Set[Address], pairs: Set[Address]
) -> dict[tuple[Address, int], int]:
    visits: Sequence[int] = ()
    views: dict[tuple[Address, int], int] = {}
    trace = simulation.trace
    asked = [
        *trace.select(selectors=_BALANCES, about=pairs, but=roles.cluster, answered=True),
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

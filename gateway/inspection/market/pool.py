"""Liquidity pools met in a trace, their reserves before and after, and the prices that follow from them."""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from gateway.inspection.past.moved import Moved
from gateway.inspection.trace.facts import DEPOSIT, WITHDRAWAL
from gateway.inspection.trace.ledger import BALANCE_OF, NATIVE, Asset, Ledger
from gateway.model.facts import Facts, Reserves, TokenStandard
from gateway.model.primitive import ZERO_ADDRESS, Address, Hash32
from gateway.model.trace import SimulationResult

V3_SWAP = bytes.fromhex("c42079f94a6350d7e6235f29174924f928cc2ac818eb64fed8004e115fbcca67")
V3_BURN = bytes.fromhex("0c396cd989a39f4459b5fa1aed6a9a8dcdbc45908acfd67e028cd568da98982c")
V3_COLLECT = bytes.fromhex("70935338e69775456a85ddef226c395fb668b63fa0115f5f20610b388e6ca9c0")
PANCAKE_V3_SWAP = bytes.fromhex("19b47279256b2a23a1665c810c8d55a1758940ee09377d4f8d26497a3577dc83")
SWAPPED = frozenset((V3_SWAP, PANCAKE_V3_SWAP))
_CONCENTRATED = SWAPPED | {V3_BURN, V3_COLLECT}
GET_RESERVES = bytes.fromhex("0902f1ac")
SLOT_ZERO = bytes.fromhex("3850c7bd")
WRAP = bytes.fromhex("d0e30db0")
UNWRAP = bytes.fromhex("2e1a7d4d")
_QUERIES = frozenset({BALANCE_OF})
_ERC20 = TokenStandard.ERC20
MASK_112 = (1 << 112) - 1
MASK_160 = (1 << 160) - 1
WRAPPER_SIZE = 8192
"""bytes of code; wrapped coins have about 3,000, vaults with the same doors and names are larger"""
CODES_REMEMBERED = 8192
_WRAPPING: dict[Hash32, bool] = {}


@dataclass(frozen=True, slots=True)
class Pair:
    """A constant-product pair: the contract that announces its reserves with `Sync`."""

    address: Address
    tokens: tuple[Asset, Asset]
    before: tuple[int, int]
    """what it held of each before the transaction"""
    after: tuple[int, int]
    """what it holds of each now"""
    burnt: int
    """liquidity tokens of this pair that were burnt on balance (negative: minted)"""
    supply: int | None
    """liquidity tokens that existed before; None if not seen"""

    @property
    def product_kept(self) -> float:
        """The product of the holdings now, as a fraction of what it was."""
        return (self.after[0] / self.before[0]) * (self.after[1] / self.before[1])

    @property
    def worth_kept(self) -> float | None:
        """What one liquidity token stands for now, as a fraction of before; None if the supply is not known.

        Swaps and fees never lower it, nor do honest deposits and withdrawals of liquidity.
        """
        if self.burnt == 0:
            return math.sqrt(self.product_kept)
        if not self.supply or self.supply <= self.burnt:
            return None
        return math.sqrt(self.product_kept) * (self.supply / (self.supply - self.burnt))


@dataclass(frozen=True, slots=True)
class Market:
    """Everything known of prices before the transaction."""

    pairs: Mapping[Address, Pair]
    concentrated: frozenset[Address]
    """pools with concentrated liquidity that swapped or paid out positions"""
    prices: Mapping[Asset, float]
    """value of one smallest unit, in one unit of account for all assets that are connected; absent: not known"""
    roots: Mapping[Address, int] = field(default_factory=dict)
    """pool with concentrated liquidity -> square root of its price before, times 2**96, where storage shows it"""

    def value(self, amounts: Mapping[Asset, int]) -> tuple[float, bool]:
        """(sum of the priced amounts, True if every amount had a price)."""
        total, complete = 0.0, True
        for asset, amount in amounts.items():
            price = self.prices.get(asset)
            if price is None:
                complete = False
            else:
                total += amount * price
        return total, complete


def survey(
    facts: Facts,
    ledger: Ledger,
    simulation: SimulationResult,
    wrapped: Set[Asset],
    moved: Mapping[Address, Moved] = {},
) -> Market:
    """Find the pools and price what they trade; linear in logs and accesses.

    `wrapped`: what `wrappers` found. `moved`: pools that the sender bent lately; where nothing is traded in one now,
    what it said before speaks.
    """
    swaps: dict[Address, int] = {}
    paying: set[Address] = set()
    for log in simulation.trace.events(_CONCENTRATED):
        if log.reverted:
            continue
        if log.topics[0] in SWAPPED and len(log.data) >= 160:
            swaps.setdefault(log.address, int.from_bytes(log.data[64:96], "big"))
        elif log.topics[0] in (V3_BURN, V3_COLLECT):
            paying.add(log.address)
    announced = {row.pool: row.before or _beside_a_flag(row, simulation) for row in facts.reserves}
    pairs = {
        address: pair for address, noted in announced.items() if (pair := _pair(address, noted, ledger)) is not None
    }
    pairs.update(
        _flashed({pool: announced[pool] for pool in announced.keys() - pairs.keys()}, facts, ledger, simulation)
    )
    edges = [_edge(pair.tokens, pair.before) for pair in pairs.values()]
    roots = _roots(swaps.keys(), simulation)
    edges += _concentrated_edges(swaps, roots, ledger)
    edges += [_moved_edge(move) for pool, move in moved.items() if pool not in announced and pool not in swaps]
    prices = _spread(edges, [(token, NATIVE, 1.0, float("inf")) for token in wrapped])
    for pair in pairs.values():
        if pair.supply and pair.tokens[0] in prices and Asset(pair.address) not in prices:
            worth = 2 * pair.before[0] * prices[pair.tokens[0]]  # both sides of a pair are worth the same
            prices[Asset(pair.address)] = worth / pair.supply
    return Market(pairs, frozenset(swaps) | paying, prices, roots)


Edge = tuple[Asset, Asset, float, float]
"""(asset, other, price of one unit of asset in units of other, depth in units of other)"""


def _pair(address: Address, noted: tuple[int, int] | None, ledger: Ledger) -> Pair | None:
    """The pair by what it held, but for what it had not yet noted: that was sent in advance, for a swap to come."""
    changes = {
        asset: amount
        for asset, amount in ledger.net.get(address, {}).items()
        if asset.item is None and asset.token != address and asset != NATIVE
    }
    known = [asset for asset in changes if ledger.before.get((address, asset))]
    if len(known) != 2 or len(changes) != 2:
        return None
    first, second = known
    held = (ledger.before[address, first], ledger.before[address, second])
    after = (max(0, held[0] + changes[first]), max(0, held[1] + changes[second]))
    before = _settled(held, noted if noted is None or first < second else noted[::-1])
    liquidity = Asset(address)
    burnt = -ledger.minted.get(liquidity, 0)
    return Pair(address, (first, second), before, after, burnt, ledger.supply.get(liquidity))


def _beside_a_flag(row: Reserves, simulation: SimulationResult) -> tuple[int, int] | None:
    """The reserves before where a lock lies in front of them in their word."""
    diff = simulation.state_diff.get(row.pool)
    if row.after is None or diff is None or max(row.after) > MASK_112:
        return None
    packed = row.after[0] | row.after[1] << 112
    for before, after in diff.storage.values():
        if after >> 8 & (1 << 224) - 1 == packed:
            return before >> 8 & MASK_112, before >> 120 & MASK_112
    return None


def _settled(held: tuple[int, int], noted: tuple[int, int] | None) -> tuple[int, int]:
    if noted is None or not min(noted):
        return held
    return min(held[0], noted[0]), min(held[1], noted[1])


def _flashed(
    pools: Mapping[Address, tuple[int, int] | None], facts: Facts, ledger: Ledger, simulation: SimulationResult
) -> dict[Address, Pair]:
    """Pairs of which one side came back as it was; what they hold of it they asked the token themselves."""
    if not pools:
        return {}
    asked: dict[Address, dict[Asset, tuple[int, int]]] = defaultdict(dict)
    for frame in simulation.trace.select(selectors=_QUERIES, from_=pools.keys()):
        pool = frame.from_
        if frame.input[16:36] != pool or frame.to is None:
            continue
        if len(frame.output) >= 32 and not frame.error:
            stock = int.from_bytes(frame.output[:32], "big")
            asked[pool].setdefault(Asset(frame.to), (frame.entered, stock))
    found = {}
    for pool, answers in asked.items():
        changes = ledger.net.get(pool, {})
        both = all(asset in changes for asset in answers)
        if len(answers) != 2 or both or any(asset.token == pool for asset in answers):
            continue
        stocks = {}
        for asset, (at, stock) in answers.items():
            moved = sum(
                (move.to == pool) * move.amount - (move.from_ == pool) * move.amount
                for move in facts.transfers
                if move.token == asset.token and move.sequence < at
            )
            stocks[asset] = stock - moved
        if min(stocks.values()) <= 0:
            continue
        first, second = stocks
        held = (stocks[first], stocks[second])
        after = (max(0, held[0] + changes.get(first, 0)), max(0, held[1] + changes.get(second, 0)))
        noted = pools[pool]
        before = _settled(held, noted if noted is None or first < second else noted[::-1])
        liquidity = Asset(pool)
        burnt = -ledger.minted.get(liquidity, 0)
        found[pool] = Pair(pool, (first, second), before, after, burnt, ledger.supply.get(liquidity))
    return found


def _edge(tokens: tuple[Asset, Asset], reserves: tuple[int, int]) -> Edge:
    return tokens[0], tokens[1], reserves[1] / reserves[0], float(reserves[1])


def _moved_edge(move: Moved) -> Edge:
    first, second = (Asset(token) for token in move.tokens)
    root, none = move.before
    if none:
        return _edge((first, second), move.before)
    return first, second, (root / 2**96) ** 2, 1.0  # how deep it is was not noted: any other pool speaks before it


def _roots(pools: Set[Address], simulation: SimulationResult) -> dict[Address, int]:
    return {
        use.address: root
        for use in (simulation.trace.slots_of(pools) if pools else ())
        if use.slot == 0 and (root := use.before & MASK_160)
    }


def _concentrated_edges(swaps: Mapping[Address, int], roots: Mapping[Address, int], ledger: Ledger) -> list[Edge]:
    edges = []
    for pool, later in swaps.items():
        tokens = sorted(asset for asset in ledger.net.get(pool, {}) if asset.item is None and asset != NATIVE)
        root = roots.get(pool) or later
        if len(tokens) != 2 or not root:
            continue
        depth = ledger.before.get((pool, tokens[1])) or abs(ledger.net[pool][tokens[1]])
        edges.append((tokens[0], tokens[1], (root / 2**96) ** 2, float(depth)))
    return edges


def wrappers(facts: Facts, simulation: SimulationResult) -> set[Asset]:
    """Tokens that are the chain's coin in another form.

    Either this transaction shows it, by a token that is minted against, or burnt for, the same amount of coin in the
    same contract; or the code that ran says it: it has the two doors and the two events of a wrapped coin.
    """
    spoken = [move for move in facts.transfers if move.standard is _ERC20]
    tokens = {move.token for move in spoken}
    made = [move for move in spoken if move.from_ == ZERO_ADDRESS or move.to == ZERO_ADDRESS]
    paid = facts.transfers if made else ()
    coin = {(move.from_, move.to, move.amount) for move in paid if move.standard is TokenStandard.NATIVE}
    found = set()
    for move in made:
        entered = move.from_ == ZERO_ADDRESS and (move.to, move.token, move.amount) in coin
        left = move.to == ZERO_ADDRESS and (move.token, move.from_, move.amount) in coin
        if entered or left:
            found.add(Asset(move.token))
    remembered = _WRAPPING.get
    for link in simulation.trace.links if tokens else ():
        key = link.code_hash
        if key is None or remembered(key) is False or link.context not in tokens or link.context in simulation.created:
            continue
        if _wraps(key, simulation.trace.codes or {}):
            found.add(Asset(link.context))
    return found


def _wraps(key: Hash32, codes: Mapping[Hash32, bytes]) -> bool:
    """True if the code has the parts of a wrapped coin; asked once for each code."""
    known = _WRAPPING.get(key)
    if known is None:
        code = codes.get(key)
        if code is None:
            return False
        if len(_WRAPPING) >= CODES_REMEMBERED:
            _WRAPPING.clear()
        small = len(code) <= WRAPPER_SIZE
        known = small and all(code.find(part) >= 0 for part in (DEPOSIT, WITHDRAWAL, WRAP, UNWRAP))
        _WRAPPING[key] = known
    return known


def _spread(edges: list[Edge], coins: list[Edge]) -> dict[Asset, float]:
    """Price every asset that a chain of pools connects to the coin, or else to the busiest one.

    `coins` tie other forms of the coin to it; alone they price nothing. Deeper pools speak first.
    """
    links: dict[Asset, list[tuple[Asset, float, float]]] = defaultdict(list)
    for asset, other, price, depth in (*edges, *coins):
        if price <= 0.0 or price == float("inf"):
            continue
        links[asset].append((other, 1.0 / price, depth))
        links[other].append((asset, price, depth / price if price else 0.0))
    prices: dict[Asset, float] = {}
    if not links:
        return prices
    forms = {NATIVE, *(asset for asset, *_ in coins)}
    traded = {asset for edge in edges for asset in edge[:2]}
    root = NATIVE if forms & traded or not edges else min(traded, key=lambda asset: (-len(links[asset]), asset))
    heap: list[tuple[float, Asset, float]] = [(float("-inf"), root, 1.0)]
    while heap:
        _, asset, price = heapq.heappop(heap)
        if asset in prices:
            continue
        prices[asset] = price
        for other, factor, depth in links[asset]:
            if other not in prices:
                heapq.heappush(heap, (-depth * price * factor, other, price * factor))
    return prices

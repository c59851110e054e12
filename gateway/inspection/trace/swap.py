"""Which way the trades went in each pool, read from the events that pools emit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.decoding.keccak import keccak256
from gateway.model.primitive import Address
from gateway.model.trace import Log, SimulationResult

Direction = tuple[bytes, bytes]
"""(what came in, what went out), in whatever words the pool's event uses"""


def _topic(signature: str) -> bytes:
    return bytes(keccak256(signature.encode()))


PAIR = _topic("Swap(address,uint256,uint256,uint256,uint256,address)")
SIGNED = frozenset(
    {
        _topic("Swap(address,address,int256,int256,uint160,uint128,int24)"),
        _topic("Swap(address,address,int256,int256,uint160,uint128,int24,uint128,uint128)"),
    }
)
SINGLETON = _topic("Swap(bytes32,address,int128,int128,uint160,uint128,int24,uint24)")
"""Uniswap v4: one contract for all pools, named by the first topic; amounts as the trader sees them"""
HOUSE = _topic("Swap(bytes32,address,address,uint256,uint256)")
"""Balancer v2: one contract keeps the tokens of all pools; topics name the pool, what came in and what went out"""
LOGGED = _topic("LOG_SWAP(address,address,address,uint256,uint256)")
"""topics name the caller, what came in and what went out"""
WORDS = {
    _topic("TokenExchange(address,int128,uint256,int128,uint256)"): (0, 2),
    _topic("TokenExchange(address,uint256,uint256,uint256,uint256)"): (0, 2),
    _topic("TokenExchange(address,uint256,uint256,uint256,uint256,uint256,uint256)"): (0, 2),
    _topic("TokenExchangeUnderlying(address,int128,uint256,int128,uint256)"): (0, 2),
    _topic("DODOSwap(address,address,uint256,uint256,address,address)"): (0, 1),
}
"""topic -> positions of the data words that name what came in and what went out"""
BOUGHT = _topic("TokenPurchase(address,uint256,uint256)")
SOLD = _topic("EthPurchase(address,uint256,uint256)")
_SWAPS = frozenset({PAIR, SINGLETON, BOUGHT, SOLD, HOUSE, LOGGED, *SIGNED, *WORDS})


@dataclass(frozen=True, slots=True)
class Trades:
    """The directions in which each pool was traded, in order, without repetitions."""

    directions: Mapping[Address, tuple[Direction, ...]]

    @property
    def round_trips(self) -> tuple[Address, ...]:
        """Pools that were traded both ways between the same two assets."""
        return tuple(
            pool
            for pool, ways in self.directions.items()
            if any((outgoing, incoming) in ways for incoming, outgoing in ways if incoming < outgoing)
        )


def trades(simulation: SimulationResult) -> Trades:
    """Read every swap event that stood; linear in logs."""
    found: dict[Address, dict[Direction, None]] = defaultdict(dict)
    for log in simulation.trace.events(_SWAPS):
        if log.reverted:
            continue
        way = _direction(log)
        if way is not None and way[0] != way[1]:
            found[log.address][way] = None
    return Trades({pool: tuple(ways) for pool, ways in found.items()})


def _direction(log: Log) -> Direction | None:
    topic = log.topics[0]
    if topic == PAIR:
        return _pair_direction(log.data)
    if topic in SIGNED and log.data:
        return (b"0", b"1") if log.data[0] < 0x80 else (b"1", b"0")
    if topic == SINGLETON and log.data and len(log.topics) > 1:
        pool = log.topics[1]
        return (pool + b"1", pool + b"0") if log.data[0] < 0x80 else (pool + b"0", pool + b"1")
    if topic in (HOUSE, LOGGED) and len(log.topics) > 3:
        pool = log.topics[1] if topic == HOUSE else b""
        return pool + log.topics[2], pool + log.topics[3]
    if topic in WORDS:
        first, second = WORDS[topic]
        words = [log.data[at * 32 : at * 32 + 32] for at in (first, second)]
        return (words[0], words[1]) if len(words[1]) == 32 else None
    if topic in (BOUGHT, SOLD):
        return (b"0", b"1") if topic == BOUGHT else (b"1", b"0")
    return None


def _pair_direction(data: bytes) -> Direction | None:
    """A flash swap in one asset has no direction; with fees on transfer both amounts in may be set."""
    if len(data) < 128:
        return None
    in0, in1, out0, out1 = (int.from_bytes(data[at : at + 32], "big") for at in range(0, 128, 32))
    if in0 > out0 and out1 > in1:
        return b"0", b"1"
    if in1 > out1 and out0 > in0:
        return b"1", b"0"
    return None

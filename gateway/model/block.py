"""The block a transaction is executed in, and the forks that set its rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.model.primitive import Address, Hash32


class Fork(StrEnum):
    """Ethereum rule sets in order of activation; compare with `Fork.at_least`."""

    FRONTIER = "Frontier"
    HOMESTEAD = "Homestead"
    TANGERINE_WHISTLE = "TangerineWhistle"
    SPURIOUS_DRAGON = "SpuriousDragon"
    BYZANTIUM = "Byzantium"
    CONSTANTINOPLE = "Constantinople"
    PETERSBURG = "Petersburg"
    ISTANBUL = "Istanbul"
    BERLIN = "Berlin"
    LONDON = "London"
    PARIS = "Paris"
    SHANGHAI = "Shanghai"
    CANCUN = "Cancun"
    PRAGUE = "Prague"
    OSAKA = "Osaka"

    def at_least(self, other: Fork) -> bool:
        """True if this fork has the rules of `other` or later ones."""
        return _ORDER[self] >= _ORDER[other]


_ORDER = {fork: index for index, fork in enumerate(Fork)}


@dataclass(frozen=True, slots=True)
class BlockRef:
    """One block by number and hash."""

    number: int
    hash: Hash32
    parent_hash: Hash32
    timestamp: int
    """seconds since 1970"""


@dataclass(frozen=True, slots=True)
class BlockContext:
    """The environment that block opcodes see: the block being built, not its parent."""

    number: int
    timestamp: int
    """seconds since 1970"""
    coinbase: Address
    gas_limit: int
    base_fee: int
    """wei; 0 before London"""
    prev_randao: Hash32
    """PREVRANDAO from Paris on, else the difficulty as 32 bytes"""
    chain_id: int
    fork: Fork
    blob_base_fee: int = 1
    """wei (EIP-4844); 1 is the minimum"""
    block_hashes: Mapping[int, Hash32] = field(default_factory=dict)
    """number -> hash for BLOCKHASH; an absent number must be asked for, or is zero in a complete world"""

"""Headers of the chain, and what changed when the head moved."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.model.block import BlockRef
from gateway.model.primitive import Address, Hash32


@dataclass(frozen=True, slots=True)
class Header:
    """The parts of a block header that the next block's environment follows from."""

    ref: BlockRef
    coinbase: Address
    gas_limit: int
    gas_used: int
    base_fee: int | None
    """wei; None before London"""
    prev_randao: Hash32
    """mixHash from Paris on, else the difficulty as 32 bytes"""
    excess_blob_gas: int | None = None
    blob_gas_used: int | None = None
    withdrawals: tuple[Address, ...] = ()
    """accounts credited outside of any transaction; empty also if the upstream sent a header without body"""

    @property
    def number(self) -> int:
        """The block's number."""
        return self.ref.number

    @property
    def hash(self) -> Hash32:
        """The block's hash."""
        return self.ref.hash


@dataclass(frozen=True, slots=True)
class HeadChange:
    """The head moved from one block to another: undo `dropped`, then do `added`."""

    dropped: tuple[Header, ...]
    """blocks that are no longer part of the chain, newest first; empty unless it was a reorg"""
    added: tuple[Header, ...]
    """blocks that now are, oldest first; empty if the head only went back"""
    head: Header
    """the new head"""
    continuous: bool = True
    """False if the way from the old head is unknown (start, or a reorg deeper than what is remembered): whatever
    was known of the state is void"""
    seen_at: float = 0.0
    """monotonic seconds when the new head was first seen"""

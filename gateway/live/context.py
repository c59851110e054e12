"""The environment of the block being built, predicted from its parent."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.model.block import BlockContext, Fork
from gateway.model.chain import ChainProfile
from gateway.model.head import Header
from gateway.model.primitive import Hash32

ELASTICITY = 2
DENOMINATOR = 8
"""EIP-1559's values; chains with others are covered by what their node says (eth_feeHistory)"""

_TARGET_BLOB_GAS = {Fork.CANCUN: 393_216, Fork.PRAGUE: 786_432, Fork.OSAKA: 786_432}
"""EIP-4844, EIP-7691"""
_BLOB_FRACTION = {Fork.CANCUN: 3_338_477, Fork.PRAGUE: 5_007_716, Fork.OSAKA: 5_007_716}


@dataclass(frozen=True, slots=True)
class NextFees:
    """What the node itself says about the block after its head (eth_feeHistory); wei."""

    base_fee: int
    blob_base_fee: int | None = None


def next_base_fee(parent: Header) -> int:
    """EIP-1559's base fee of the block after `parent`, in wei; 0 before London."""
    if parent.base_fee is None:
        return 0
    target = parent.gas_limit // ELASTICITY
    if parent.gas_used == target or target == 0:
        return parent.base_fee
    change = parent.base_fee * abs(parent.gas_used - target) // target // DENOMINATOR
    if parent.gas_used > target:
        return parent.base_fee + max(change, 1)
    return parent.base_fee - change


def next_blob_base_fee(parent: Header, fork: Fork) -> int:
    """EIP-4844's blob base fee of the block after `parent`, in wei; 1 where there are no blobs."""
    if parent.excess_blob_gas is None or parent.blob_gas_used is None or fork not in _TARGET_BLOB_GAS:
        return 1
    excess = max(parent.excess_blob_gas + parent.blob_gas_used - _TARGET_BLOB_GAS[fork], 0)
    return _fake_exponential(1, excess, _BLOB_FRACTION[fork])


def next_timestamp(parent: int, recent: Sequence[int], now: float) -> int:
    """Seconds since 1970 of the next block.

    A chain with a fixed step (`recent` timestamps, ascending, ending with the parent's) goes one step on; any other is
    taken to stamp the time of building. Never before the parent, whatever the local clock says.
    """
    steps = {later - earlier for earlier, later in itertools.pairwise(recent)}
    if len(recent) > 4 and len(steps) == 1:
        step = steps.pop()
        if step > 0:
            missed = max(int(now) - parent, 0) // step
            # A block is stamped with its slot; later than two slots the chain stood still and catches up by the clock.
            return parent + step * max(missed, 1) if missed > 2 else parent + step
    return max(parent, int(now))


def next_context(
    parent: Header,
    profile: ChainProfile,
    *,
    now: float,
    recent: Sequence[int] = (),
    fees: NextFees | None = None,
    block_hashes: Mapping[int, Hash32] | None = None,
) -> BlockContext:
    """The block after `parent`. PREVRANDAO and coinbase are the parent's: the best guess there is."""
    timestamp = next_timestamp(parent.ref.timestamp, recent, now)
    fork = profile.fork_at(timestamp)
    blob_base_fee = fees.blob_base_fee if fees is not None else None
    return BlockContext(
        number=parent.number + 1,
        timestamp=timestamp,
        coinbase=parent.coinbase,
        gas_limit=parent.gas_limit,
        base_fee=fees.base_fee if fees is not None else next_base_fee(parent),
        prev_randao=parent.prev_randao,
        chain_id=profile.chain_id,
        fork=fork,
        blob_base_fee=blob_base_fee if blob_base_fee is not None else next_blob_base_fee(parent, fork),
        block_hashes=block_hashes or {},
    )


def _fake_exponential(factor: int, numerator: int, denominator: int) -> int:
    """EIP-4844's integer approximation of factor * e ** (numerator / denominator)."""
    index, output, term = 1, 0, factor * denominator
    while term > 0:
        output += term
        term = term * numerator // (denominator * index)
        index += 1
    return output // denominator

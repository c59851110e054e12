"""What an OP-Stack chain takes beside gas: the L1 data fee, and from Isthmus on the operator fee.

The formulas are those of https://specs.optimism.io/protocol/exec-engine.html (data fees),
https://specs.optimism.io/protocol/fjord/exec-engine.html#fees,
https://specs.optimism.io/protocol/isthmus/exec-engine.html#fees and
https://specs.optimism.io/protocol/jovian/exec-engine.html#operator-fee; the crate op-revm (src/l1block.rs) has the
same. Both fees are taken from the sender before execution, so a balance that covers gas and value alone is not enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gateway.model.chain import OpUpgrade
from gateway.model.primitive import Address

L1_BLOCK: Final = Address.fromhex("4200000000000000000000000000000000000015")
"""the predeploy in which the sequencer writes what it knows of L1"""
BASE_FEE, SCALARS, OVERHEAD, SCALAR, BLOB_BASE_FEE, OPERATOR = 1, 3, 5, 6, 7, 8
SLOTS: Final = (BASE_FEE, SCALARS, OVERHEAD, SCALAR, BLOB_BASE_FEE, OPERATOR)
"""its slots that fees are computed from"""

_INTERCEPT, _COEFFICIENT, _LEAST = -42_585_600, 836_500, 100_000_000
"""of the linear estimate of a transaction's compressed size, in millionths of a byte"""
_WINDOW, _CELLS = 0x1FFF, 0x2000
_TAIL = 13
"""FastLZ looks for no repetition in the last bytes"""
_LONGEST = 262


def data_fee(raw: bytes, slots: Mapping[int, int], upgrade: OpUpgrade = OpUpgrade.JOVIAN) -> int:
    """Wei for publishing the signed bytes `raw` on L1; `slots` are those of the predeploy."""
    scalars = slots[SCALARS]
    base_scalar, blob_scalar = scalars >> 96 & 0xFFFFFFFF, scalars >> 64 & 0xFFFFFFFF
    price = 16 * base_scalar * slots[BASE_FEE] + blob_scalar * slots[BLOB_BASE_FEE]
    if upgrade >= OpUpgrade.FJORD:
        return max(_LEAST, _INTERCEPT + _COEFFICIENT * compressed_size(raw)) * price // 10**12
    if upgrade >= OpUpgrade.ECOTONE and (base_scalar or blob_scalar):
        return price * data_gas(raw) // (16 * 10**6)
    # so it stays in Ecotone's first block, whose scalars are not yet set
    return (data_gas(raw) + slots[OVERHEAD]) * slots[BASE_FEE] * slots[SCALAR] // 10**6


def data_gas(raw: bytes) -> int:
    """Gas that the bytes would cost as calldata on L1, as counted before Fjord."""
    return 16 * len(raw) - 12 * raw.count(0)


def operator_fee(gas_limit: int, slots: Mapping[int, int], upgrade: OpUpgrade = OpUpgrade.JOVIAN) -> int:
    """Wei for the operator, as far as it is taken up front."""
    if upgrade < OpUpgrade.ISTHMUS:
        return 0
    scalar, constant = slots[OPERATOR] >> 64 & 0xFFFFFFFF, slots[OPERATOR] & 0xFFFFFFFFFFFFFFFF
    if upgrade >= OpUpgrade.JOVIAN:
        return gas_limit * scalar * 100 + constant
    return gas_limit * scalar // 10**6 + constant


def compressed_size(data: bytes) -> int:
    """Bytes that FastLZ level 1 makes of `data`, with the hash and window that the Fjord specification fixes."""
    last_seen = [0] * _CELLS
    end = max(len(data) - _TAIL, 0)
    size = literal_start = 0
    position = 2
    while position < end:
        triple = data[position : position + 3]
        cell = _cell(triple)
        earlier, last_seen[cell] = last_seen[cell], position
        if position - earlier > _WINDOW or data[earlier : earlier + 3] != triple:
            position += 1
            continue
        if position + 1 >= end:
            break  # found too late: the specification's loop has ended
        size += _literals(position - literal_start)
        length = _common(data, earlier + 3, position + 3, end + 9)
        size += _match(length)
        position += length
        for _ in range(2):
            last_seen[_cell(data[position : position + 3])] = position
            position += 1
        literal_start = position
    return size + _literals(len(data) - literal_start)


def _cell(triple: bytes) -> int:
    return (2_654_435_769 * int.from_bytes(triple, "little") & 0xFFFFFFFF) >> 19


def _common(data: bytes, first: int, second: int, end: int) -> int:
    """How far the two places agree, counting the first byte that differs."""
    length = 0
    while second + length < end:
        length += 1
        if data[first + length - 1] != data[second + length - 1]:
            break
    return length


def _literals(count: int) -> int:
    whole, rest = divmod(count, 32)
    return whole * 33 + (rest + 1 if rest else 0)


def _match(length: int) -> int:
    whole, rest = divmod(length - 1, _LONGEST)
    return whole * 3 + (3 if rest >= 6 else 2)

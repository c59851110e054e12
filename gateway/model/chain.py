"""What differs between chains: forks, native types, extra fees, precompiles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from gateway.model.block import Fork
from gateway.model.primitive import Address


class FeeRule(StrEnum):
    """What a transaction costs beside its gas."""

    NONE = "none"
    OP_STACK = "op-stack"
    """L1 data fee and, from Isthmus on, operator fee, read from the L1Block predeploy"""


class OpUpgrade(IntEnum):
    """Upgrades of the OP Stack that changed a fee formula; https://specs.optimism.io/protocol/upgrades.html."""

    REGOLITH = 0
    ECOTONE = 1
    FJORD = 2
    ISTHMUS = 3
    JOVIAN = 4


@dataclass(frozen=True, slots=True)
class ChainProfile:
    """One chain."""

    name: str
    chain_id: int
    forks: tuple[tuple[int, Fork], ...]
    """(activation timestamp in seconds, fork) in ascending order; the first starts at 0"""
    native_types: Mapping[int, str] = field(default_factory=dict)
    """type byte -> what the chain calls it; refused by that name in raw submissions"""
    fee_rule: FeeRule = FeeRule.NONE
    op_upgrades: tuple[tuple[int, OpUpgrade], ...] = ((0, OpUpgrade.JOVIAN),)
    """(activation timestamp in seconds, upgrade) in ascending order, the first at 0; read with `OP_STACK` fees only"""
    p256: bool = False
    """RIP-7212 precompile at 0x100 before Osaka brought it"""
    wrapped_coin: Address | None = None
    """the token that is the chain's own coin, one for one; only for valuing what is lost"""

    def fork_at(self, timestamp: int) -> Fork:
        """The fork in force at `timestamp` (seconds)."""
        return max((entry for entry in self.forks if entry[0] <= timestamp), key=lambda entry: entry[0])[1]

    def op_upgrade_at(self, timestamp: int) -> OpUpgrade:
        """The fee formula in force at `timestamp` (seconds)."""
        return max(entry for entry in self.op_upgrades if entry[0] <= timestamp)[1]

"""Chain state as it travels to an engine, and the keys an engine asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.model.primitive import EMPTY_CODE_HASH, Address, Hash32


@dataclass(frozen=True, slots=True)
class AccountState:
    """Nonce, balance and code of one account; storage travels apart, slot by slot."""

    nonce: int = 0
    balance: int = 0
    """wei"""
    code: bytes = b""
    code_hash: Hash32 = EMPTY_CODE_HASH


@dataclass(frozen=True, slots=True)
class StateKeys:
    """What an engine wants to know, for one batched fetch."""

    accounts: frozenset[Address] = frozenset()
    slots: frozenset[tuple[Address, int]] = frozenset()
    block_hashes: frozenset[int] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.accounts or self.slots or self.block_hashes)


@dataclass(frozen=True, slots=True)
class StateBatch:
    """Known values at one block. A zero that stands here is known to be zero."""

    accounts: Mapping[Address, AccountState] = field(default_factory=dict)
    slots: Mapping[tuple[Address, int], int] = field(default_factory=dict)
    block_hashes: Mapping[int, Hash32] = field(default_factory=dict)

"""What is known of the state at one block, and how a new block changes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.model.primitive import Address, Hash32
from gateway.model.state import AccountState, StateBatch, StateKeys


@dataclass(frozen=True, slots=True)
class StateChange:
    """What one step of the head does to known state: new values, and what is no longer known."""

    values: StateBatch = field(default_factory=StateBatch)
    forgotten_accounts: frozenset[Address] = frozenset()
    forgotten_storage: frozenset[Address] = frozenset()
    """accounts all of whose slots are no longer known, but for those in `values`"""
    storage_hashes: Mapping[Address, Hash32] = field(default_factory=dict)
    """storage roots at the new head, where the upstream told them"""
    reorganised: bool = False
    """True: numbers may name other blocks than before"""
    everything: bool = False
    """True: nothing but `values` is known any more"""


@dataclass(slots=True)
class StateCache:
    """Known values at exactly one block. A key that is absent is unknown, not zero."""

    max_keys: int = 500_000
    accounts: dict[Address, AccountState] = field(default_factory=dict)
    slots: dict[tuple[Address, int], int] = field(default_factory=dict)
    block_hashes: dict[int, Hash32] = field(default_factory=dict)
    storage_hashes: dict[Address, Hash32] = field(default_factory=dict)
    _slots_of: dict[Address, set[int]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.accounts) + len(self.slots)

    def unknown(self, keys: StateKeys) -> StateKeys:
        """The part of `keys` that is not known."""
        return StateKeys(
            accounts=frozenset(address for address in keys.accounts if address not in self.accounts),
            slots=frozenset(slot for slot in keys.slots if slot not in self.slots),
            block_hashes=frozenset(number for number in keys.block_hashes if number not in self.block_hashes),
        )

    def add(self, batch: StateBatch) -> StateBatch:
        """Add values of this very block; returns those that were new. What is already known is not touched."""
        new = StateBatch(
            accounts={key: value for key, value in batch.accounts.items() if key not in self.accounts},
            slots={key: value for key, value in batch.slots.items() if key not in self.slots},
            block_hashes={key: value for key, value in batch.block_hashes.items() if key not in self.block_hashes},
        )
        self._put(new)
        return new

    def change(self, change: StateChange) -> bool:
        """Move on to another block. True if only values were added or replaced, so that nothing known was forgotten."""
        if change.everything or len(self) > self.max_keys:
            self.accounts, self.slots, self._slots_of, self.storage_hashes = {}, {}, {}, {}
            self.block_hashes = {}
            self._put(change.values)
            return False
        forgot = change.reorganised and bool(self.block_hashes)
        if change.reorganised:
            self.block_hashes = {}
        for address in change.forgotten_accounts:
            forgot |= self.accounts.pop(address, None) is not None
        for address in change.forgotten_storage:
            known = self._slots_of.pop(address, set())
            self.storage_hashes.pop(address, None)
            for slot in known:
                del self.slots[(address, slot)]
                forgot |= (address, slot) not in change.values.slots
        self._put(change.values)
        # A root says nothing about slots that were carried over in any other way.
        self.storage_hashes = dict(change.storage_hashes)
        return not forgot

    def slots_of(self, address: Address) -> frozenset[int]:
        """The known slots of one account."""
        return frozenset(self._slots_of.get(address, ()))

    def everything(self) -> StateBatch:
        """All known values, to fill an empty world with."""
        return StateBatch(accounts=self.accounts, slots=self.slots, block_hashes=self.block_hashes)

    def _put(self, batch: StateBatch) -> None:
        self.accounts.update(batch.accounts)
        self.slots.update(batch.slots)
        self.block_hashes.update(batch.block_hashes)
        for address, slot in batch.slots:
            self._slots_of.setdefault(address, set()).add(slot)

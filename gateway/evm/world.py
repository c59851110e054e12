"""Known chain state in layers: cheap to fork, and small to send to a worker that has most of it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.decoding.keccak import keccak256
from gateway.model.primitive import Address, Hash32
from gateway.model.state import AccountState, StateBatch
from gateway.model.trace import AccountDiff, StateDiff

_ids = itertools.count(1)


@dataclass(slots=True)
class Segment:
    """One layer. Once another world shares it, it never changes again, so its id names its content."""

    id: int = field(default_factory=lambda: next(_ids))
    accounts: dict[Address, AccountState] = field(default_factory=dict)
    slots: dict[tuple[Address, int], int] = field(default_factory=dict)
    block_hashes: dict[int, Hash32] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Entries held."""
        return len(self.accounts) + len(self.slots) + len(self.block_hashes)


class LayeredWorld:
    """A World (see simulator.py) for engines that read Python values."""

    def __init__(self, *, complete: bool = False, segments: tuple[Segment, ...] = ()) -> None:
        self.complete = complete
        self._frozen = segments
        self._open = Segment()

    def load(self, batch: StateBatch) -> None:
        """Add known values; a value already known is replaced."""
        self._open.accounts.update(batch.accounts)
        self._open.slots.update(batch.slots)
        self._open.block_hashes.update(batch.block_hashes)

    def apply(self, diff: StateDiff) -> None:
        """Put the effects of an executed transaction on top.

        In an incomplete world the accounts that are not known stay unknown: a difference alone is no account.
        """
        for address, change in diff.items():
            known = self.account(address)
            if known is None and self.complete:
                known = AccountState()
            if known is not None:
                self._open.accounts[address] = _changed(known, change)
            for slot, (_, after) in change.storage.items():
                self._open.slots[address, slot] = after

    def fork(self) -> LayeredWorld:
        """A cheap independent copy: neither side sees the other's later loads or effects."""
        return LayeredWorld(complete=self.complete, segments=self.freeze())

    def freeze(self) -> tuple[Segment, ...]:
        """All layers, oldest first, none of which will change; later writes go to a new one.

        Neighbours of similar size are merged, so that n writes give about log n layers.
        """
        if self._open.size:
            layers = [*self._frozen, self._open]
            self._open = Segment()
            while len(layers) > 1 and layers[-1].size * 2 >= layers[-2].size:
                newer, older = layers.pop(), layers.pop()
                layers.append(
                    Segment(
                        accounts={**older.accounts, **newer.accounts},
                        slots={**older.slots, **newer.slots},
                        block_hashes={**older.block_hashes, **newer.block_hashes},
                    )
                )
            self._frozen = tuple(layers)
        return self._frozen

    def account(self, address: Address) -> AccountState | None:
        """The account, or None if it was never loaded."""
        for segment in self._layers():
            found = segment.accounts.get(address)
            if found is not None:
                return found
        return None

    def slot(self, address: Address, slot: int) -> int | None:
        """The value of a storage slot, or None if it was never loaded."""
        key = (address, slot)
        for segment in self._layers():
            found = segment.slots.get(key)
            if found is not None:
                return found
        return None

    def block_hash(self, number: int) -> Hash32 | None:
        """The hash of an ancestor, or None if it was never loaded."""
        for segment in self._layers():
            found = segment.block_hashes.get(number)
            if found is not None:
                return found
        return None

    def storage(self, address: Address) -> dict[int, int]:
        """All known slots of one account. Walks everything: for the rare account that is wiped."""
        found: dict[int, int] = {}
        for segment in (*self._frozen, self._open):
            found.update({slot: value for (owner, slot), value in segment.slots.items() if owner == address})
        return found

    def addresses(self) -> set[Address]:
        """Every account that was loaded or changed."""
        return {address for segment in self._layers() for address in segment.accounts}

    def _layers(self) -> Iterator[Segment]:
        yield self._open
        yield from reversed(self._frozen)


def _changed(account: AccountState, change: AccountDiff) -> AccountState:
    code, code_hash = account.code, account.code_hash
    if change.code is not None:
        code = change.code[1]
        code_hash = keccak256(code)
    return AccountState(
        nonce=account.nonce if change.nonce is None else change.nonce[1],
        balance=account.balance if change.balance is None else change.balance[1],
        code=code,
        code_hash=code_hash,
    )

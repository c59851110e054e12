"""One head with the worlds that stand on it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.evm.simulator import World
from gateway.live.context import NextFees
from gateway.live.pending import UNSEEN, Footprint
from gateway.model.head import Header
from gateway.model.pending import PendingEntry
from gateway.model.primitive import Address, Hash32
from gateway.model.state import StateBatch
from gateway.model.trace import AccountDiff, StateDiff
from gateway.model.transaction import Transaction


@dataclass(slots=True)
class Standing:
    """One forwarded transaction as this replica sees it."""

    entry: PendingEntry
    transaction: Transaction
    effects: StateDiff | None = None
    """None: it changes nothing on this head, because it is mined, was replaced, or cannot run"""
    mark: Footprint = UNSEEN
    replaced_by: Hash32 | None = None
    """a later transaction with the same sender and nonce; back in force if that one is taken back"""
    spent_since: int | None = None
    """number of the head at which its nonce was first seen used; None while it is not"""
    missing_since: float | None = None
    """monotonic seconds since when the upstream no longer knows it"""


@dataclass(slots=True)
class Stack:
    """A world with effects of forwarded transactions on top of the head's state."""

    world: World
    _accounts: set[Address] = field(default_factory=set)
    _slots: set[tuple[Address, int]] = field(default_factory=set)
    _coins: dict[Address, int] = field(default_factory=dict)
    """balances of accounts that collect fees: every transaction changes them, and nobody waits for them"""

    def load(self, batch: StateBatch) -> None:
        """Add values of the head; those that an effect has overwritten stay."""
        self.world.load(
            StateBatch(
                {key: value for key, value in batch.accounts.items() if key not in self._accounts},
                {key: value for key, value in batch.slots.items() if key not in self._slots},
                batch.block_hashes,
            )
        )

    def put(self, effects: StateDiff, coinbase: Address, balance: int) -> StateDiff:
        """Lay `effects` on top and return them as laid.

        They may have been computed below other effects that only share the coinbase's coins with them; `balance` is
        the coinbase's at the head.
        """
        change = effects.get(coinbase)
        if change is not None and change.balance is not None:
            before, after = change.balance
            present = self._coins.get(coinbase, balance)
            self._coins[coinbase] = max(present + after - before, 0)
            moved = AccountDiff((present, self._coins[coinbase]), change.nonce, change.code, change.storage)
            effects = {**effects, coinbase: moved}
        for address, change in effects.items():
            if change.balance is not None or change.nonce is not None or change.code is not None:
                self._accounts.add(address)
            self._slots.update((address, slot) for slot in change.storage)
        self.world.apply(effects)
        return effects


@dataclass(slots=True)
class View:
    """The head's state, and on top of it the effects of what was forwarded, in order."""

    head: Header
    base: World
    """exactly the head; never changed but by loading"""
    top: Stack
    """the base with the effects of `standing`"""
    fees: NextFees | None
    ready_at: float
    """monotonic seconds"""
    standing: list[Standing] = field(default_factory=list)
    """in order of forwarding"""
    seen: int = 0
    """the last place of the shared order that is on top"""
    incomplete: bool = False
    """True while `top` is not the effects of `standing`, because state for them could not be had"""
    _others: list[Stack] = field(default_factory=list)

    def load(self, batch: StateBatch) -> None:
        """Add values of the head to every world that stands on it."""
        self.base.load(batch)
        self.top.load(batch)
        for stack in self._others:
            stack.load(batch)

    @contextlib.contextmanager
    def another_stack(self) -> Iterator[Stack]:
        """A second, empty stack on the same base that is kept loaded while it is used."""
        stack = Stack(self.base.fork())
        self._others.append(stack)
        try:
            yield stack
        finally:
            self._others.remove(stack)

    def find(self, hash: Hash32) -> Standing | None:
        """The standing transaction with this hash."""
        return next((item for item in self.standing if item.entry.hash == hash), None)

    def occupant(self, sender: Address, nonce: int) -> Standing | None:
        """The transaction that was forwarded for this nonce and still has an effect."""
        for item in self.standing:
            if item.entry.sender == sender and item.entry.nonce == nonce and item.effects is not None:
                return item
        return None

"""The log of forwarded transactions that all replicas share, and what a simulation read and wrote."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.live.block_trace import Key
from gateway.model.pending import PendingEntry, PendingNews
from gateway.model.primitive import Address, Hash32
from gateway.model.trace import SimulationResult, StateDiff
from gateway.model.transaction import Transaction

ANY = ":"
"""matches every write"""
CREATION = ":+;"
"""written by every transaction that puts code somewhere, and read by all: EXTCODESIZE leaves no trace"""

MAX_READS = 512
"""reads named one by one; beyond, whole accounts are"""


class PendingLog(Protocol):
    """One order of forwarding for all replicas. Every method raises QueueUnavailable if the log is away."""

    async def append(
        self, entry: PendingEntry, *, seen: int, reads: Collection[str], writes: Collection[str]
    ) -> PendingNews:
        """Take the next place in the order; atomic.

        Not if an entry after place `seen` writes what `reads` names, or read what `writes` names: the sequencer may
        mine the two in either order, and neither was judged with the other in sight.

        `entry.sequence` is ignored. An entry whose hash is in the log is not added twice.
        """

    async def withdraw(self, entry: PendingEntry) -> int:
        """Take an entry back: it will not be mined. Returns the last place; idempotent."""

    async def after(self, seen: int) -> Sequence[PendingEntry]:
        """All entries after place `seen`, in order."""

    async def forget(self, hashes: Collection[Hash32]) -> None:
        """Drop entries that no replica can need any more; idempotent."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """What one simulation read and wrote; coins that only went to the block's coinbase are left out."""

    reads: frozenset[Key]
    any_account: bool
    """True: it may have read accounts that the trace does not name"""
    any_slot: bool
    """True: the engine does not tell storage accesses"""
    writes: frozenset[Key]
    creates: bool
    """True: it changed the code of an account"""
    succeeded: bool | None = None
    """how it ended; None if it was not simulated"""
    environment: bool = True
    """True: it read the block's environment, or may have"""
    gas_used: int = 0

    def meets(self, written: Collection[Key]) -> bool:
        """True if what was read may have been written since."""
        if self.any_slot and written:
            return True
        if self.any_account and any(slot is None for _, slot in written):
            return True
        return any(key in self.reads for key in written)

    def read_patterns(self) -> list[str]:
        """For `PendingLog.append`."""
        if self.any_slot:
            return [ANY]
        patterns = {_pattern(key) for key in self.reads}
        if len(patterns) > MAX_READS:
            patterns = {":" + address.hex() for address, _ in self.reads}
        if len(patterns) > MAX_READS:
            return [ANY]
        return [CREATION, *([ANY] if self.any_account else sorted(patterns))]

    def write_patterns(self) -> list[str]:
        """For `PendingLog.append`."""
        return [*([CREATION] if self.creates else []), *sorted(_pattern(key) for key in self.writes)]


UNSEEN = Footprint(frozenset(), False, False, frozenset(), creates=True)
"""Of a transaction that was never simulated: it takes its place whatever was forwarded before, and every other one is
judged again on top of it."""


def footprint(transaction: Transaction, result: SimulationResult) -> Footprint:
    """The footprint of one simulation."""
    accounts: set[Address] = {transaction.sender, *result.created, *result.destroyed}
    if transaction.to is not None:
        accounts.add(transaction.to)
    accounts.update(item.authority for item in transaction.authorization_list if item.authority is not None)
    for frame in result.trace.frames:
        accounts.add(frame.from_)
        if frame.to is not None:
            accounts.add(frame.to)
        if frame.code_address is not None:
            accounts.add(frame.code_address)
    uses, environment = result.trace.slots, result.trace.environment
    slots: set[Key] = {(use.address, use.slot) for use in uses or ()}
    writes, creates = _written(result.state_diff, result.block.coinbase)
    return Footprint(
        reads=frozenset({*slots, *((address, None) for address in accounts), *writes}),
        any_account=environment is None or any(read.opcode == "BALANCE" for read in environment),
        any_slot=uses is None,
        writes=writes,
        creates=creates,
        succeeded=result.succeeded,
        environment=environment is None or bool(environment),
        gas_used=result.gas_used,
    )


def _written(diff: StateDiff, coinbase: Address) -> tuple[frozenset[Key], bool]:
    keys: set[Key] = set()
    creates = False
    for address, change in diff.items():
        keys.update((address, slot) for slot in change.storage)
        creates |= change.code is not None
        only_coins = change.nonce is None and change.code is None
        if (change.balance is not None or not only_coins) and not (address == coinbase and only_coins):
            keys.add((address, None))
    return frozenset(keys), creates


def _pattern(key: Key) -> str:
    address, slot = key
    return f":{address.hex()};" if slot is None else f":{address.hex()}{slot:064x};"

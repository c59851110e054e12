"""What contracts wrote down about members of the ordering side, from the first write to the last."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Set
from dataclasses import dataclass

from gateway.inspection.consent.notes import holds_party
from gateway.model.fold import STRUCT_SPAN
from gateway.model.primitive import Address
from gateway.model.trace import SimulationResult


@dataclass(frozen=True, slots=True)
class Record:
    """One mapping entry that a contract keeps for one account, and what the transaction did to it."""

    slot: int
    before: int
    peak: int
    """the highest value it had on the way"""
    after: int

    @property
    def came_and_went(self) -> bool:
        """True if it rose and fell back: what was put in is out again."""
        return self.peak > self.before and self.after - self.before <= (self.peak - self.before) // 100

    @property
    def added(self) -> int:
        """What is written there now that was not before, in units of the entry; negative if it shrank."""
        return self.after - self.before


Records = Mapping[tuple[Address, Address], tuple[Record, ...]]
"""(contract, account) -> the entries of that account there which were written"""


def records(simulation: SimulationResult, contracts: Set[Address], accounts: Set[Address]) -> Records:
    """Entries of simple mappings that `contracts` keep for `accounts` and wrote.

    Pairs in which nothing can have come and gone are left out, so that accesses are seldom read; linear in both.
    """
    kept = _candidates(simulation, contracts, accounts)
    if not kept:
        return {}
    found: dict[tuple[Address, Address], list[Record]] = defaultdict(list)
    for contract, slot, before, peak, after in simulation.trace.peaks(kept.keys()):
        found[contract, kept[contract, slot]].append(Record(slot, before, peak, after))
    return {key: tuple(rows) for key, rows in found.items()}


def largest_entry(simulation: SimulationResult, contract: Address, accounts: Set[Address]) -> int | None:
    """The greatest number that `contract` had in any mapping entry for one of `accounts`, among those it looked at.

    None if it had none; the names of these accounts are no numbers. Numbers that are packed into one word count as one
    large number. Linear in slots.
    """
    preimages = simulation.trace.preimages or {}
    found = None
    for use in simulation.trace.slots or ():
        if use.address != contract or not use.before or holds_party(use.before, accounts):
            continue
        if _keyed_by(preimages, use.slot, accounts) is not None:
            found = max(found or 0, use.before)
    return found


def _candidates(
    simulation: SimulationResult, contracts: Set[Address], accounts: Set[Address]
) -> dict[tuple[Address, int], Address]:
    """(contract, slot) -> account, of every pair that has two written entries, or one that ended no higher."""
    preimages = simulation.trace.preimages or {}
    pairs: dict[tuple[Address, Address], list[tuple[int, bool]]] = defaultdict(list)
    for use in simulation.trace.written:
        if use.address not in contracts:
            continue
        account = _keyed_by(preimages, use.slot, accounts)
        if account is not None and account != use.address:
            diff = simulation.state_diff.get(use.address)
            after = diff.storage.get(use.slot, (use.before, use.before))[1] if diff is not None else use.before
            pairs[use.address, account].append((use.slot, after <= use.before))
    return {
        (contract, slot): account
        for (contract, account), slots in pairs.items()
        if len(slots) > 1 or slots[0][1]
        for slot, _ in slots
    }


def _keyed_by(preimages: Mapping[int, bytes], slot: int, accounts: Set[Address]) -> Address | None:
    for offset in range(STRUCT_SPAN):
        preimage = preimages.get(slot - offset)
        if preimage is None:
            continue
        if len(preimage) != 64:
            return None
        for word in (preimage[:32], preimage[32:]):
            if not any(word[:12]) and word[12:] in accounts:
                return Address(word[12:])
        return None
    return None

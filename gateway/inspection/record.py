"""What contracts wrote down about members of the ordering side, from the first write to the last."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Set
from dataclasses import dataclass

from gateway.inspection.consent import STRUCT_SPAN
from gateway.model.primitive import Address
from gateway.model.trace import AccessKind, SimulationResult


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


def records(simulation: SimulationResult, accounts: Set[Address]) -> Records:
    """Entries of simple mappings that are keyed by one of `accounts`; one pass over the writes that stood."""
    preimages, frames = simulation.trace.preimages or {}, simulation.trace.frames
    owners: dict[tuple[Address, int], Address] = {}
    written: dict[tuple[Address, int], list[int]] = {}
    for use in simulation.trace.slots or ():
        owner = _keyed_by(preimages, use.slot, accounts) if use.written else None
        if owner is not None:
            owners[use.address, use.slot] = owner
            written[use.address, use.slot] = [use.before, use.before, use.before]
    # the peak lies between first and last touch, so it takes every write; only where an entry is worth it
    for access in (simulation.trace.accesses or ()) if written else ():
        row = written.get((access.address, access.slot))
        if row is not None and access.kind is AccessKind.SSTORE and not frames[access.frame].reverted:
            row[1], row[2] = max(row[1], access.value), access.value
    found: dict[tuple[Address, Address], list[Record]] = defaultdict(list)
    for (contract, slot), (before, peak, after) in written.items():
        owner = owners[contract, slot]
        if owner != contract:
            found[contract, owner].append(Record(slot, before, peak, after))
    return {key: tuple(rows) for key, rows in found.items()}


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

"""What contracts keep because a stranger said so: records that nobody whom they had known stands behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.inspection.past.memory import EMPTY_MEMORY, Memory
from gateway.model.fold import HASH, STRUCT_SPAN
from gateway.model.frame import SlotUse
from gateway.model.primitive import Address
from gateway.model.trace import SimulationResult

HEARSAY_LIMIT = 32
"""records of one transaction that are remembered"""
SLOTS_EXAMINED = 1024
KEYS = 4
"""mappings within mappings that are followed outwards"""
INPUT_READ = 16_384
"""bytes of call data searched for what was said"""
_SHIFTS = (0, 8, 16, 96)
"""where solc packs an address in a word, counted in bits from the right"""
_ADDRESS = (1 << 160) - 1
_SMALL = 80
"""bits of numbers that are no addresses"""


class Hearsay(NamedTuple):
    """One word of storage that a stranger had written for nothing."""

    contract: Address
    slot: int
    value: int
    """what stands there since"""
    named: Address | None
    """the account that it names; None if it names none, or only those under whom it is kept"""
    replaced: bool
    """True if something else stood there before"""


@dataclass(frozen=True, slots=True)
class Relied:
    """What one transaction relies on that strangers said lately, and what is remembered of those."""

    words: tuple[Hearsay, ...] = ()
    """those that still stand, the sender's own too"""
    doubted: Set[tuple[Address, int]] = frozenset()
    """(contract, slot) of those that others than the sender said"""
    memory: Memory = field(default=EMPTY_MEMORY)
    """what these others created, and what they gave and got"""


NOTHING_RELIED = Relied()


def hearsay(
    simulation: SimulationResult,
    own: Set[Address],
    moving: Set[Address],
    stranger: Callable[[Address, int, int], Address | None],
) -> tuple[Hearsay, ...]:
    """Records that name an account, or hold a hash, as the caller said it, where the contract knew nobody who called.

    `own`: the sender and what its transactions created. `moving`: tokens that moved here and who sent or got them; a
    payment is no saying. `stranger`: (contract, frame, sequence) -> who made the contract act there if it knew them
    not. What somebody says of himself under his own name is his own book: a permission, a vote, a deposit. Linear in
    slots that were written.
    """
    trace, found = simulation.trace, list[Hearsay]()
    preimages = trace.preimages or {} if simulation.state_diff else {}
    records: dict[Address, Mapping[bytes, int | None]] = {}
    for use in trace.written[:SLOTS_EXAMINED]:
        if use.frame < 0 or use.address in own or use.address in moving:
            continue
        diff = simulation.state_diff.get(use.address)
        after = diff.storage.get(use.slot, (0, 0))[1] if diff is not None else 0
        word = _said(use, after, simulation, own, preimages) if after else None
        if word is None:
            continue
        if word.contract not in records:
            records[word.contract] = _records(word.contract, simulation, preimages)
        if _had_record(word, records[word.contract]):
            continue
        if stranger(use.address, use.frame, use.sequence) is not None:
            found.append(word)
            if len(found) >= HEARSAY_LIMIT:
                break
    return tuple(found)


def _said(
    use: SlotUse, after: int, simulation: SimulationResult, own: Set[Address], preimages: Mapping[int, bytes]
) -> Hearsay | None:
    """What the word `after` repeats of what the caller said, unless it is the caller's own book."""
    if use.before and not after >> _SMALL:
        return None  # a count, a time, a small amount
    frames = simulation.trace.frames
    frame, origin = frames[use.frame], frames[0].from_
    said = frame.input[:INPUT_READ]
    word = _repeated(use, after, said, (frame.from_, origin), own)
    if word is None and use.before:
        return None
    keys = set(_keys(use.slot, preimages))
    if origin in keys or frame.from_ in keys:
        return None
    if word is None and any(said.find(key) >= 0 for key in keys):
        return Hearsay(use.address, use.slot, after, None, replaced=False)
    return word


def _repeated(
    use: SlotUse, after: int, said: bytes, callers: tuple[Address, Address], own: Set[Address]
) -> Hearsay | None:
    """The word `after` if it stands in what was `said`, or names an account that does; `callers`: the last, and first.

    One of `own` need not be named by the caller.
    """
    if after >> HASH and said.find(after.to_bytes(32, "big")) >= 0:
        return Hearsay(use.address, use.slot, after, None, bool(use.before))
    last, origin = callers
    for shift in _SHIFTS:
        new, old = after >> shift & _ADDRESS, use.before >> shift & _ADDRESS
        if new == old or not new >> _SMALL:
            continue
        named = Address(new.to_bytes(20, "big"))
        if named == origin:
            continue
        if named in own or (named != last and said.find(named) >= 0):
            return Hearsay(use.address, use.slot, after, named, replaced=bool(old >> _SMALL))
    return None


def _had_record(word: Hearsay, records: Mapping[bytes, int | None]) -> bool:
    """True if the contract had an entry for whom, or what, it was told: a candidate with votes, a member of a list."""
    told = word.named.rjust(32, b"\0") if word.named is not None else word.value.to_bytes(32, "big")
    return told in records and records[told] != word.slot


def _records(
    contract: Address, simulation: SimulationResult, preimages: Mapping[int, bytes]
) -> Mapping[bytes, int | None]:
    """Word -> the slot that `contract` had an entry in under that word; None if it had several."""
    found: dict[bytes, int | None] = {}
    for use in simulation.trace.slots_of({contract}):
        for key in _path(use.slot, preimages) if use.before else ():
            found[key] = use.slot if found.get(key, use.slot) == use.slot else None
    return found


def _keys(slot: int, preimages: Mapping[int, bytes]) -> Iterator[Address]:
    """The accounts under which a word is kept, the innermost first."""
    return (Address(word[12:]) for word in _path(slot, preimages) if not any(word[:12]) and any(word[12:22]))


def _path(slot: int, preimages: Mapping[int, bytes]) -> Iterator[bytes]:
    """The words whose hashes lead to a slot, the innermost first."""
    for _ in range(KEYS):
        place = next((found for back in range(STRUCT_SPAN) if (found := preimages.get(slot - back)) is not None), None)
        if place is None:
            return
        words = [place[at : at + 32] for at in range(0, len(place) - 31, 32)]
        yield from words
        if len(words) != 2:
            return
        slot = int.from_bytes(words[1], "big")

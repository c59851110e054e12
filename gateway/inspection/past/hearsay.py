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
    for use in trace.written[:SLOTS_EXAMINED]:
        if use.frame < 0 or use.address in own or use.address in moving:
            continue
        diff = simulation.state_diff.get(use.address)
        after = diff.storage.get(use.slot, (0, 0))[1] if diff is not None else 0
        word = _said(use, after, simulation, own, preimages) if after else None
        if word is None or _had_record(word, simulation, preimages):
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
    frames = simulation.trace.frames
    frame, origin = frames[use.frame], frames[0].from_
    said = frame.input[:INPUT_READ]
    keys = set(_keys(use.slot, preimages))
    if origin in keys or frame.from_ in keys:
        return None
    word = Hearsay(use.address, use.slot, after, None, bool(use.before))
    if after >> HASH and said.find(after.to_bytes(32, "big")) >= 0:
        return word
    for shift in _SHIFTS:
        named = Address((after >> shift & _ADDRESS).to_bytes(20, "big"))
        if not any(named[:10]) or (use.before >> shift & _ADDRESS) == (after >> shift & _ADDRESS) or named == origin:
            continue
        if named in own or (named != frame.from_ and said.find(named) >= 0):
            return word._replace(named=named, replaced=any((use.before >> shift & _ADDRESS).to_bytes(20, "big")[:10]))
    return word if not use.before and any(said.find(key) >= 0 for key in keys) else None


def _had_record(word: Hearsay, simulation: SimulationResult, preimages: Mapping[int, bytes]) -> bool:
    """True if the contract had an entry for whom, or what, it was told: a candidate with votes, a member of a list."""
    told = word.named.rjust(32, b"\0") if word.named is not None else word.value.to_bytes(32, "big")
    return any(
        use.before and use.slot != word.slot and told in _path(use.slot, preimages)
        for use in simulation.trace.slots_of({word.contract})
    )


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

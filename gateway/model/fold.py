"""A trace folded to fewer rows: slots, ways of entry, and what contracts had kept about accounts.

The functions are the reference for engines that fold their traces themselves.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from itertools import islice
from typing import NamedTuple

from gateway.model.frame import BORROWED, AccessKind, CallFrame, Link, Log, SlotUse, StorageAccess
from gateway.model.primitive import Address

HASH_PREFIX = 7
"""leading bytes that are not all zero in a hash; a word below 200 bits is none"""
STRUCT_SPAN = 8
"""how many slots behind a mapping entry still count as part of it"""
TRANSFER = bytes.fromhex("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef")
"""Transfer(address,address,uint256)"""

Entries = Mapping[Address, Set[Address]]


class Kept(NamedTuple):
    """What contracts had kept about the parties of a transaction before it, as far as they looked."""

    stored: Entries
    """contract -> addresses that it read from its own storage"""
    entries: Entries
    """contract -> addresses whose mapping entry there was not zero when read"""
    allowances: Set[tuple[Address, Address, Address]]
    """(token, owner, spender) whose nested entry was not zero when read"""


class Peak(NamedTuple):
    """What became of one slot that was written."""

    address: Address
    slot: int
    before: int
    """before the first write"""
    peak: int
    """the highest value on the way, `before` included"""
    after: int
    """after the last write"""


def slot_uses(accesses: Iterable[StorageAccess], frames: Sequence[CallFrame]) -> tuple[SlotUse, ...]:
    """Fold accesses to one row a slot, in the order of first touch."""
    rows: dict[tuple[Address, int], SlotUse] = {}
    for access in accesses:
        if access.kind not in (AccessKind.SLOAD, AccessKind.SSTORE):
            continue
        key = (access.address, access.slot)
        row = rows.get(key)
        if row is None:
            row = rows[key] = SlotUse(access.address, access.slot, access.previous, False, -1, -1)
        if access.kind is AccessKind.SSTORE:
            changed = access.value != access.previous and not frames[access.frame].reverted
            place = (access.frame, access.sequence) if changed else (row.frame, row.sequence)
            rows[key] = SlotUse(row.address, row.slot, row.before, True, *place)
    return tuple(rows.values())


def fold_links(frames: Iterable[CallFrame]) -> tuple[Link, ...]:
    """Fold frames to one row for each way of entry, in the order of the first frame."""
    callers: list[Address] = []
    rows: dict[tuple[object, ...], Link] = {}
    for frame in frames:
        caller = callers[frame.parent] if frame.kind in BORROWED and frame.parent >= 0 else frame.from_
        callers.append(caller)
        key = (frame.kind, frame.from_, frame.to, frame.code_address, frame.code_hash, caller)
        row = rows.get(key)
        rows[key] = Link(*key, frame.index, 1) if row is None else row._replace(times=row.times + 1)
    return tuple(rows.values())


def fold_kept(
    slots: Iterable[SlotUse],
    preimages: Mapping[int, bytes],
    parties: Set[Address],
    but: Set[tuple[Address, int]] = frozenset(),
) -> Kept:
    """Read what was kept out of the slots that were touched; `but`: (contract, slot) of those that do not count."""
    stored: dict[Address, set[Address]] = defaultdict(set)
    entries: dict[Address, set[Address]] = defaultdict(set)
    allowances: set[tuple[Address, Address, Address]] = set()
    for use in slots:
        value = use.before
        if not value or (use.address, use.slot) in but:
            continue
        for party in named(value, parties) if value >> 80 else ():
            stored[use.address].add(party)
        for offset in range(STRUCT_SPAN):
            preimage = preimages.get(use.slot - offset)
            if preimage is None:
                continue
            for at in range(0, len(preimage), 32):
                word = preimage[at : at + 32]
                if not any(word[:12]) and word[12:] in parties:
                    entries[use.address].add(Address(word[12:]))
            inner = preimages.get(int.from_bytes(preimage[32:], "big")) if len(preimage) == 64 else None
            if inner is not None and len(inner) == 64:
                allowances.add((use.address, Address(inner[12:32]), Address(preimage[12:32])))
            break
    return Kept(dict(stored), dict(entries), allowances)


def fold_peaks(
    accesses: Iterable[StorageAccess], frames: Sequence[CallFrame], keys: Set[tuple[Address, int]]
) -> tuple[Peak, ...]:
    """One row for each of `keys` that was written in frames that stood, in the order of the first write."""
    rows: dict[tuple[Address, int], Peak] = {}
    for access in accesses:
        key = (access.address, access.slot)
        if access.kind is not AccessKind.SSTORE or key not in keys or frames[access.frame].reverted:
            continue
        row = rows.get(key) or Peak(*key, access.previous, access.previous, 0)
        rows[key] = row._replace(peak=max(row.peak, access.value), after=access.value)
    return tuple(rows.values())


def fold_nodes(preimages: Mapping[int, bytes], most: int) -> dict[int, bytes]:
    """Inner nodes of trees of hashes: those of the first `most` preimages that are two hashes side by side."""
    return {
        key: preimage
        for key, preimage in islice(preimages.items(), most)
        if len(preimage) == 64 and any(preimage[:HASH_PREFIX]) and any(preimage[32 : 32 + HASH_PREFIX])
    }


def parties(sender: Address, links: Iterable[Link], logs: Iterable[Log]) -> set[Address]:
    """Everybody who takes part: the sender, who calls or is called, and who sends or receives tokens."""
    found = {sender}
    for link in links:
        found.add(link.from_)
        if link.to is not None:
            found.add(link.to)
    for log in logs:
        if len(log.topics) == 3 and log.topics[0] == TRANSFER:  # a holder or receiver may never run
            found.update((Address(log.topics[1][12:]), Address(log.topics[2][12:])))
    return found


def named(value: int, parties: Set[Address]) -> Iterator[Address]:
    """The parties whose address the word `value` holds: at its end, or anywhere if it is longer than an address."""
    word = value.to_bytes(32, "big")
    for offset in range(13) if value >> 160 else (12,):
        candidate = word[offset : offset + 20]
        if candidate in parties:
            yield Address(candidate)

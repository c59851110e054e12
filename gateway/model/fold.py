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
HASH = 200
"""bits; a word below that is no hash"""
SLOTS = 64
"""bits; a number below that is a declared slot, and no key"""
WORD = 32
TIGHT = 52
"""bytes of an owner, a seed and a spender without gaps"""
STRUCT_SPAN = 8
"""how many slots behind a mapping entry still count as part of it"""
TRANSFER = bytes.fromhex("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef")
"""Transfer(address,address,uint256)"""

Entries = Mapping[Address, Set[Address]]
Accounts = Mapping[Address, Set[tuple[Address, bytes]]]
"""contract -> (account, place) of its simple mappings that had an entry for it; the place is the second half of the
preimage. Allowances and other mappings in mappings are left out"""


Lists = Mapping[Address, Mapping[bytes, Set[Address]]]
"""contract -> where a mapping of accounts lies that held only true or false -> those of whom it said true"""


class Kept(NamedTuple):
    """What contracts had kept about the parties of a transaction before it, as far as they looked."""

    stored: Entries
    """contract -> addresses that it read from its own storage"""
    entries: Entries
    """contract -> addresses whose mapping entry there was not zero when read"""
    allowances: Set[tuple[Address, Address, Address]]
    """(token, owner, spender) whose nested entry was not zero when read"""
    terms: Entries
    """contract -> addresses named by what it kept only as a hash, and was shown whole here: a proved withdrawal, the
    terms of a loan, a list of payees"""


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
    reader = _Reader(parties, preimages)
    for use in slots:
        if use.before and (use.address, use.slot) not in but:
            reader.read(use)
    return Kept(dict(reader.stored), dict(reader.entries), reader.allowances, dict(reader.terms))


def fold_accounts(
    slots: Iterable[SlotUse],
    preimages: Mapping[int, bytes],
    parties: Set[Address],
    but: Set[tuple[Address, int]] = frozenset(),
) -> dict[Address, Set[tuple[Address, bytes]]]:
    """The simple mappings that had an entry for one of `parties`; `but`: (contract, slot) of those that do not count.

    Linear in slots.
    """
    accounts: dict[Address, set[tuple[Address, bytes]]] = defaultdict(set)
    for use in slots:
        if not use.before or (use.address, use.slot) in but:
            continue
        for offset in range(STRUCT_SPAN):
            preimage = preimages.get(use.slot - offset)
            if preimage is None:
                continue
            simple = len(preimage) == 2 * WORD and int.from_bytes(preimage[WORD:], "big") not in preimages
            if simple and not any(preimage[:12]) and preimage[12:WORD] in parties:
                accounts[use.address].add((Address(preimage[12:WORD]), preimage[WORD:]))
            break
    return dict(accounts)


class _Reader:
    def __init__(self, parties: Set[Address], preimages: Mapping[int, bytes]) -> None:
        self._parties, self._preimages = parties, preimages
        self.stored: dict[Address, set[Address]] = defaultdict(set)
        self.entries: dict[Address, set[Address]] = defaultdict(set)
        self.terms: dict[Address, set[Address]] = defaultdict(set)
        self.allowances: set[tuple[Address, Address, Address]] = set()

    def read(self, use: SlotUse) -> None:
        """One slot that was not zero."""
        value = use.before
        for party in named(value, self._parties) if value >> 80 else ():
            self.stored[use.address].add(party)
        if value >> HASH and (terms := self._preimages.get(value)) is not None:
            self._promise(use.address, terms)
        for offset in range(STRUCT_SPAN):
            preimage = self._preimages.get(use.slot - offset)
            if preimage is not None:
                self._key(use.address, preimage)
                break

    def _key(self, contract: Address, preimage: bytes) -> None:
        """What `preimage` says of the entry that is kept under its hash."""
        if len(preimage) == 2 * WORD:
            self._mapping(contract, preimage[:WORD], preimage[WORD:])
        elif len(preimage) == WORD:
            self._word(contract, preimage)
            if preimage[:20] in self._parties:  # the account, then a seed in place of a slot
                self.entries[contract].add(Address(preimage[:20]))
        else:
            for party in self._named(preimage):
                self.entries[contract].add(party)
            if len(preimage) == TIGHT:
                self.allowances.add((contract, Address(preimage[:20]), Address(preimage[-20:])))

    def _mapping(self, contract: Address, first: bytes, second: bytes) -> None:
        self._word(contract, first)
        self._word(contract, second)
        inner = self._outer(int.from_bytes(second, "big"))
        if inner is not None and len(inner) == 2 * WORD:
            self.allowances.add((contract, Address(inner[12:32]), Address(first[12:])))
        outer = self._preimages.get(int.from_bytes(first, "big"))
        if outer is None:
            return
        if len(outer) == 2 * WORD and int.from_bytes(second, "big") >> SLOTS:
            # the slot stands before the key, as Vyper has it: a mapping within a mapping
            self.allowances.add((contract, Address(outer[44:64]), Address(second[12:])))
        else:
            self._promise(contract, outer)

    def _outer(self, place: int) -> bytes | None:
        """The preimage of where a mapping lies: its place may be a field of a record that is itself kept by a key."""
        fields = range(STRUCT_SPAN) if place >> SLOTS else ()
        return next((found for back in fields if (found := self._preimages.get(place - back)) is not None), None)

    def _word(self, contract: Address, word: bytes) -> None:
        if not any(word[:12]) and word[12:] in self._parties:
            self.entries[contract].add(Address(word[12:]))

    def _promise(self, contract: Address, terms: bytes) -> None:
        for party in self._named(terms):
            if party != contract:
                self.terms[contract].add(party)

    def _named(self, data: bytes) -> Iterator[Address]:
        """The parties whose address stands in `data`, at any place."""
        for at in range(len(data) - 19):
            if data[at : at + 20] in self._parties:
                yield Address(data[at : at + 20])


def fold_lists(
    slots: Iterable[SlotUse], preimages: Mapping[int, bytes], known: Set[Address], but: Set[tuple[Address, int]]
) -> Lists:
    """Mappings of accounts that held only true or false, and those of `known` of whom they said true.

    Mappings within mappings count where the outer key is no account, but the name of a role. `but`: (contract, slot)
    of what counts as another number. Linear in slots.
    """
    found: dict[Address, dict[bytes, set[Address]]] = defaultdict(lambda: defaultdict(set))
    numbers: set[tuple[Address, bytes]] = set()
    for use in slots:
        preimage = preimages.get(use.slot, b"")
        if len(preimage) != 64 or any(preimage[:12]):
            continue
        account, place = Address(preimage[12:32]), preimage[32:]
        outer = preimages.get(int.from_bytes(place, "big"))
        if outer is not None and (len(outer) != 64 or not any(outer[:12])):
            continue
        if use.written or use.before > 1 or (use.address, use.slot) in but:
            numbers.add((use.address, place))
        elif use.before and account in known:
            found[use.address][place].add(account)
    lists = {
        contract: {place: said for place, said in kept.items() if (contract, place) not in numbers}
        for contract, kept in found.items()
    }
    return {contract: kept for contract, kept in lists.items() if kept}


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

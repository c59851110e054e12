"""What contracts had written down about addresses before the transaction: owners, entries, allowances and terms."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Set
from dataclasses import dataclass

from gateway.inspection.facts import TRANSFER
from gateway.model.primitive import Address
from gateway.model.trace import SlotUse, Trace
from gateway.model.transaction import Transaction

_MOVES = frozenset({TRANSFER})
STRUCT_SPAN = 8
"""how many slots behind a mapping entry still count as part of it"""
WORD = 32
HASH = 200
"""bits; a word below that is no hash"""
SLOTS = 64
"""bits; a number below that is a declared slot, and no key"""
TIGHT = 52
"""bytes of an owner, a seed and a spender without gaps"""

Entries = dict[Address, set[Address]]


def parties(transaction: Transaction, trace: Trace) -> set[Address]:
    """Everybody whose address is worth looking for: who acts, and who holds or receives tokens."""
    found = {transaction.sender}
    for link in trace.links:
        found.add(link.from_)
        if link.to is not None:
            found.add(link.to)
    for log in trace.events(_MOVES):
        if len(log.topics) == 3:  # a holder or receiver may never run
            found.update((Address(log.topics[1][12:]), Address(log.topics[2][12:])))
    return found


@dataclass(frozen=True, slots=True)
class Notes:
    """What contracts had written down, by the contract."""

    stored: Mapping[Address, Set[Address]]
    """addresses in its words"""
    entries: Mapping[Address, Set[Address]]
    """addresses with an entry of their own"""
    allowances: Set[tuple[Address, Address, Address]]
    """(token, owner, spender) with a nested entry"""
    terms: Mapping[Address, Set[Address]]
    """addresses named by what it kept only as a hash: a proved withdrawal, a loan's terms, a list of payees"""


def read_notes(trace: Trace, known: Set[Address], but: Set[tuple[Address, int]]) -> Notes:
    """What had been noted of `known`. Linear in slots.

    Only what was not zero before counts, and nothing that `but` names as (contract, slot).
    """
    reader = _Reader(known, trace.preimages or {})
    for use in trace.slots or ():
        if use.before and (use.address, use.slot) not in but:
            reader.read(use)
    return Notes(dict(reader.stored), dict(reader.entries), reader.allowances, dict(reader.terms))


class _Reader:
    def __init__(self, known: Set[Address], preimages: Mapping[int, bytes]) -> None:
        self._known, self._preimages = known, preimages
        self.stored: Entries = defaultdict(set)
        self.entries: Entries = defaultdict(set)
        self.terms: Entries = defaultdict(set)
        self.allowances: set[tuple[Address, Address, Address]] = set()

    def read(self, use: SlotUse) -> None:
        """One slot that was not zero."""
        value = use.before
        if value >> 80:
            _match(value, self._known, self.stored[use.address])
            if value >> HASH and (agreed := self._preimages.get(value)) is not None:
                self._promise(use.address, agreed)
        for offset in range(STRUCT_SPAN):
            preimage = self._preimages.get(use.slot - offset)
            if preimage is not None:
                self._key(use.address, preimage)
                break

    def _key(self, contract: Address, preimage: bytes) -> None:
        """The entry that is kept under the hash of `preimage`."""
        if len(preimage) % WORD or len(preimage) > 2 * WORD:
            self.entries[contract] |= self._named(preimage)
            self._tight(contract, preimage)
            return
        for at in range(0, len(preimage), WORD):
            word = preimage[at : at + WORD]
            if not any(word[:12]) and word[12:] in self._known:
                self.entries[contract].add(Address(word[12:]))
        if len(preimage) == WORD:
            if preimage[:20] in self._known:  # the account, then a seed in place of a slot
                self.entries[contract].add(Address(preimage[:20]))
            return
        first, second = preimage[:WORD], preimage[WORD:]
        inner = self._preimages.get(int.from_bytes(second, "big"))
        if inner is not None and len(inner) == 2 * WORD:
            self.allowances.add((contract, Address(inner[12:32]), Address(first[12:])))
        outer = self._preimages.get(int.from_bytes(first, "big"))
        if outer is None:
            return
        if len(outer) == 2 * WORD and int.from_bytes(second, "big") >> SLOTS:
            # the slot comes before the key, as Vyper has it: this is a mapping within a mapping
            self.allowances.add((contract, Address(outer[44:64]), Address(second[12:])))
        else:
            self._promise(contract, outer)

    def _tight(self, contract: Address, preimage: bytes) -> None:
        """An allowance under (owner, seed, spender) without gaps."""
        if len(preimage) == TIGHT:
            self.allowances.add((contract, Address(preimage[:20]), Address(preimage[-20:])))

    def _promise(self, contract: Address, terms: bytes) -> None:
        self.terms[contract] |= self._named(terms) - {contract}

    def _named(self, data: bytes) -> set[Address]:
        """Which of the known addresses stand in `data`, at any place."""
        known = self._known
        return {Address(part) for at in range(len(data) - 19) if (part := data[at : at + 20]) in known}


def keeps_account(
    trace: Trace, token: Address, known: Set[Address], balances: Set[bytes], but: Set[tuple[Address, int]]
) -> bool:
    """True if `token` had an entry for one of `known` that is neither its balance nor an allowance.

    `balances`: where the token's mapping of balances lies, as the second half of the preimage; `but`: (contract, slot)
    of what does not count. A token that keeps
    stakes or rewards of its holders beside their balances knows them as a farm does.
    """
    preimages = trace.preimages or {}
    for use in trace.slots or ():
        if use.address != token or not use.before or (token, use.slot) in but:
            continue
        for offset in range(STRUCT_SPAN):
            preimage = preimages.get(use.slot - offset)
            if preimage is None:
                continue
            if len(preimage) == 64 and not any(preimage[:12]) and preimage[12:32] in known:
                nested = int.from_bytes(preimage[32:], "big") in preimages
                if not nested and preimage[32:] not in balances:
                    return True
            break
    return False


def matched(value: int, known: Set[Address]) -> set[Address]:
    """Which of `known` the word `value` holds, at any place."""
    found: set[Address] = set()
    _match(value, known, found)
    return found


def holds_party(value: int, known: Set[Address]) -> bool:
    """True if the word `value` holds the address of one of `known` at any place."""
    return bool(matched(value, known))


def _match(value: int, known: Set[Address], into: set[Address]) -> None:
    word = value.to_bytes(32, "big")
    offsets = range(13) if value >> 160 else (12,)
    for offset in offsets:
        candidate = word[offset : offset + 20]
        if candidate in known:
            into.add(Address(candidate))

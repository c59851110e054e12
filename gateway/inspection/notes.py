"""What contracts had written down about addresses before the transaction: owners, entries and allowances."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Set

from gateway.inspection.facts import TRANSFER
from gateway.model.primitive import Address
from gateway.model.trace import Trace
from gateway.model.transaction import Transaction

_MOVES = frozenset({TRANSFER})
STRUCT_SPAN = 8
"""how many slots behind a mapping entry still count as part of it"""

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


def read_notes(
    trace: Trace, known: Set[Address], but: Set[tuple[Address, int]]
) -> tuple[Entries, Entries, set[tuple[Address, Address, Address]]]:
    """(contract -> addresses of `known` in its words, contract -> those with an entry, (token, owner, spender)).

    Only what was not zero before counts, and nothing that `but` names as (contract, slot). Linear in slots.
    """
    stored: Entries = defaultdict(set)
    entries: Entries = defaultdict(set)
    allowances: set[tuple[Address, Address, Address]] = set()
    preimages = trace.preimages or {}
    for use in trace.slots or ():
        value = use.before
        if not value or (use.address, use.slot) in but:
            continue
        if value >> 80:
            _match(value, known, stored[use.address])
        for offset in range(STRUCT_SPAN):
            preimage = preimages.get(use.slot - offset)
            if preimage is None:
                continue
            for at in range(0, len(preimage), 32):
                word = preimage[at : at + 32]
                if not any(word[:12]) and word[12:] in known:
                    entries[use.address].add(Address(word[12:]))
            inner = preimages.get(int.from_bytes(preimage[32:], "big")) if len(preimage) == 64 else None
            if inner is not None and len(inner) == 64:
                allowances.add((use.address, Address(inner[12:32]), Address(preimage[12:32])))
            break
    return dict(stored), dict(entries), allowances


Accounts = dict[Address, set[tuple[Address, bytes]]]


def read_accounts(trace: Trace, known: Set[Address], but: Set[tuple[Address, int]]) -> Accounts:
    """Contract -> (address of `known`, place) of each simple mapping that had an entry for it.

    The place is the second half of the preimage; allowances and other mappings in mappings are left out, and so is
    what `but` names as (contract, slot). Linear in slots.
    """
    accounts: Accounts = defaultdict(set)
    preimages = trace.preimages or {}
    for use in trace.slots or ():
        if not use.before or (use.address, use.slot) in but:
            continue
        for offset in range(STRUCT_SPAN):
            preimage = preimages.get(use.slot - offset)
            if preimage is None:
                continue
            simple = len(preimage) == 64 and int.from_bytes(preimage[32:], "big") not in preimages
            if simple and not any(preimage[:12]) and preimage[12:32] in known:
                accounts[use.address].add((Address(preimage[12:32]), preimage[32:]))
            break
    return dict(accounts)


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

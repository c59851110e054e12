"""What contracts had written down about addresses: words that hold them, lists that say yes of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Set

from gateway.model.fold import named
from gateway.model.primitive import Address
from gateway.model.trace import Trace


def read_lists(
    trace: Trace, known: Set[Address], but: Set[tuple[Address, int]]
) -> dict[Address, dict[bytes, set[Address]]]:
    """Contract -> place of a mapping of accounts that held only true or false -> those of `known` of whom it said true.

    Mappings within mappings count where the outer key is no account, but the name of a role. Linear in slots.
    """
    found: dict[Address, dict[bytes, set[Address]]] = defaultdict(lambda: defaultdict(set))
    numbers: set[tuple[Address, bytes]] = set()
    preimages = trace.preimages or {}
    for use in trace.slots or ():
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
    return {
        contract: {place: said for place, said in lists.items() if (contract, place) not in numbers}
        for contract, lists in found.items()
    }


def matched(value: int, known: Set[Address]) -> set[Address]:
    """Which of `known` the word `value` holds, at any place."""
    return set(named(value, known))


def holds_party(value: int, known: Set[Address]) -> bool:
    """True if the word `value` holds the address of one of `known` at any place."""
    return any(True for _ in named(value, known))

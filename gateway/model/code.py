"""The code that ran, and whose addresses it names: the reference for engines that look themselves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from functools import lru_cache

from gateway.model.frame import Link
from gateway.model.primitive import Address, Hash32

Named = Mapping[Address, Mapping[Address, Set[Address]]]
"""contract -> party whose address stands in code that ran on its storage -> where that code lies"""
PUSH0 = 0x5F
"""the instruction that pushes nothing; those that push 1 to 32 bytes follow it (EIP-3855)"""
_ORIGIN = b"\x32"
CODES_REMEMBERED = 512
"""pieces of code of which it is remembered what they ask; of the largest, 12 MB"""


def embedded(links: Sequence[Link], codes: Mapping[Hash32, bytes], sender: Address) -> Named:
    """Contract -> callers, and `sender`, whose address stands in code that ran on its storage -> where that code lies.

    Code that one of them lends by delegation names its lender; that alone is not the contract's consent.
    """
    named: dict[Address, dict[Address, set[Address]]] = defaultdict(dict)
    asked: set[tuple[Hash32, Address, Address]] = set()
    for link in links:
        account, code_hash = link.context, link.code_hash
        if code_hash is None or account is None or (code := codes.get(code_hash)) is None:
            continue
        for party in (sender, link.caller):
            question = (code_hash, account, party)
            if question not in asked:
                asked.add(question)
                if party not in (account, link.code_address) and code.find(party) >= 0:
                    named[account][party] = set()
    for link in links:
        account, code_hash = link.context, link.code_hash
        if code_hash is None or account is None or (code := codes.get(code_hash)) is None:
            continue
        for party, places in named.get(account, {}).items():
            if code.find(party) >= 0:
                places.add(link.code_address or account)
    return dict(named)


def ran(links: Iterable[Link], codes: Mapping[Hash32, bytes]) -> dict[Address, Sequence[bytes]]:
    """Contract -> the pieces of code that ran on its storage, each once."""
    found: dict[Address, dict[Hash32, bytes]] = defaultdict(dict)
    for link in links:
        account = link.context
        if link.code_hash is not None and account is not None and link.code_hash in codes:
            found[account][link.code_hash] = codes[link.code_hash]
    return {account: tuple(pieces.values()) for account, pieces in found.items()}


@lru_cache(maxsize=CODES_REMEMBERED)
def asks_origin(code: bytes) -> bool:
    """True if `code` has the instruction ORIGIN, which tells who sent the transaction. Linear in bytes, once."""
    at = 0 if code.find(_ORIGIN) >= 0 else len(code)
    while at < len(code):
        instruction = code[at]
        if instruction == _ORIGIN[0]:
            return True
        at += 1 + (instruction - PUSH0 if PUSH0 < instruction <= PUSH0 + 32 else 0)
    return False

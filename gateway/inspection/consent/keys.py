"""Who is known by a hash of his public key: contracts that keep such a hash know whoever signs with the key."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Set

from gateway.model.fold import STRUCT_SPAN
from gateway.model.primitive import Address
from gateway.model.trace import SimulationResult

_LENGTHS = {Address(number.to_bytes(20, "big")): length for number, length in ((2, 32), (3, 20))}
"""SHA-256 and RIPEMD-160 -> bytes of their digest"""
POINT = 64
"""bytes of a public key, both coordinates"""
MARKED_POINT = 65
"""bytes of the same behind a mark of its form"""
NAMES_EXAMINED = 64


def known_by_key(
    simulation: SimulationResult, signers: Set[Address], but: Set[tuple[Address, int]] = frozenset()
) -> Mapping[Address, Set[Address]]:
    """Contract -> those of `signers` for whom it had an entry, or a word, under a hash of their public key.

    The hash was made in this transaction: by keccak, by SHA-256 or by RIPEMD-160 of that, as other chains name their
    accounts. `but`: (contract, slot) of records that do not count. Linear in hashes, frames and storage accesses.
    """
    trace = simulation.trace
    preimages = trace.preimages or {}
    names: dict[bytes, Address] = {}
    for key, preimage in preimages.items():
        digest = key.to_bytes(32, "big")
        if len(preimage) == POINT and digest[12:] in signers and len(names) < NAMES_EXAMINED:
            names[digest] = names[preimage[:32]] = Address(digest[12:])
    if not names:
        return {}
    for key, preimage in preimages.items():
        if len(preimage) <= MARKED_POINT and (signer := _named(preimage, names)) and len(names) < NAMES_EXAMINED:
            names[key.to_bytes(32, "big")] = signer
    for frame in trace.select(to=_LENGTHS.keys(), answered=True):
        if len(frame.input) <= MARKED_POINT and (signer := _named(frame.input, names)) and len(names) < NAMES_EXAMINED:
            names[frame.output[-_LENGTHS.get(frame.to or Address(bytes(20)), 32) :]] = signer
    found: dict[Address, set[Address]] = defaultdict(set)
    for use in trace.slots or ():
        if not use.before or (use.address, use.slot) in but:
            continue
        place = next((p for back in range(STRUCT_SPAN) if (p := preimages.get(use.slot - back)) is not None), b"")
        if signer := _named(place, names) or _named(use.before.to_bytes(32, "big"), names):
            found[use.address].add(signer)
    return found


def _named(data: bytes, names: Mapping[bytes, Address]) -> Address | None:
    return next((signer for name, signer in names.items() if data.find(name) >= 0), None)

"""Who was shown a Merkle proof: contracts that knew its root before, in storage or in their code."""

from __future__ import annotations

from collections.abc import Mapping, Set

from gateway.model.fold import STRUCT_SPAN
from gateway.model.primitive import Address
from gateway.model.trace import SimulationResult

HASHES_EXAMINED = 4096
NODE = 64
"""bytes of an inner node: two hashes side by side"""
_SHA256 = frozenset({Address(b"\0" * 19 + b"\x02")})
TOPS_EXAMINED = 8
CLAIM = 52
"""bytes of an account and an amount side by side"""
MADE_ADDRESS = (85, 0xFF)
"""length and first byte of what is hashed for the address of a contract to be made (EIP-1014)"""


def proven(
    simulation: SimulationResult, but: Set[tuple[Address, int]], parties: Set[Address] = frozenset()
) -> frozenset[Address]:
    """Contracts whose commitment of before was reached by hashing pairs of hashes in this transaction.

    Whoever published the root agreed to what its leaves say, if a leaf was shown at all: hashes that were only brought
    along say nothing beside a claim of one of `parties` that was hashed and went into none of them. `but`: (contract,
    slot) of records that the ordering side had written lately, which bind nobody. Linear in hashes, storage accesses
    and frames.
    """
    trace = simulation.trace
    nodes = dict(trace.nodes(HASHES_EXAMINED))
    for frame in trace.select(to=_SHA256)[:HASHES_EXAMINED]:
        if len(frame.input) == NODE and len(frame.output) == NODE // 2:
            nodes[int.from_bytes(frame.output, "big")] = frame.input
    if not nodes:
        return frozenset()
    uses = trace.slots or ()
    for use in uses:
        nodes.pop(use.slot, None)
    found = {use.address for use in uses if use.before in nodes and (use.address, use.slot) not in but}
    if found and _is_leafless(simulation, nodes, parties):
        return frozenset()
    below = {preimage[at : at + 32] for preimage in nodes.values() for at in (0, 32)}
    tops = [top for key in nodes if (top := key.to_bytes(32, "big")) not in below][:TOPS_EXAMINED]
    named = {key for key, code in (trace.codes or {}).items() if any(code.find(top) >= 0 for top in tops)}
    for link in trace.links if named else ():
        if link.code_hash in named and link.context is not None:
            found.add(link.context)
    return frozenset(found)


def _is_leafless(simulation: SimulationResult, nodes: Mapping[int, bytes], parties: Set[Address]) -> bool:
    """True if no node holds a hash that was made here, while a claim that names a party was hashed for nothing."""
    trace = simulation.trace
    preimages = trace.preimages or {}
    if any(int.from_bytes(preimage[at : at + 32], "big") in preimages for preimage in nodes.values() for at in (0, 32)):
        return False
    touched = {number for use in trace.slots or () for number in (use.slot, use.before)}
    touched.update(after for diff in simulation.state_diff.values() for _, after in diff.storage.values())
    claims = [
        key
        for key, preimage in preimages.items()
        if len(preimage) >= CLAIM
        and (len(preimage), preimage[0]) != MADE_ADDRESS
        and key not in nodes
        and touched.isdisjoint(range(key, key + STRUCT_SPAN))
        and any(preimage.find(party) >= 0 for party in parties)
    ]
    said = [*preimages.values(), *(log.data for log in trace.logs), *(b"".join(log.topics) for log in trace.logs)]
    return any(all(text.find(claim.to_bytes(32, "big")) < 0 for text in said) for claim in claims[:TOPS_EXAMINED])

"""Who was shown a Merkle proof: contracts that knew its root before, in storage or in their code."""

from __future__ import annotations

from collections.abc import Set

from gateway.model.primitive import Address
from gateway.model.trace import Trace

HASHES_EXAMINED = 4096
NODE = 64
"""bytes of an inner node: two hashes side by side"""
_SHA256 = frozenset({Address(b"\0" * 19 + b"\x02")})
TOPS_EXAMINED = 8


def proven(trace: Trace, but: Set[tuple[Address, int]]) -> frozenset[Address]:
    """Contracts whose commitment of before was reached by hashing pairs of hashes in this transaction.

    Whoever published the root agreed to what its leaves say. `but`: (contract, slot) of records that the ordering side
    had written lately, which bind nobody. Linear in hashes, storage accesses and frames.
    """
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
    below = {preimage[at : at + 32] for preimage in nodes.values() for at in (0, 32)}
    tops = [top for key in nodes if (top := key.to_bytes(32, "big")) not in below][:TOPS_EXAMINED]
    named = {key for key, code in (trace.codes or {}).items() if any(code.find(top) >= 0 for top in tops)}
    for link in trace.links if named else ():
        if link.code_hash in named and link.context is not None:
            found.add(link.context)
    return frozenset(found)

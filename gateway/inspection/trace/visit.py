"""Calls out of the ordering side: each is one visit to outsiders, with all that follows from it."""

from __future__ import annotations

from collections.abc import Sequence, Set

from gateway.model.primitive import Address
from gateway.model.trace import CallFrame


def visit(frames: Sequence[CallFrame], index: int, cluster: Set[Address]) -> int:
    """The call out of the ordering side under which frame `index` ran (index of its frame)."""
    found = index
    while index >= 0 and frames[index].context not in cluster:
        found, index = index, frames[index].parent
    return found

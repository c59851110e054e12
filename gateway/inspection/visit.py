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


def visits(frames: Sequence[CallFrame], cluster: Set[Address]) -> list[int]:
    """The same for every frame; -1 for frames of the ordering side itself. Linear in frames."""
    found: list[int] = []
    for frame in frames:
        if frame.context in cluster:
            found.append(-1)
            continue
        above = found[frame.parent] if frame.parent >= 0 else -1
        found.append(above if above >= 0 else frame.index)
    return found

"""Calls that came back into a contract before it was done, and what they changed under its feet."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Set
from dataclasses import dataclass

from gateway.model.primitive import Address
from gateway.model.trace import AccessKind, CallFrame, FrameKind, StorageAccess, Trace

REENTRIES_EXAMINED = 64


@dataclass(frozen=True, slots=True)
class Reentry:
    """One contract that was entered again from the ordering side while a call into it was open."""

    contract: Address
    outer: int
    """frame that was open"""
    inner: int
    """frame that came back"""
    slots: tuple[int, ...]
    """storage of the contract that the outer call had used before and the inner call changed"""
    overwritten: bool
    """the outer call wrote one of these again afterwards: it went on with what it had read before"""


def reentries(trace: Trace, cluster: Set[Address]) -> tuple[Reentry, ...]:
    """Find re-entries that changed shared storage; linear in frames times depth of the open calls of one contract."""
    frames = trace.frames
    pairs: list[tuple[Address, int, int]] = []
    for frame in frames:
        if len(pairs) >= REENTRIES_EXAMINED:
            break
        contract = frame.to
        if frame.kind is not FrameKind.CALL or frame.reverted or contract is None or contract in cluster:
            continue
        outer = _outer(frames, frame, contract, cluster)
        if outer is not None:
            pairs.append((contract, outer, frame.index))
    if not pairs or trace.accesses is None:
        return ()
    accesses = _by_address(trace.accesses, {contract for contract, _, _ in pairs})
    found = []
    for contract, outer, inner in pairs:
        slots, overwritten = _shared(accesses[contract], frames[outer], frames[inner])
        if slots:
            found.append(Reentry(contract, outer, inner, slots, overwritten))
    return tuple(found)


def _outer(frames: tuple[CallFrame, ...], frame: CallFrame, contract: Address, cluster: Set[Address]) -> int | None:
    """The nearest open call into `contract` with the ordering side acting in between."""
    through_cluster = frame.from_ in cluster
    index = frame.parent
    while index >= 0:
        above = frames[index]
        if above.to == contract and above.kind is FrameKind.CALL:
            return index if through_cluster else None
        through_cluster = through_cluster or above.from_ in cluster
        index = above.parent
    return None


def _by_address(accesses: tuple[StorageAccess, ...], contracts: Set[Address]) -> Mapping[Address, list[StorageAccess]]:
    kept: dict[Address, list[StorageAccess]] = defaultdict(list)
    for access in accesses:
        if access.address in contracts and access.kind in (AccessKind.SLOAD, AccessKind.SSTORE):
            kept[access.address].append(access)
    return kept


def _shared(accesses: list[StorageAccess], outer: CallFrame, inner: CallFrame) -> tuple[tuple[int, ...], bool]:
    used: set[int] = set()
    written: set[int] = set()
    again: set[int] = set()
    for access in accesses:
        if not outer.entered <= access.sequence <= outer.left:
            continue
        if access.sequence < inner.entered:
            used.add(access.slot)
        elif access.kind is AccessKind.SSTORE and access.value != access.previous:
            (written if access.sequence <= inner.left else again).add(access.slot)
    shared = used & written
    return tuple(sorted(shared)), not shared.isdisjoint(again)

"""Who came back: a contract entered again through the ordering side while an earlier call of it was still open."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from operator import attrgetter

from gateway.inspection.ledger import BALANCE_OF
from gateway.model.facts import Comeback, Transfer
from gateway.model.primitive import Address
from gateway.model.trace import AccessKind, CallFrame, StorageAccess, Trace

REENTRIES_EXAMINED = 256
"""returns looked at; beyond it a transaction shows the same thing again and again"""
WRITES_EXAMINED = 64
"""slots compared for each return"""

_SEQUENCE = attrgetter("sequence")
_ENTERED = attrgetter("entered")


@dataclass(frozen=True, slots=True)
class Reentry:
    """One return into a contract, and what became of one slot that the inner call changed."""

    account: Address
    outer: int
    """frame that was open"""
    inner: int
    """frame that came back"""
    through: Address
    """the member of the ordering side that the way back led through"""
    slot: int
    read_before: bool
    """the open call had looked at the slot before it called out"""
    written_after: bool
    """the open call changed the slot again when the inner one had returned"""
    stale: bool
    """it did so without looking again: the inner change was overwritten"""


@dataclass(frozen=True, slots=True)
class StaleView:
    """A contract answered somebody in the middle of its own change."""

    account: Address
    outer: int
    view: int
    """frame of the answer"""
    reader: Address
    """who asked, outside the ordering side"""
    slot: int
    seen: int
    """value at the time of the answer"""
    final: int
    """value when the open call was done"""


@dataclass(frozen=True, slots=True)
class HalfPaid:
    """A contract answered somebody by a balance of its own that it was about to pay out."""

    account: Address
    outer: int
    view: int
    """frame of the answer"""
    reader: Address
    """who asked, outside the ordering side"""
    token: Address
    amount: int
    """what left, or came, after the answer and before the open call was done"""


Return = tuple[CallFrame, CallFrame, Address]
"""(outermost open frame, returning frame, member of the ordering side between them)"""


def reentries(trace: Trace, returns: Sequence[Return]) -> Iterator[Reentry]:
    """Returns that changed a slot which the open call also used; needs storage accesses."""
    if not returns:
        return
    accesses = trace.accesses_of(
        {account for _, inner, _ in returns if (account := inner.context) is not None}, changing=True
    )
    slots, writes = _by_slot(accesses), _writes(accesses)
    for outer, inner, through in returns:
        account = inner.context
        if account is None:
            continue
        made = writes.get(account, [])
        first = bisect_left(made, inner.entered, key=_SEQUENCE)
        last = bisect_right(made, inner.left, key=_SEQUENCE)
        for slot in list(dict.fromkeys(write.slot for write in made[first:last]))[:WRITES_EXAMINED]:
            found = _compare(slots[account, slot], outer, inner)
            if found is not None:
                yield Reentry(account, outer.index, inner.index, through, slot, *found)


def stale_views(trace: Trace, returns: Sequence[Return], cluster: Set[Address]) -> Iterator[StaleView]:
    """Answers to outsiders that rest on a slot which the open call then changed; needs storage accesses."""
    views = [(outer, view) for outer, view, _ in returns if view.from_ not in cluster and view.from_ != view.context]
    if not views:
        return
    accesses = trace.accesses_of({account for _, view in views if (account := view.context) is not None}, changing=True)
    slots = _by_slot(accesses)
    reads: dict[Address, list[StorageAccess]] = defaultdict(list)
    for access in accesses:
        if access.kind is AccessKind.SLOAD:
            reads[access.address].append(access)  # also by code that it borrows: proxies answer that way
    for outer, view in views:
        account = view.context
        if account is None:
            continue
        made = reads.get(account, [])
        first = bisect_left(made, view.entered, key=_SEQUENCE)
        for read in made[first : min(first + WRITES_EXAMINED, bisect_right(made, view.left, key=_SEQUENCE))]:
            history = slots[account, read.slot]
            after = history[bisect_right(history, view.left, key=_SEQUENCE) :]
            later = [write for write in after if write.sequence <= outer.left and write.value != write.previous]
            if later and later[-1].value != read.value:
                yield StaleView(account, outer.index, view.index, view.from_, read.slot, read.value, later[-1].value)
                break


def half_paid(
    trace: Trace, transfers: Sequence[Transfer], returns: Sequence[Return], cluster: Set[Address]
) -> Iterator[HalfPaid]:
    """Answers to outsiders that asked a token for a balance which the open call then changed."""
    for outer, view, _ in returns:
        account = view.context
        if view.from_ in cluster or view.from_ == account or account is None:
            continue
        inner = bisect_right(trace.frames, view.entered, key=_ENTERED)
        for frame in trace.frames[inner : inner + WRITES_EXAMINED]:
            if frame.entered > view.left:
                break
            token = frame.to
            if token is None or frame.input[:4] != BALANCE_OF or frame.input[16:36] != account:
                continue
            later = sum(
                move.amount if move.from_ == account else -move.amount
                for move in transfers
                if move.token == token
                and view.left < move.sequence < outer.left
                and account in (move.from_, move.to)
                and trace.frames[move.frame].from_ == account
            )
            if later > 0:
                yield HalfPaid(account, outer.index, view.index, view.from_, token, later)
                break


def returns(frames: Sequence[CallFrame], edges: Sequence[Comeback], cluster: Set[Address]) -> Iterator[Return]:
    """The comebacks that led through the ordering side; linear in edges and in the frames on their way."""
    nearest: dict[int, int] = {}
    found = 0
    for edge in edges:
        if edge.account in cluster:
            continue
        member = _member(frames, frames[edge.inner].parent, cluster, nearest)
        if member <= edge.outer:
            continue
        found += 1
        if found > REENTRIES_EXAMINED:
            return
        through = frames[member].context
        if through is not None:
            yield frames[edge.outer], frames[edge.inner], through


def _member(frames: Sequence[CallFrame], index: int, cluster: Set[Address], known: dict[int, int]) -> int:
    """The innermost frame of the cluster on the way up from `index`, itself included; -1 if there is none."""
    way = []
    while index >= 0 and index not in known:
        way.append(index)
        if frames[index].context in cluster:
            known[index] = index
            break
        index = frames[index].parent
    answer = known.get(index, -1)
    for passed in way:
        known[passed] = answer
    return answer


def _by_slot(accesses: Sequence[StorageAccess]) -> dict[tuple[Address, int], list[StorageAccess]]:
    slots: dict[tuple[Address, int], list[StorageAccess]] = defaultdict(list)
    for access in accesses:
        slots[access.address, access.slot].append(access)
    return slots


def _writes(accesses: Sequence[StorageAccess]) -> dict[Address, list[StorageAccess]]:
    writes: dict[Address, list[StorageAccess]] = defaultdict(list)
    for access in accesses:
        if access.kind is AccessKind.SSTORE and access.value != access.previous:
            writes[access.address].append(access)
    return writes


def _compare(history: list[StorageAccess], outer: CallFrame, inner: CallFrame) -> tuple[bool, bool, bool] | None:
    """(read before, written after, stale) for one slot; None if the open call never used it."""
    began = bisect_left(history, outer.entered, key=_SEQUENCE)
    went = bisect_left(history, inner.entered, key=_SEQUENCE)
    came = bisect_right(history, inner.left, key=_SEQUENCE)
    ended = bisect_right(history, outer.left, key=_SEQUENCE)
    after = history[came:ended]
    changed = any(access.kind is AccessKind.SSTORE and access.value != access.previous for access in after)
    if began == went and not changed:
        return None
    return began < went, changed, changed and after[0].kind is AccessKind.SSTORE

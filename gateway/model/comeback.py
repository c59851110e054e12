"""Who came back: an account entered again while an earlier call of it was open, and what that did to its slots.

The functions are the reference for engines that answer these questions themselves.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence, Set
from itertools import islice
from operator import attrgetter, itemgetter
from typing import NamedTuple

from gateway.model.facts import Comeback
from gateway.model.frame import AccessKind, CallFrame, StorageAccess
from gateway.model.primitive import Address

Pair = tuple[int, int]
"""(index of an open frame, index of a frame that came back to its account)"""
_SEQUENCE = attrgetter("sequence")
_FIRST = itemgetter(0)


class Return(NamedTuple):
    """A comeback that led through a member of a side."""

    outer: int
    """outermost open frame"""
    inner: int
    """frame that came back"""
    through: Address
    """the member nearest to the frame that came back"""


class Overlap(NamedTuple):
    """One slot that an inner call changed and the open call used too."""

    pair: int
    """position of the pair of frames"""
    slot: int
    read_before: bool
    """the open call had used it before it called out"""
    written_after: bool
    """the open call changed it again when the inner one had returned"""
    stale: bool
    """it did so without looking again"""
    restored: bool
    """the slot held the same after the last use in the open call as before the first"""


class Answer(NamedTuple):
    """One slot that was read in an inner call and then changed by the open one."""

    pair: int
    """position of the pair of frames"""
    slot: int
    seen: int
    """value that was read"""
    final: int
    """value when the open call was done"""


def comebacks(frames: Iterable[CallFrame]) -> Iterator[Comeback]:
    """Every return into an open account with another account in between, in the order of entry; linear."""
    stack: list[tuple[int, Address | None, int]] = []
    """(frame, account, position where its unbroken run of frames begins)"""
    open_at: dict[Address, list[int]] = defaultdict(list)
    for frame in frames:
        while stack and stack[-1][0] != frame.parent:
            left = stack.pop()[1]
            if left is not None:
                open_at[left].pop()
        account, position = frame.context, len(stack)
        run = stack[-1][2] if stack and stack[-1][1] == account else position
        if account is not None:
            entered = open_at[account]
            if entered and entered[0] < run:
                yield Comeback(account, stack[entered[0]][0], frame.index)
            entered.append(position)
        stack.append((frame.index, account, run))


def returns(
    frames: Sequence[CallFrame], edges: Iterable[Comeback], cluster: Set[Address], most: int
) -> Iterator[Return]:
    """The comebacks that led through one of `cluster`; linear in edges and in the frames on their way."""
    nearest: dict[int, int] = {}
    found = 0
    for edge in edges:
        if edge.account in cluster:
            continue
        member = _member(frames, frames[edge.inner].parent, cluster, nearest)
        if member <= edge.outer:
            continue
        found += 1
        if found > most:
            return
        through = frames[member].context
        if through is not None:
            yield Return(edge.outer, edge.inner, through)


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


class SlotHistory:
    """The uses of changed slots of some accounts, so that each question about two frames is a few bisections."""

    def __init__(self, accesses: Iterable[StorageAccess]) -> None:
        """`accesses`: those of the accounts in question on slots that some SSTORE gave another value, in order."""
        self._uses: dict[tuple[Address, int], list[StorageAccess]] = defaultdict(list)
        self._changes: dict[tuple[Address, int], list[StorageAccess]] = defaultdict(list)
        self._changed: dict[Address, list[tuple[int, int, int]]] = defaultdict(list)
        """account -> (sequence number, slot, position of the change of the same slot before this one) of changes"""
        self._reads: dict[Address, list[StorageAccess]] = defaultdict(list)
        latest: dict[tuple[Address, int], int] = {}
        for access in accesses:
            key = (access.address, access.slot)
            self._uses[key].append(access)
            if access.kind is AccessKind.SLOAD:
                self._reads[access.address].append(access)  # also by code that it borrows: proxies answer that way
            elif access.value != access.previous:
                self._changes[key].append(access)
                made = self._changed[access.address]
                made.append((access.sequence, access.slot, latest.get(key, -1)))
                latest[key] = len(made) - 1

    def overlaps(self, pair: int, outer: CallFrame, inner: CallFrame, most: int) -> Iterator[Overlap]:
        """The first `most` slots that `inner` changed, as far as `outer` used them too."""
        account = inner.context
        if account is None:
            return
        made = self._changed.get(account, [])
        first = bisect_left(made, inner.entered, key=_FIRST)
        last = bisect_right(made, inner.left, key=_FIRST)
        # a slot that changed before within this call was met already
        fresh = (slot for _, slot, before in islice(made, first, last) if before < first)
        for slot in islice(fresh, most):
            uses, change = self._uses[account, slot], self._last_change(account, slot, outer.left)
            began = bisect_left(uses, outer.entered, key=_SEQUENCE)
            went = bisect_left(uses, inner.entered, key=_SEQUENCE)
            came = bisect_right(uses, inner.left, key=_SEQUENCE)
            changed = change is not None and change.sequence > inner.left
            if began < went or changed:
                stale = changed and uses[came].kind is AccessKind.SSTORE
                end = bisect_right(uses, outer.left, key=_SEQUENCE)
                restored = began < end and uses[began].previous == uses[end - 1].value
                yield Overlap(pair, slot, began < went, changed, stale, restored)

    def answer(self, pair: int, outer: CallFrame, view: CallFrame, most: int) -> Answer | None:
        """The first of `most` reads in `view` that `outer` made untrue before it was done."""
        account = view.context
        if account is None:
            return None
        made = self._reads.get(account, [])
        first = bisect_left(made, view.entered, key=_SEQUENCE)
        for read in made[first : min(first + most, bisect_right(made, view.left, key=_SEQUENCE))]:
            change = self._last_change(account, read.slot, outer.left)
            if change is not None and change.sequence > view.left and change.value != read.value:
                return Answer(pair, read.slot, read.value, change.value)
        return None

    def _last_change(self, account: Address, slot: int, end: int) -> StorageAccess | None:
        made = self._changes[account, slot]
        last = bisect_right(made, end, key=_SEQUENCE) - 1
        return made[last] if last >= 0 else None

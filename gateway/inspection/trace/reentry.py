"""Who came back: a contract entered again through the ordering side while an earlier call of it was still open."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from operator import attrgetter, itemgetter

from gateway.inspection.trace.ledger import BALANCE_OF
from gateway.model.comeback import Return
from gateway.model.facts import Transfer
from gateway.model.primitive import Address
from gateway.model.trace import CallFrame, Trace

REENTRIES_EXAMINED = 256
"""returns looked at; beyond it a transaction shows the same thing again and again"""
WRITES_EXAMINED = 64
"""slots compared for each return"""

_SEQUENCE = itemgetter(0)
_INDEX = attrgetter("index")
_QUERIES = frozenset({BALANCE_OF})


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
    restored: bool
    """the slot held the same after the last use in the open call as before the first"""


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


def returns(trace: Trace, cluster: Set[Address]) -> Sequence[Return]:
    """The comebacks that led through the ordering side."""
    return trace.returns(cluster, REENTRIES_EXAMINED)


def reentries(trace: Trace, returns: Sequence[Return]) -> Iterator[Reentry]:
    """Returns that changed a slot which the open call also used; needs storage accesses."""
    if not returns:
        return
    for found in trace.overlaps([(back.outer, back.inner) for back in returns], WRITES_EXAMINED):
        outer, inner, through = returns[found.pair]
        account = trace.frames[inner].context
        if account is not None:
            yield Reentry(account, outer, inner, through, *found[1:])


def stale_views(trace: Trace, returns: Sequence[Return], cluster: Set[Address]) -> Iterator[StaleView]:
    """Answers to outsiders that rest on a slot which the open call then changed; needs storage accesses."""
    views = list(_views(trace, returns, cluster))
    if not views:
        return
    pairs = [(outer, view.index) for outer, view, _ in views]
    for found in trace.answers(pairs, WRITES_EXAMINED):
        outer, view, account = views[found.pair]
        yield StaleView(account, outer, view.index, view.from_, found.slot, found.seen, found.final)


def half_paid(
    trace: Trace, transfers: Sequence[Transfer], returns: Sequence[Return], cluster: Set[Address]
) -> Iterator[HalfPaid]:
    """Answers to outsiders that asked a token for a balance which the open call then changed.

    Linear in transfers and in the returns examined.
    """
    views = list(_views(trace, returns, cluster))
    asked = trace.select(selectors=_QUERIES, about={account for *_, account in views}) if views else ()
    paid: _Payments | None = None
    for outer, view, account in views if asked else ():
        inner = trace.entered_since(view.entered + 1)
        for frame in asked[bisect_left(asked, inner, key=_INDEX) :]:
            if frame.entered > view.left or frame.index >= inner + WRITES_EXAMINED:
                break
            token = frame.to
            if token is None or frame.input[16:36] != account:
                continue
            paid = paid or _Payments(trace, transfers)
            later = paid.between(token, account, view.left, trace.frames[outer].left)
            if later > 0:
                yield HalfPaid(account, outer, view.index, view.from_, token, later)
                break


def _views(trace: Trace, returns: Sequence[Return], cluster: Set[Address]) -> Iterator[tuple[int, CallFrame, Address]]:
    """(open frame, frame that came back, its account) of returns by which somebody outside the cluster asked."""
    for outer, inner, _ in returns:
        view = trace.frames[inner]
        account = view.context
        if account is not None and view.from_ not in cluster and view.from_ != account:
            yield outer, view, account


class _Payments:
    """What accounts paid of each token by calls of their own, summed up so that any stretch is two bisections."""

    def __init__(self, trace: Trace, transfers: Sequence[Transfer]) -> None:
        self._sums: dict[tuple[Address, Address], list[tuple[int, int]]] = defaultdict(list)
        for move in transfers:
            payer = trace.frames[move.frame].from_
            if payer in (move.from_, move.to):
                made = self._sums[move.token, payer]
                amount = move.amount if move.from_ == payer else -move.amount
                made.append((move.sequence, (made[-1][1] if made else 0) + amount))

    def between(self, token: Address, account: Address, after: int, before: int) -> int:
        """What left `account` on balance between two sequence numbers, both excluded."""
        made = self._sums.get((token, account), [])
        first = bisect_right(made, after, key=_SEQUENCE)
        last = bisect_left(made, before, key=_SEQUENCE)
        if last <= first:
            return 0
        return made[last - 1][1] - (made[first - 1][1] if first else 0)

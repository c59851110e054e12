"""What is asked of the call tree of a transaction; engines may answer themselves, and these are their reference."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Mapping, Sequence, Set
from operator import attrgetter
from typing import TYPE_CHECKING

from gateway.model.comeback import Answer, Overlap, Pair, Return, SlotHistory, comebacks, returns
from gateway.model.frame import CallFrame, FrameKind, StorageAccess
from gateway.model.lazy import cached_property
from gateway.model.primitive import Address
from gateway.model.walk import acting, asker, contexts, orders, path, recanted, sole_room, told, visits

if TYPE_CHECKING:
    from gateway.model.facts import Transfer

_ENTERED = attrgetter("entered")
_QUERIES = frozenset({FrameKind.STATICCALL})


class CallTree(ABC):
    """Frames in the order of entry, and the questions about the way from one to another."""

    @property
    @abstractmethod
    def frames(self) -> Sequence[CallFrame]:
        """All frames in the order of entry; `frames[0]` is the transaction itself."""

    @abstractmethod
    def select(
        self,
        *,
        kinds: Set[FrameKind] | None = None,
        from_: Set[Address] | None = None,
        to: Set[Address] | None = None,
        selectors: Set[bytes] | None = None,
        about: Set[Address] | None = None,
        but: Set[Address] | None = None,
        answered: bool = False,
    ) -> tuple[CallFrame, ...]:
        """The frames that fit all that is given, in order; see `Trace`."""

    @abstractmethod
    def accesses_of(self, accounts: Set[Address], *, changing: bool = False) -> tuple[StorageAccess, ...]:
        """SLOAD and SSTORE on the storage of these accounts, in order; see `Trace`."""

    def returns(self, cluster: Set[Address], most: int) -> Sequence[Return]:
        """The first `most` returns into open accounts that led through one of `cluster`, in the order of entry."""
        return tuple(returns(self.frames, comebacks(self.frames), cluster, most))

    def overlaps(self, pairs: Sequence[Pair], most: int) -> Sequence[Overlap]:
        """For each open and inner frame, the first `most` slots that the inner one changed, if the open one used them.

        None if this engine cannot supply accesses.
        """
        history, frames = self._history(pairs), self.frames
        return [
            found
            for position, (outer, inner) in enumerate(pairs)
            for found in history.overlaps(position, frames[outer], frames[inner], most)
        ]

    def answers(self, pairs: Sequence[Pair], most: int) -> Sequence[Answer]:
        """For each open and inner frame, the first of `most` reads in the inner one that the open one made untrue.

        None if this engine cannot supply accesses.
        """
        history, frames = self._history(pairs), self.frames
        found = (
            history.answer(position, frames[outer], frames[view], most) for position, (outer, view) in enumerate(pairs)
        )
        return [answer for answer in found if answer is not None]

    def contexts(self, first: int, end: int) -> Sequence[Address]:
        """The accounts that act in the frames from `first` to before `end`, each once, in order."""
        return contexts(self.frames[first:end])

    def askers(self, about: Set[Address]) -> Set[Address]:
        """Who was told something else than zero when it asked, by a STATICCALL, about one of `about`."""
        asked = self.select(kinds=_QUERIES, about=about)
        return frozenset([frame.from_ for frame in asked if any(frame.output)])

    @property
    def fails(self) -> bool:
        """True if a frame failed."""
        return any(frame.error is not None for frame in self.frames)

    def entered_since(self, sequence: int) -> int:
        """Index of the first frame that was entered at or after `sequence`; the number of frames if there is none."""
        return bisect_left(self.frames, sequence, key=_ENTERED)

    def path(self, index: int) -> Sequence[tuple[Address, int]]:
        """(account, first frame) of each account that acts between the transaction and frame `index`, outermost first.

        Contracts that act in several frames in a row are one step.
        """
        return path(self.frames, index)

    def asker(self, index: int, token: Address) -> Address:
        """Who called `token` when it acted in frame `index`; a proxy's own delegations are left out."""
        return asker(self.frames, index, token)

    def recanted(self, besides: Set[bytes], but: Set[Address], longest: int, most: int) -> Sequence[tuple[int, int]]:
        """(first, later) frames of plain questions that were answered otherwise the later time.

        Of the first `most` STATICCALLs those that bring a selector only, none of `besides`, and are answered by up to
        `longest` bytes; the later one is not asked by one of `but`.
        """
        return recanted(self.select(kinds=_QUERIES)[:most], besides, but, longest)

    def orders(self, cluster: Set[Address], told: Set[Address], least: int, most: int) -> Sequence[tuple[int, int]]:
        """(call of `cluster` that brought an order to one of `told`, later call that carries it out), by index.

        The later one repeats at least `least` bytes; of each of `told` the first `most` calls are looked at.
        """
        return orders(self.frames, cluster, told, least, most)

    def told(self, index: int, party: Address, cluster: Set[Address], most: int) -> bool:
        """True if a call out of `cluster` that led to frame `index` names `party` in the first `most` bytes of data."""
        return told(self.frames, index, party, cluster, most)

    def visits(self, cluster: Set[Address]) -> Sequence[int]:
        """For each frame the call out of `cluster` under which it ran; -1 for frames of the cluster itself."""
        key = frozenset(cluster)
        known = self._visits.get(key)
        if known is None:
            known = self._visits[key] = self._find_visits(key)
        return known

    def _find_visits(self, cluster: Set[Address]) -> Sequence[int]:
        return visits(self.frames, cluster)

    @cached_property
    def _visits(self) -> dict[frozenset[Address], Sequence[int]]:
        return {}

    def acting(self, cluster: Set[Address]) -> Mapping[int, Set[Address]]:
        """Call out of `cluster` -> the accounts that act under it."""
        return acting(self.frames, cluster)

    def sole_room(self, entry: Address, cluster: Set[Address], moves: Sequence[Transfer]) -> Address | None:
        """The one contract for which `entry` is but a door: it makes all of `moves` and never calls back."""
        return sole_room(self.frames, entry, cluster, moves)

    def _history(self, pairs: Sequence[Pair]) -> SlotHistory:
        contexts = (self.frames[inner].context for _, inner in pairs)
        accounts = {account for account in contexts if account is not None}
        return SlotHistory(self.accesses_of(accounts, changing=True))

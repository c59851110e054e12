"""Frames and code that lie in the native engine: each is made as the gateway's value when somebody looks at it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, overload

from gateway.model.frame import CallFrame
from gateway.model.lazy import cached_property
from gateway.model.primitive import Hash32

MANY = 4
"""who asked for more than one in so many frames will ask for the others: one by one they would cost more"""

_frame = partial(tuple.__new__, CallFrame)
"""of a complete row; see `gateway.evm.native_trace`"""


class Frames(Sequence[CallFrame]):
    """Frames that are made one by one, or all at once when somebody walks over them."""

    def __init__(self, outcome: Any, words: Any) -> None:
        self._outcome, self._words = outcome, words
        self._count: int = outcome.frame_count
        self._made: dict[int, CallFrame] = {}
        self._all: tuple[CallFrame, ...] | None = None

    def _whole(self) -> tuple[CallFrame, ...]:
        if self._all is None:
            made = list(map(_frame, self._outcome.frames(self._words, 0, self._count)))
            for at, frame in self._made.items():  # who holds a frame already must not meet another one in its place
                made[at] = frame
            self._all = tuple(made)
        return self._all

    def pick(self, indices: Sequence[int]) -> tuple[CallFrame, ...]:
        """The frames at `indices`."""
        if self._all is None:
            fresh = [index for index in indices if index not in self._made]
            if MANY * (len(fresh) + len(self._made)) > self._count:
                return tuple(map(self._whole().__getitem__, indices))
            self._made.update(zip(fresh, map(_frame, self._outcome.picked(self._words, fresh)), strict=True))
        known = self._made if self._all is None else self._all
        return tuple([known[index] for index in indices])

    @overload
    def __getitem__(self, at: int) -> CallFrame: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[CallFrame, ...]: ...
    def __getitem__(self, at: int | slice) -> CallFrame | tuple[CallFrame, ...]:
        if self._all is not None:
            return self._all[at]
        if isinstance(at, slice):
            return self.pick(range(*at.indices(self._count)))
        index = at + self._count if at < 0 else at
        made = self._made.get(index)
        if made is None:
            if not 0 <= index < self._count:
                raise IndexError(f"frame {at} of a trace of {self._count} frames")
            if MANY * len(self._made) > self._count:
                return self._whole()[index]
            made = self._made[index] = _frame(self._outcome.frames(self._words, index, index + 1)[0])
        return made

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[CallFrame]:
        return iter(self._whole())

    def __eq__(self, other: object) -> bool:
        return self._whole() == (other._whole() if isinstance(other, Frames) else other)

    def __hash__(self) -> int:
        return hash(self._whole())

    def __repr__(self) -> str:
        return repr(self._whole())


class Codes(Mapping[Hash32, bytes]):
    """The code that ran: a piece of some ten thousand bytes is made when it is read."""

    def __init__(self, outcome: Any, words: Any) -> None:
        self._outcome, self._words = outcome, words
        self._made: dict[Hash32, bytes] = {}

    @cached_property
    def _hashes(self) -> dict[Hash32, None]:
        return dict.fromkeys(self._outcome.code_hashes(self._words))

    def __getitem__(self, key: Hash32) -> bytes:
        made = self._made.get(key)
        if made is None:
            made = self._outcome.code(key)
            if made is None:
                raise KeyError(key)
            self._made[key] = made
        return made

    def __contains__(self, key: object) -> bool:
        return key in self._hashes

    def __iter__(self) -> Iterator[Hash32]:
        return iter(self._hashes)

    def __len__(self) -> int:
        count: int = self._outcome.code_count
        return count

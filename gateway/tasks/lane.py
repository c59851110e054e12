"""A bounded waiting line that is fair between owners."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class FairLane(Generic[T]):
    """Owners take turns, one item of each at a time is in work: who sends much waits behind himself only.

    For one event loop. Items are taken by `take` and given back by `done`.
    """

    def __init__(self, *, capacity: int, per_owner: int) -> None:
        """`capacity`: items of all owners; `per_owner`: items of one, in work or waiting."""
        self._capacity, self._per_owner = capacity, per_owner
        self._waiting: OrderedDict[Hashable, deque[T]] = OrderedDict()
        self._in_work: set[Hashable] = set()
        self._size = 0
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return self._size

    def has_room(self, owner: Hashable) -> bool:
        """True if `offer` would take an item of this owner."""
        own = len(self._waiting.get(owner, ())) + (owner in self._in_work)
        return self._size + len(self._in_work) < self._capacity and own < self._per_owner

    def offer(self, owner: Hashable, item: T) -> bool:
        """Append an item; False if there is no room for it."""
        if not self.has_room(owner):
            return False
        self._waiting.setdefault(owner, deque()).append(item)
        self._size += 1
        self._changed.set()
        return True

    async def take(self) -> tuple[Hashable, T]:
        """The next item of the owner whose turn it is; waits until there is one."""
        while True:
            for owner in self._waiting:
                if owner not in self._in_work:
                    return owner, self._pop(owner)
            self._changed.clear()
            await self._changed.wait()

    def done(self, owner: Hashable) -> None:
        """The item taken is finished; the owner's next one may be taken."""
        self._in_work.discard(owner)
        self._changed.set()

    def _pop(self, owner: Hashable) -> T:
        items = self._waiting[owner]
        item = items.popleft()
        self._size -= 1
        self._in_work.add(owner)
        if items:
            self._waiting.move_to_end(owner)
        else:
            del self._waiting[owner]
        return item

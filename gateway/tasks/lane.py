"""A bounded waiting line that is fair between clients, and between the senders of one client."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LaneLimits:
    """Items in work or waiting."""

    capacity: int = 500
    """of everybody"""
    per_client: int = 200
    per_sender: int = 4


class Owner(NamedTuple):
    """Whose item it is."""

    client: Hashable
    sender: Hashable


class FairLane(Generic[T]):
    """Clients take turns, and so do the senders of one client; of each sender one item at a time is in work.

    So who sends much waits behind himself only, be it from one account or from a thousand. For one event loop. Items
    are taken by `take` and given back by `done`.
    """

    def __init__(self, limits: LaneLimits) -> None:
        self._limits = limits
        self._waiting: OrderedDict[Hashable, OrderedDict[Hashable, deque[T]]] = OrderedDict()
        self._in_work: set[Hashable] = set()
        self._of_client: Counter[Hashable] = Counter()
        self._of_sender: Counter[Hashable] = Counter()
        self._size = 0
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return self._size

    def has_room(self, owner: Owner) -> bool:
        """True if `offer` would take an item of this owner."""
        return (
            self._of_client.total() < self._limits.capacity
            and self._of_client[owner.client] < self._limits.per_client
            and self._of_sender[owner.sender] < self._limits.per_sender
        )

    def offer(self, owner: Owner, item: T) -> bool:
        """Append an item; False if there is no room for it."""
        if not self.has_room(owner):
            return False
        self._waiting.setdefault(owner.client, OrderedDict()).setdefault(owner.sender, deque()).append(item)
        self._of_client[owner.client] += 1
        self._of_sender[owner.sender] += 1
        self._size += 1
        self._changed.set()
        return True

    async def take(self) -> tuple[Owner, T]:
        """The next item of the client, and of its sender, whose turn it is; waits until there is one."""
        while True:
            for client, senders in self._waiting.items():
                for sender in senders:
                    if sender not in self._in_work:
                        owner = Owner(client, sender)
                        return owner, self._pop(owner)
            self._changed.clear()
            await self._changed.wait()

    def done(self, owner: Owner) -> None:
        """The item taken is finished; the sender's next one may be taken."""
        self._in_work.discard(owner.sender)
        for counts, name in ((self._of_client, owner.client), (self._of_sender, owner.sender)):
            counts[name] -= 1
            if not counts[name]:
                del counts[name]
        self._changed.set()

    def _pop(self, owner: Owner) -> T:
        senders = self._waiting[owner.client]
        items = senders[owner.sender]
        item = items.popleft()
        self._size -= 1
        self._in_work.add(owner.sender)
        if items:
            senders.move_to_end(owner.sender)
        else:
            del senders[owner.sender]
        if senders:
            self._waiting.move_to_end(owner.client)
        else:
            del self._waiting[owner.client]
        return item

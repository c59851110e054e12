"""How often one address may do something that needs no account. Kept in memory: a restart forgives."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from datetime import datetime, timedelta

_ADDRESSES = 10_000


class Throttle:
    """At most `most` times in `within` for one address, and ten times as often for all together."""

    def __init__(self, now: Callable[[], datetime], *, most: int = 10, within: timedelta = timedelta(minutes=10)):
        self._now, self._most, self._within = now, most, within
        self._times: OrderedDict[str, deque[datetime]] = OrderedDict()
        self._all: deque[datetime] = deque(maxlen=most * 10)

    def allows(self, address: str) -> bool:
        """Count one try; False if it is one too many."""
        now = self._now()
        times = self._times.setdefault(address, deque(maxlen=self._most))
        self._times.move_to_end(address)
        while len(self._times) > _ADDRESSES:
            self._times.popitem(last=False)
        for kept in (times, self._all):
            while kept and kept[0] <= now - self._within:
                kept.popleft()
        if len(times) >= self._most or len(self._all) >= self._most * 10:
            return False
        times.append(now)
        self._all.append(now)
        return True

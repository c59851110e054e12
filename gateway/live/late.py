"""State that arrived for a head that has passed: carried over the blocks since, exactly as known state is."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.live.cache import StateCache
from gateway.live.change import Carried
from gateway.model.primitive import Hash32
from gateway.model.state import StateBatch

STEPS_KEPT = 16
LATE_KEPT = 256
"""batches; one is what a single simulation asked for"""


@dataclass(frozen=True, slots=True)
class _Step:
    before: Hash32
    after: Hash32
    carried: Carried


class LateArrivals:
    """A round trip is not lost because a block came in between: only what the block wrote is."""

    def __init__(self) -> None:
        self._steps: deque[_Step] = deque(maxlen=STEPS_KEPT)
        self._batches: deque[tuple[Hash32, StateBatch]] = deque(maxlen=LATE_KEPT)

    def stepped(self, before: Hash32, after: Hash32, carried: Carried) -> None:
        """The head moved."""
        self._steps.append(_Step(before, after, carried))

    def add(self, block: Hash32, batch: StateBatch) -> None:
        """Values at `block`, which is not the head any more."""
        self._batches.append((block, batch))

    def take(self, head: Hash32) -> Iterator[StateBatch]:
        """What holds at `head` of all that was added since the last call."""
        while self._batches:
            block, batch = self._batches.popleft()
            carried = self._carry(block, head, batch)
            if carried is not None:
                yield carried

    def _carry(self, block: Hash32, head: Hash32, batch: StateBatch) -> StateBatch | None:
        """None if the way from `block` to `head` is not known slot by slot."""
        known = StateCache()
        known.add(batch)
        at = block
        for step in self._steps:
            if step.before != at:
                continue
            # Only a trace says what a block did to keys that nobody here knew at the time.
            if step.carried.written is None:
                return None
            known.change(step.carried.change)
            for address in step.carried.volatile - step.carried.change.values.accounts.keys():
                known.accounts.pop(address, None)
            at = step.after
        return known.everything() if at == head else None

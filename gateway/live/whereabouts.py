"""Whether the upstream has what was forwarded, and which of it got lost there."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gateway.errors import UpstreamRefused
from gateway.live.head_state import HeadState
from gateway.live.overlay import Overlay
from gateway.live.view import View
from gateway.model.primitive import Hash32

ASKED_AT_ONCE = 200


class Whereabouts:
    """Asks the upstream by hash. Everything raises UpstreamError if it does not answer."""

    def __init__(self, state: HeadState, overlay: Overlay, dropped_after: float, clock: Callable[[], float]) -> None:
        """`dropped_after`: seconds for which the upstream may not know a forwarded transaction; `clock`: steady."""
        self._state, self._overlay, self._dropped_after, self._clock = state, overlay, dropped_after, clock

    async def at_upstream(self, hash: Hash32) -> bool:
        """True if the upstream knows that transaction."""
        (answer,) = await self._state.fetcher.ask([("eth_getTransactionByHash", [str(hash)])])
        return answer is not None and not isinstance(answer, UpstreamRefused)

    async def find_dropped(self, view: View) -> None:
        """Take out, for all replicas, what the upstream has not known for too long. Raises also QueueUnavailable."""
        now = self._clock()
        waiting = [item for item in view.standing if item.effects is not None][:ASKED_AT_ONCE]
        calls: list[tuple[str, Sequence[object]]] = [
            ("eth_getTransactionByHash", [str(item.entry.hash)]) for item in waiting
        ]
        answers = await self._state.fetcher.ask(calls)
        for item, answer in zip(waiting, answers, strict=True):
            if isinstance(answer, UpstreamRefused) or answer is not None:
                item.missing_since = None
            elif item.missing_since is None:
                item.missing_since = now
            elif now - item.missing_since > self._dropped_after:
                self._overlay.statistics.dropped += 1
                async with self._state.turn:
                    await self._overlay.withdraw(self._state.present(), item.entry.hash)

"""What replicas tell each other of the effects of transactions: two bounded streams in Redis, and their twin in memory.

One holds everything for half an hour, and all replicas follow it. The other holds for a day the little that may be used
late; who starts reads it once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, cast

from redis.exceptions import RedisError

from gateway.errors import QueueUnavailable
from gateway.store.shared.redis import connect

MAX_ENTRIES = 16_384
"""messages kept; at about 300 bytes each 5 MB, at their largest (20 KB) 330 MB"""
KEPT_SECONDS = 1800
LASTING_SECONDS = 90_000
_KEY = "stopgate:{memory}:effects"
_LASTING_KEY = "stopgate:{memory}:lasting"
_DATA = b"d"
_PAGE = 1_000
START = "0-0"


class MemoryLog(Protocol):
    """An append-only log that forgets by itself. Every method raises QueueUnavailable if it is away."""

    async def append(self, messages: Sequence[bytes], lasting: Sequence[bytes] = ()) -> None:
        """Add messages at the end; what is too old or too much leaves. `lasting`: those that are kept for a day too."""

    async def after(self, seen: str, *, lasting: bool = False) -> Sequence[tuple[str, bytes]]:
        """(id, message) of up to a thousand messages that follow the one with id `seen`, the oldest first."""

    async def close(self) -> None:
        """Give connections back; idempotent."""


class RedisMemoryLog:
    """`MemoryLog` as a Redis stream."""

    def __init__(self, url: str, *, timeout: float = 0.5, now: Callable[[], float] = time.time) -> None:
        """`timeout` in seconds bounds each step: reading it is beside the simulation of every transaction."""
        self._client = connect(url, timeout=timeout)
        self._now = now

    async def append(self, messages: Sequence[bytes], lasting: Sequence[bytes] = ()) -> None:
        """See MemoryLog.append."""
        streams = ((_KEY, messages, KEPT_SECONDS), (_LASTING_KEY, lasting, LASTING_SECONDS))
        if not messages and not lasting:
            return
        with _guard():
            async with self._client.pipeline(transaction=False) as pipeline:
                for key, added, seconds in streams:
                    for message in added:
                        pipeline.xadd(key, {_DATA: message}, maxlen=MAX_ENTRIES, approximate=True)
                    if added:
                        oldest = int((self._now() - seconds) * 1000)
                        pipeline.xtrim(key, minid=str(max(oldest, 0)), approximate=True)
                        pipeline.expire(key, 2 * seconds)
                await pipeline.execute()

    async def after(self, seen: str, *, lasting: bool = False) -> Sequence[tuple[str, bytes]]:
        """See MemoryLog.after."""
        key = _LASTING_KEY if lasting else _KEY
        with _guard():
            found = cast(
                "list[tuple[bytes, dict[bytes, bytes]]]",
                await cast("Any", self._client.xrange(key, min=f"({seen}", count=_PAGE)),
            )
        return [(id.decode(), fields.get(_DATA, b"")) for id, fields in found]

    async def close(self) -> None:
        """See MemoryLog.close."""
        await self._client.aclose()


class LocalMemoryLog:
    """`MemoryLog` inside one process, for a gateway that shares with nobody, and for tests."""

    def __init__(self) -> None:
        self._messages: list[bytes] = []
        self._lasting: list[bytes] = []

    async def append(self, messages: Sequence[bytes], lasting: Sequence[bytes] = ()) -> None:
        """See MemoryLog.append."""
        self._messages.extend(messages)
        self._lasting.extend(lasting)

    async def after(self, seen: str, *, lasting: bool = False) -> Sequence[tuple[str, bytes]]:
        """See MemoryLog.after."""
        first = int(seen.split("-")[0])
        page = (self._lasting if lasting else self._messages)[first : first + _PAGE]
        return [(f"{first + number + 1}-0", message) for number, message in enumerate(page)]

    async def close(self) -> None:
        """See MemoryLog.close."""


@contextmanager
def _guard() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError) as error:
        raise QueueUnavailable(
            f"the shared memory did not answer ({error}); check that Redis or Valkey runs where the settings say"
        ) from error

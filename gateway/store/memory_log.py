"""What replicas tell each other of the effects of transactions: one bounded stream in Redis, and its twin in memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, cast

from redis.exceptions import RedisError

from gateway.errors import QueueUnavailable
from gateway.store.redis import connect

MAX_ENTRIES = 16_384
"""messages kept; at about 300 bytes each 5 MB, at their largest (20 KB) 330 MB"""
KEPT_SECONDS = 1800
_KEY = "stopgate:{memory}:effects"
_DATA = b"d"
_PAGE = 1_000
START = "0-0"


class MemoryLog(Protocol):
    """An append-only log that forgets by itself. Every method raises QueueUnavailable if it is away."""

    async def append(self, messages: Sequence[bytes]) -> None:
        """Add messages at the end; what is too old or too much leaves."""

    async def after(self, seen: str) -> Sequence[tuple[str, bytes]]:
        """(id, message) of up to a thousand messages that follow the one with id `seen`, the oldest first."""

    async def close(self) -> None:
        """Give connections back; idempotent."""


class RedisMemoryLog:
    """`MemoryLog` as a Redis stream."""

    def __init__(self, url: str, *, timeout: float = 0.5, now: Callable[[], float] = time.time) -> None:
        """`timeout` in seconds bounds each step: reading it is beside the simulation of every transaction."""
        self._client = connect(url, timeout=timeout)
        self._now = now

    async def append(self, messages: Sequence[bytes]) -> None:
        """See MemoryLog.append."""
        if not messages:
            return
        oldest = int((self._now() - KEPT_SECONDS) * 1000)
        with _guard():
            async with self._client.pipeline(transaction=False) as pipeline:
                for message in messages:
                    pipeline.xadd(_KEY, {_DATA: message}, maxlen=MAX_ENTRIES, approximate=True)
                pipeline.xtrim(_KEY, minid=str(max(oldest, 0)), approximate=True)
                pipeline.expire(_KEY, 2 * KEPT_SECONDS)
                await pipeline.execute()

    async def after(self, seen: str) -> Sequence[tuple[str, bytes]]:
        """See MemoryLog.after."""
        with _guard():
            found = cast(
                "list[tuple[bytes, dict[bytes, bytes]]]",
                await cast("Any", self._client.xrange(_KEY, min=f"({seen}", count=_PAGE)),
            )
        return [(id.decode(), fields.get(_DATA, b"")) for id, fields in found]

    async def close(self) -> None:
        """See MemoryLog.close."""
        await self._client.aclose()


class LocalMemoryLog:
    """`MemoryLog` inside one process, for a gateway that shares with nobody, and for tests."""

    def __init__(self) -> None:
        self._messages: list[bytes] = []

    async def append(self, messages: Sequence[bytes]) -> None:
        """See MemoryLog.append."""
        self._messages.extend(messages)

    async def after(self, seen: str) -> Sequence[tuple[str, bytes]]:
        """See MemoryLog.after."""
        first = int(seen.split("-")[0])
        page = self._messages[first : first + _PAGE]
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

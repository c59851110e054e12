"""What replicas tell each other of their clients' spending: one short stream in Redis."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import msgspec
from redis.exceptions import RedisError

from gateway.errors import QueueUnavailable
from gateway.model.spending import Spending
from gateway.store.shared.redis import connect

KEPT_SECONDS = 60
"""what is older was paid back meanwhile, or belongs to a debt that a replica which was away need not learn of"""
MAX_ENTRIES = 4_096
_KEY = "stopgate:{spending}:log"
_DATA = b"d"
_PAGE = 500

_encode = msgspec.msgpack.Encoder().encode
_Message = tuple[str, list[tuple[str, str, float, float, float]]]
_decode = msgspec.msgpack.Decoder(_Message).decode


class SpendingLog:
    """The stream. Everything raises QueueUnavailable if Redis is away."""

    def __init__(self, url: str, replica: str, *, timeout: float = 1.0, now: Callable[[], float] = time.time) -> None:
        """`replica` tells this process from the others; `timeout` in seconds bounds each step."""
        self._client = connect(url, timeout=timeout)
        self._replica, self._now = replica, now
        self._seen = ""

    async def exchange(self, spent: Sequence[Spending]) -> list[Spending]:
        """Tell what was spent here, and hear what was spent elsewhere since the last call; nothing at the first."""
        with _guard():
            if spent:
                lines = [(one.owner, one.key, one.requests, one.seconds, one.gas) for one in spent]
                oldest = int((self._now() - KEPT_SECONDS) * 1000)
                async with self._client.pipeline(transaction=False) as pipeline:
                    pipeline.xadd(_KEY, {_DATA: _encode((self._replica, lines))}, maxlen=MAX_ENTRIES, approximate=True)
                    pipeline.xtrim(_KEY, minid=str(max(oldest, 0)), approximate=True)
                    pipeline.expire(_KEY, 2 * KEPT_SECONDS)
                    await pipeline.execute()
            if not self._seen:
                last = cast("list[tuple[bytes, object]]", await cast("Any", self._client.xrevrange(_KEY, count=1)))
                self._seen = last[0][0].decode() if last else "0-0"
                return []
            found = cast(
                "list[tuple[bytes, dict[bytes, bytes]]]",
                await cast("Any", self._client.xrange(_KEY, min=f"({self._seen}", count=_PAGE)),
            )
        heard: list[Spending] = []
        for id, fields in found:
            self._seen = id.decode()
            heard += self._read(fields.get(_DATA, b""))
        return heard

    async def close(self) -> None:
        """Give connections back; idempotent."""
        await self._client.aclose()

    def _read(self, data: bytes) -> list[Spending]:
        try:
            replica, lines = _decode(data)
        except msgspec.MsgspecError:
            return []  # written by another version of this program
        return [] if replica == self._replica else [Spending(*line) for line in lines]


@contextmanager
def _guard() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError) as error:
        raise QueueUnavailable(f"the spending of clients is not shared: {error}") from error

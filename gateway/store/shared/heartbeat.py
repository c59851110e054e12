"""Where gateway processes leave a sign of life with their figures, for the dashboard to read: one hash in Redis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import msgspec
from redis.exceptions import RedisError

from gateway.errors import QueueUnavailable
from gateway.model.health import GatewayHealth, HealthItem
from gateway.store.shared.redis import connect

_KEY = "stopgate:{gateways}:beats"
FORGOTTEN_AFTER = timedelta(minutes=10)
"""A process that is silent for so long was taken down on purpose, or somebody has been told of it long since."""


class _Beat(msgspec.Struct, array_like=True):
    at: float
    items: list[tuple[str, bool, str]]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Beat).decode


class Heartbeats:
    """The signs of life of all gateways on one Redis. Everything raises QueueUnavailable if Redis is away."""

    def __init__(self, url: str, *, timeout: float = 2.0) -> None:
        """`timeout` in seconds bounds each step."""
        self._client = connect(url, timeout=timeout)

    async def beat(self, health: GatewayHealth) -> None:
        """Leave a sign of life in the place of this process's last one; those of long silent processes are dropped."""
        items = [(item.name, item.ok, item.says) for item in health.items]
        with _guard():
            await cast("Any", self._client.hset(_KEY, health.replica, _encode(_Beat(health.at.timestamp(), items))))
            silent = [each.replica for each in await self._all() if health.at - each.at > FORGOTTEN_AFTER]
            if silent:
                await cast("Any", self._client.hdel(_KEY, *silent))

    async def leave(self, replica: str) -> None:
        """The process ends in order: nobody has to miss it."""
        with _guard():
            await cast("Any", self._client.hdel(_KEY, replica))

    async def all(self) -> Sequence[GatewayHealth]:
        """The last sign of life of every process, by name."""
        with _guard():
            return await self._all()

    async def close(self) -> None:
        """Give connections back; idempotent."""
        await self._client.aclose()

    async def _all(self) -> Sequence[GatewayHealth]:
        beats = cast("dict[bytes, bytes]", await cast("Any", self._client.hgetall(_KEY)))
        return [_health(replica.decode(errors="replace"), data) for replica, data in sorted(beats.items())]


def _health(replica: str, data: bytes) -> GatewayHealth:
    try:
        beat = _decode(data)
    except msgspec.MsgspecError:
        item = HealthItem("sign of life", False, "written by another version of this program")
        return GatewayHealth(replica, datetime.fromtimestamp(0, UTC), (item,))
    return GatewayHealth(replica, datetime.fromtimestamp(beat.at, UTC), tuple(HealthItem(*item) for item in beat.items))


@contextmanager
def _guard() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        raise QueueUnavailable(f"Redis keeps no sign of life of the gateways: {error}") from error

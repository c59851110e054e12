from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import redis

from gateway.errors import QueueUnavailable
from gateway.model.health import GatewayHealth, HealthItem
from gateway.store.shared.embedded import EmbeddedValkey
from gateway.store.shared.heartbeat import FORGOTTEN_AFTER, Heartbeats

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
async def beats(valkey: EmbeddedValkey) -> AsyncIterator[Heartbeats]:
    with redis.Redis.from_url(valkey.url) as client:
        client.flushall()
    opened = Heartbeats(valkey.url)
    yield opened
    await opened.close()


def health(replica: str, at: datetime = NOW) -> GatewayHealth:
    return GatewayHealth(replica, at, (HealthItem("chain head", False, "the head is 40 s old"),))


async def test_the_last_sign_of_each_replica_is_there_until_it_leaves(beats: Heartbeats) -> None:
    await beats.beat(health("one", NOW - timedelta(seconds=2)))
    await beats.beat(health("two"))
    await beats.beat(health("one"))
    assert list(await beats.all()) == [health("one"), health("two")]
    await beats.leave("one")
    assert [each.replica for each in await beats.all()] == ["two"]


async def test_who_is_silent_for_long_is_forgotten_by_the_others(beats: Heartbeats) -> None:
    await beats.beat(health("gone", NOW - FORGOTTEN_AFTER - timedelta(seconds=1)))
    await beats.beat(health("silent", NOW - FORGOTTEN_AFTER + timedelta(seconds=1)))
    await beats.beat(health("one"))
    assert [each.replica for each in await beats.all()] == ["one", "silent"]


async def test_what_another_version_wrote_is_shown_as_that(beats: Heartbeats, valkey: EmbeddedValkey) -> None:
    with redis.Redis.from_url(valkey.url) as client:
        client.hset("stopgate:{gateways}:beats", "newer", b"\x81\xa1x\x01")
    (only,) = await beats.all()
    assert (only.replica, only.items[0].ok) == ("newer", False)
    assert "another version" in only.items[0].says


async def test_an_absent_redis_is_named() -> None:
    beats = Heartbeats("redis://127.0.0.1:1", timeout=0.2)
    with pytest.raises(QueueUnavailable):
        await beats.beat(health("one"))
    await beats.close()

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import redis

from gateway.errors import QueueUnavailable
from gateway.store.shared.embedded import EmbeddedValkey
from gateway.store.shared.memory_log import (
    _KEY,
    KEPT_SECONDS,
    MAX_ENTRIES,
    START,
    LocalMemoryLog,
    MemoryLog,
    RedisMemoryLog,
)


@pytest.fixture(params=["redis", "local"])
async def log(request: pytest.FixtureRequest, valkey: EmbeddedValkey) -> AsyncIterator[MemoryLog]:
    with redis.Redis.from_url(valkey.url) as client:
        client.flushall()
    opened: MemoryLog = RedisMemoryLog(valkey.url) if request.param == "redis" else LocalMemoryLog()
    yield opened
    await opened.close()


async def test_what_is_appended_is_read_once_and_in_order(log: MemoryLog) -> None:
    await log.append([b"one", b"two"])
    first = await log.after(START)
    assert [message for _, message in first] == [b"one", b"two"]
    await log.append([b"three"])
    await log.append([])
    assert [message for _, message in await log.after(first[-1][0])] == [b"three"]
    assert [message for _, message in await log.after(first[0][0])] == [b"two", b"three"]


async def test_a_long_log_comes_in_pages(log: MemoryLog) -> None:
    await log.append([b"%d" % number for number in range(1_500)])
    page = await log.after(START)
    assert len(page) == 1_000
    assert len(await log.after(page[-1][0])) == 500


async def test_the_stream_is_bounded_in_number_and_in_time(valkey: EmbeddedValkey) -> None:
    with redis.Redis.from_url(valkey.url) as client:
        client.flushall()
        now = [1_000_000_000.0]
        log = RedisMemoryLog(valkey.url, now=lambda: now[0])
        for _ in range(0, MAX_ENTRIES + 4_000, 2_000):
            await log.append([b"x"] * 2_000)
        assert MAX_ENTRIES <= client.xlen(_KEY) <= MAX_ENTRIES + 1_000, "trimmed by whole nodes of the stream"
        assert 0 < client.ttl(_KEY) <= 2 * KEPT_SECONDS
        now[0] = 4_000_000_000.0  # everything there is older than this clock allows
        for _ in range(2):  # a step of trimming is bounded too
            await log.append([b"young"])
        assert client.xlen(_KEY) < 1_000
        await log.close()


async def test_what_lasts_is_a_log_of_its_own(log: MemoryLog) -> None:
    await log.append([b"one", b"two"], [b"two"])
    await log.append([], [b"three"])
    first = await log.after(START, lasting=True)
    assert [message for _, message in first] == [b"two", b"three"]
    assert await log.after(first[-1][0], lasting=True) == []
    assert [message for _, message in await log.after(START)] == [b"one", b"two"]


async def test_without_redis_it_says_so() -> None:
    log = RedisMemoryLog("redis://127.0.0.1:1", timeout=0.2)
    with pytest.raises(QueueUnavailable, match="shared memory did not answer"):
        await log.append([b"one"])
    with pytest.raises(QueueUnavailable):
        await log.after(START)
    await log.close()

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import redis

from gateway.errors import QueueUnavailable
from gateway.live.pending import CREATION, PendingLog
from gateway.model.pending import PendingEntry
from gateway.model.primitive import Address
from gateway.store.shared.embedded import EmbeddedValkey
from gateway.store.shared.pending import MemoryPendingLog, RedisPendingLog
from tests.anvil import free_port
from tests.cases import raw

SENDER = Address(b"\xa1" * 20)
ACCOUNT = f":{'b2' * 20};"
SLOT = f":{'b2' * 20}{5:064x};"


@pytest.fixture(params=["memory", "valkey"])
async def log(request: pytest.FixtureRequest) -> AsyncIterator[PendingLog]:
    if request.param == "memory":
        yield MemoryPendingLog()
        return
    server: EmbeddedValkey = request.getfixturevalue("valkey")
    with redis.Redis.from_url(server.url) as client:
        client.flushall()
    opened = RedisPendingLog(server.url)
    yield opened
    await opened.close()


def entry(number: int) -> PendingEntry:
    transaction = raw(number)
    return PendingEntry(0, transaction.hash, transaction, SENDER, number, 1234.5)


async def test_places_are_given_in_order_and_read_back(log: PendingLog) -> None:
    for number in (1, 2, 3):
        news = await log.append(entry(number), seen=number - 1, reads=[CREATION], writes=[ACCOUNT])
        assert (news.accepted, news.sequence, news.unseen) == (True, number, ())
    read = await log.after(1)
    assert [item.sequence for item in read] == [2, 3]
    assert read[0].raw == raw(2)
    assert (read[0].hash, read[0].sender, read[0].nonce, read[0].forwarded_at) == (raw(2).hash, SENDER, 2, 1234.5)
    assert await log.after(3) == ()


@pytest.mark.parametrize(
    ("reads", "writes", "accepted"),
    [
        ([ACCOUNT], [ACCOUNT], False),
        ([SLOT], [SLOT], False),
        ([SLOT], [ACCOUNT], True),
        ([ACCOUNT], [SLOT], True),
        ([":" + "b2" * 20], [SLOT], False),
        ([":"], [ACCOUNT], False),
        ([":"], [], True),
        ([CREATION], [CREATION], False),
        ([], [CREATION, ACCOUNT], True),
    ],
)
async def test_an_unseen_write_of_what_was_read_is_a_conflict(
    log: PendingLog, reads: list[str], writes: list[str], accepted: bool
) -> None:
    await log.append(entry(1), seen=0, reads=(), writes=writes)
    news = await log.append(entry(2), seen=0, reads=reads, writes=())
    assert news.accepted is accepted
    assert [item.hash for item in news.unseen] == [raw(1).hash]
    assert news.sequence == (2 if accepted else 1)
    if not accepted:
        assert (await log.append(entry(2), seen=1, reads=reads, writes=())).accepted


@pytest.mark.parametrize(("read", "written", "accepted"), [(SLOT, SLOT, False), (SLOT, ACCOUNT, True)])
async def test_so_is_an_unseen_read_of_what_is_written(
    log: PendingLog, read: str, written: str, accepted: bool
) -> None:
    await log.append(entry(1), seen=0, reads=[CREATION, read], writes=())
    assert (await log.append(entry(2), seen=0, reads=(), writes=[written])).accepted is accepted


async def test_the_same_transaction_has_one_place(log: PendingLog) -> None:
    await log.append(entry(1), seen=0, reads=(), writes=())
    news = await log.append(entry(1), seen=1, reads=(), writes=())
    assert (news.accepted, news.known) == (False, True)
    assert len(await log.after(0)) == 1


async def test_what_is_taken_back_leaves_a_word_with_its_writes(log: PendingLog) -> None:
    await log.append(entry(1), seen=0, reads=(), writes=[ACCOUNT])
    assert await log.withdraw(entry(1)) == 2
    assert await log.withdraw(entry(1)) == 2
    (word,) = await log.after(1)
    assert (word.raw, word.hash, word.sequence) == (None, raw(1).hash, 2)
    assert not (await log.append(entry(2), seen=1, reads=[ACCOUNT], writes=())).accepted
    assert (await log.append(entry(1), seen=2, reads=(), writes=())).accepted


async def test_forgetting_leaves_places_as_they_are(log: PendingLog) -> None:
    await log.append(entry(1), seen=0, reads=(), writes=())
    await log.append(entry(2), seen=1, reads=(), writes=())
    await log.forget([raw(1).hash, raw(7).hash])
    await log.forget([])
    assert [item.sequence for item in await log.after(0)] == [2]
    assert (await log.append(entry(3), seen=2, reads=(), writes=())).sequence == 3


async def test_a_log_that_lost_its_content_says_so(log: PendingLog) -> None:
    news = await log.append(entry(1), seen=9, reads=(), writes=())
    assert (news.accepted, news.lost) == (False, True)
    assert await log.after(0) == ()


async def test_replicas_that_race_get_one_order(valkey: EmbeddedValkey) -> None:
    with redis.Redis.from_url(valkey.url) as client:
        client.flushall()
    logs = [RedisPendingLog(valkey.url) for _ in range(3)]
    # All read and write the same account and have seen nothing: one wins, the others hear of it.
    outcomes = await asyncio.gather(
        *(log.append(entry(number), seen=0, reads=[ACCOUNT], writes=[ACCOUNT]) for number, log in enumerate(logs))
    )
    assert sorted(news.accepted for news in outcomes) == [False, False, True]
    for log in logs:
        await log.close()


async def test_an_absent_server_is_named() -> None:
    log = RedisPendingLog(f"redis://127.0.0.1:{free_port()}", timeout=0.2)
    with pytest.raises(QueueUnavailable, match="order of forwarding"):
        await log.append(entry(1), seen=0, reads=(), writes=())
    await log.close()

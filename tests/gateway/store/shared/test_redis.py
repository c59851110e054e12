"""The live queue: Redis and its twin in memory must answer alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.errors import ConfigurationError, QueueUnavailable
from gateway.model.case import CaseOrder
from gateway.model.primitive import Address
from gateway.model.quarantine import CaseState
from gateway.model.queue_event import QueueEvent, QueueEventKind
from gateway.store.quarantine import LiveQueue
from gateway.store.shared.embedded import EmbeddedValkey
from gateway.store.shared.memory import MemoryQueue
from gateway.store.shared.redis import RedisQueue
from tests.cases import NOON, SENDER, entry, raw, verdict


@pytest.fixture(params=["redis", "memory"])
def live(request: pytest.FixtureRequest) -> LiveQueue:
    found: LiveQueue = MemoryQueue() if request.param == "memory" else request.getfixturevalue("queue")
    return found


def at(number: int, version: int = 1, **parts: object):
    return entry(number, version=version, **parts)


async def next_events(events: AsyncIterator[QueueEvent], count: int) -> list[tuple[QueueEventKind, str, CaseState]]:
    async with asyncio.timeout(5):
        return [(event.kind, event.case_id, event.state) for event in [await anext(events) for _ in range(count)]]


async def test_a_case_is_found_by_everything(live: LiveQueue) -> None:
    case = at(1)
    assert await live.put(case)
    assert await live.case("case-1") == case
    assert await live.by_hash(raw(1).hash) == case
    assert list(await live.by_sender(SENDER)) == [case]
    assert await live.counts() == {CaseState.HELD: 1}
    assert await live.case_ids() == {"case-1"}
    assert await live.case("case-2") is None
    assert await live.by_hash(raw(2).hash) is None
    assert list(await live.by_sender(Address(b"\x01" * 20))) == []


async def test_a_final_state_leaves_nothing_behind(live: LiveQueue) -> None:
    await live.put(at(1))
    assert await live.move(at(1, 2, state=CaseState.REJECTED))
    assert await live.case("case-1") is None
    assert await live.by_hash(raw(1).hash) is None
    assert list(await live.by_sender(SENDER)) == []
    assert list(await live.ordered()) == []
    assert await live.counts() == {}
    assert await live.case_ids() == frozenset()
    assert not await live.remove("case-1")


async def test_a_late_writer_changes_nothing(live: LiveQueue) -> None:
    await live.put(at(1, 2, state=CaseState.RELEASED))
    assert not await live.put(at(1, 1))
    assert await live.counts() == {CaseState.RELEASED: 1}
    await live.move(at(1, 3, state=CaseState.FORWARDED))
    assert not await live.put(at(1, 1)), "a case that left does not come back"
    assert not await live.put(at(1, 2, state=CaseState.RELEASED))
    assert await live.case_ids() == frozenset()


async def test_a_decision_that_overtakes_the_hold(live: LiveQueue) -> None:
    assert not await live.move(at(1, 2, state=CaseState.REJECTED))
    assert not await live.put(at(1, 1)), "the hold arrives after its own end"
    assert await live.case_ids() == frozenset()


async def test_a_move_of_an_unknown_waiting_case_adds_it(live: LiveQueue) -> None:
    assert not await live.move(at(1, 2, state=CaseState.RELEASED))
    assert await live.counts() == {CaseState.RELEASED: 1}
    assert await live.remove("case-1")


async def test_putting_the_same_again_is_silent(live: LiveQueue) -> None:
    events = live.events("0-0")
    assert await live.put(at(1))
    assert not await live.put(at(1))
    assert await live.put(at(2))
    assert await next_events(events, 2) == [
        (QueueEventKind.HELD, "case-1", CaseState.HELD),
        (QueueEventKind.HELD, "case-2", CaseState.HELD),
    ]
    assert await live.counts() == {CaseState.HELD: 2}


async def test_many_at_once(live: LiveQueue) -> None:
    await live.put(at(1))
    assert await live.put_all([at(1), at(2), at(1, 2, state=CaseState.RELEASED), at(3)]) == 2
    assert await live.put_all([]) == 0
    assert await live.counts() == {CaseState.HELD: 2, CaseState.RELEASED: 1}


async def test_orders(live: LiveQueue) -> None:
    for number, score, hours in ((1, 0.5, 3), (2, 0.9, 2), (3, 0.1, 1)):
        await live.put(at(number, verdict=verdict(score=score), expires_at=NOON + timedelta(hours=hours)))
    assert [case.case_id[-1] for case in await live.ordered()] == ["2", "1", "3"]
    assert [case.case_id[-1] for case in await live.ordered(CaseOrder.EXPIRY)] == ["3", "2", "1"]
    assert [case.case_id[-1] for case in await live.ordered(offset=1, limit=1)] == ["1"]
    with pytest.raises(ValueError, match="ask the record"):
        await live.ordered(CaseOrder.NEWEST)


async def test_a_senders_cases_come_by_nonce(live: LiveQueue) -> None:
    for nonce in (300, 2, 2**64 - 1):
        await live.put(at(nonce % 1000, nonce=nonce))
    await live.put(at(7, sender=Address(b"\xa1" * 19 + b"\xa2")))
    assert [case.nonce for case in await live.by_sender(SENDER)] == [2, 300, 2**64 - 1]


async def test_events_tell_every_step_and_resume(live: LiveQueue) -> None:
    events = live.events("0-0")
    await live.put(at(1))
    first = await anext(events)
    await live.move(at(1, 2, expires_at=NOON + timedelta(hours=9)))
    await live.move(at(1, 3, state=CaseState.RELEASED))
    await live.move(at(1, 4, state=CaseState.FORWARDED))
    await live.put(at(2))
    await live.remove("case-2")
    wanted = [
        (QueueEventKind.CHANGED, "case-1", CaseState.HELD),
        (QueueEventKind.MOVED, "case-1", CaseState.RELEASED),
        (QueueEventKind.REMOVED, "case-1", CaseState.FORWARDED),
        (QueueEventKind.HELD, "case-2", CaseState.HELD),
        (QueueEventKind.REMOVED, "case-2", CaseState.HELD),
    ]
    assert await next_events(events, 5) == wanted
    assert await next_events(live.events(first.id), 5) == wanted, "a client that comes back misses nothing"


async def test_a_waiting_listener_hears_at_once(live: LiveQueue) -> None:
    await live.put(at(1))
    events = live.events()
    waiting = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0.05)
    await live.put(at(2))
    async with asyncio.timeout(1):
        assert (await waiting).case_id == "case-2", "what was before is not told again"


async def test_replicas_that_race_leave_one_consistent_case(queue: RedisQueue, valkey: EmbeddedValkey) -> None:
    other = RedisQueue(valkey.url)
    versions = [at(1, 1), at(1, 2, state=CaseState.RELEASED), at(1, 3), at(1, 4, state=CaseState.RELEASED)]
    await asyncio.gather(*((queue if i % 2 else other).put(case) for i, case in enumerate(versions * 5)))
    await other.close()
    assert await queue.counts() == {CaseState.RELEASED: 1}
    assert await queue.case("case-1") == versions[-1]


async def test_a_redis_that_is_away_is_named() -> None:
    queue = RedisQueue("redis://:secret@127.0.0.1:1/0")
    for call in (queue.ping(), queue.put(at(1)), queue.case("case-1"), queue.by_sender(SENDER), queue.counts()):
        with pytest.raises(QueueUnavailable, match=r"127\.0\.0\.1:1/0 did not answer") as caught:
            await call
        assert "secret" not in str(caught.value)
    with pytest.raises(QueueUnavailable):
        await anext(queue.events())
    await queue.close()


async def test_the_twin_can_be_switched_off() -> None:
    queue = MemoryQueue()
    queue.available = False
    with pytest.raises(QueueUnavailable):
        await queue.put(replace(at(1)))


@pytest.mark.parametrize("url", ["localhost:6379", "redis://user:pa/ss@host:6379/0", "http://localhost"])
def test_what_is_no_url_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ConfigurationError, match="STOPGATE_STORE__REDIS_URL") as refused:
        RedisQueue(url)
    assert "pa" not in str(refused.value).replace("password", "").replace("PASSWORD", "").replace("PATH", "")
    assert refused.value.__cause__ is None

from __future__ import annotations

import os
import signal
from datetime import timedelta
from pathlib import Path

import redis

from gateway.model.case import Decision
from gateway.model.quarantine import CaseState
from gateway.store.cases.record import SqlRecord
from gateway.store.shared.embedded import EmbeddedValkey
from gateway.store.shared.memory import MemoryQueue
from gateway.store.shared.redis import RedisQueue
from gateway.tasks.rebuild import QueueKeeper, RebuildReport, rebuild
from tests.cases import detail, entry


async def hold(record: SqlRecord, count: int) -> None:
    for number in range(count):
        await record.hold(entry(number), detail(number))


async def test_a_lost_queue_comes_back_from_the_record(record: SqlRecord, queue: RedisQueue) -> None:
    await hold(record, 5)
    await record.decide("case-0", Decision(CaseState.REJECTED, "ann", "a drain"))
    await record.decide("case-1", Decision(CaseState.RELEASED, "ann", "fine"))
    assert await rebuild(record, queue) == RebuildReport(cases=4, added=4, removed=0)
    assert await queue.counts() == {CaseState.HELD: 3, CaseState.RELEASED: 1}
    assert await rebuild(record, queue) == RebuildReport(cases=4, added=0, removed=0)


async def test_what_ended_and_what_never_was_leave(record: SqlRecord, queue: RedisQueue) -> None:
    await hold(record, 2)
    await rebuild(record, queue)
    await queue.put(entry(9, version=1))
    await record.decide("case-0", Decision(CaseState.REJECTED, "ann", "a drain"))
    assert await rebuild(record, queue) == RebuildReport(cases=1, added=0, removed=2)
    assert await queue.case_ids() == {"case-1"}


async def test_an_older_copy_is_brought_up_to_date(record: SqlRecord, queue: RedisQueue) -> None:
    await hold(record, 1)
    await rebuild(record, queue)
    await record.extend("case-0", entry().expires_at + timedelta(hours=1), "ann", "waiting")
    await rebuild(record, queue)
    assert await queue.case("case-0") == await record.case("case-0")


async def test_more_cases_than_fit_one_page(record: SqlRecord) -> None:
    live = MemoryQueue()
    await hold(record, 7)
    assert [case.case_id for case in await record.in_flight("", 3)] == ["case-0", "case-1", "case-2"]
    assert [case.case_id for case in await record.in_flight("case-4", 3)] == ["case-5", "case-6"]
    assert (await rebuild(record, live)).added == 7


async def test_a_queue_that_comes_back_is_rebuilt(record: SqlRecord) -> None:
    live = MemoryQueue()
    keeper = QueueKeeper(record, live)
    await keeper.once()
    assert keeper.available
    live.available = False
    await hold(record, 2)
    await keeper.once()
    assert not keeper.available
    live.available = True
    await keeper.once()
    assert keeper.available
    assert await live.case_ids() == {"case-0", "case-1"}


async def test_a_killed_embedded_server_is_revived_with_its_cases(record: SqlRecord, tmp_path: Path) -> None:
    server = EmbeddedValkey.start(tmp_path)
    queue = RedisQueue(server.url)
    keeper = QueueKeeper(record, queue, revive=server.ensure)
    await hold(record, 1)
    await keeper.once()
    os.kill(int((tmp_path / "valkey" / "valkey.pid").read_text()), signal.SIGKILL)
    await record.hold(entry(1), detail(1))
    for _ in range(20):
        await keeper.once()
        if keeper.available and len(await queue.case_ids()) == 2:
            break
    assert await queue.case_ids() == {"case-0", "case-1"}
    with redis.Redis.from_url(server.url) as client:
        assert client.config_get("appendfsync") == {"appendfsync": "always"}
    await queue.close()
    server.close()

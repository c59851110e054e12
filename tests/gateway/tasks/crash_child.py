"""A small gateway to be killed: holds, releases and forwards, and says aloud what it has acknowledged.

Arguments: data folder, database URL, address of the upstream, first number, pause in seconds that `arrival` lasts.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import structlog

from gateway.errors import QueueUnavailable, UpstreamSilent
from gateway.model.case import Conflict, Decision
from gateway.model.primitive import Address, Hash32
from gateway.model.quarantine import CaseState, QuarantineEntry
from gateway.store.cases.record import SqlRecord
from gateway.store.database import Database
from gateway.store.shared.embedded import EmbeddedValkey
from gateway.store.shared.redis import RedisQueue
from gateway.tasks.rebuild import QueueKeeper
from gateway.tasks.releaser import Reinspection, ReleaseLimits, Releaser
from tests.cases import CLEAN, detail, entry


class HttpOutlet:
    """Sends to the fake sequencer of the test."""

    def __init__(self, session: aiohttp.ClientSession, upstream: str) -> None:
        self._session, self._upstream = session, upstream

    async def reinspect(self, entry: QuarantineEntry) -> Reinspection:
        return Reinspection(CLEAN, detail(1))

    async def send(self, entry: QuarantineEntry, reinspection: Reinspection) -> None:
        await self._ask("send", entry.hash)

    async def is_known(self, hash: Hash32) -> bool:
        return await self._ask("known", hash) == "yes"

    async def _ask(self, what: str, hash: Hash32) -> str:
        try:
            async with self._session.post(f"{self._upstream}/{what}/{hash}") as answer:
                return await answer.text()
        except aiohttp.ClientError as error:
            raise UpstreamSilent(str(error)) from error


def say(*words: object) -> None:
    print(*words, flush=True)


async def submit(record: SqlRecord, queue: RedisQueue, releaser: Releaser, first: int) -> None:
    """Hold for ever; release two of three, reject the third."""
    number = first
    while True:
        now = datetime.now(UTC)
        case = await record.hold(
            entry(number, sender=Address(number.to_bytes(20)), held_at=now, expires_at=now + timedelta(hours=1)),
            detail(number, simulation=None),
        )
        await follow(queue.put, case)
        say("held", case.hash)
        target = CaseState.REJECTED if number % 3 == 0 else CaseState.RELEASED
        decided = await record.decide(case.case_id, Decision(target, "ann", "because"))
        if not isinstance(decided, Conflict):
            await follow(queue.move, decided)
            say("released" if target is CaseState.RELEASED else "rejected", case.hash)
            releaser.wake()
        number += 1
        await asyncio.sleep(0.01)


async def follow(step: Callable[[QuarantineEntry], Awaitable[bool]], case: QuarantineEntry) -> None:
    try:
        await step(case)
    except QueueUnavailable:
        say("queue-away", case.hash)


async def main(data_dir: Path, database_url: str, upstream: str, first: int, arrival: float) -> None:
    server = EmbeddedValkey.start(data_dir)
    record, queue = SqlRecord(Database(database_url)), RedisQueue(server.url)
    limits = ReleaseLimits(
        poll=timedelta(seconds=0.05),
        lease=timedelta(seconds=arrival),
        arrival=timedelta(seconds=arrival),
        pause=timedelta(seconds=0.1),
    )
    async with aiohttp.ClientSession() as session:
        releaser = Releaser(record, queue, HttpOutlet(session, upstream), limits)
        keeper = QueueKeeper(record, queue, revive=server.ensure, look=timedelta(seconds=0.1))
        async with asyncio.TaskGroup() as group:
            group.create_task(releaser.run())
            group.create_task(keeper.run())
            if first >= 0:
                group.create_task(submit(record, queue, releaser, first))


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # stdout is for what was acknowledged
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), float(sys.argv[5])))

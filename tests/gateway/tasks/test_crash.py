"""kill -9 of the gateway, of Valkey, or of both, at any moment, many times: nothing is lost, nothing is sent twice."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp import web

from gateway.model.case import CaseQuery, ChainHead
from gateway.model.quarantine import CaseState
from gateway.store.audit import AuditLog
from gateway.store.cases.record import SqlRecord
from gateway.store.database import Database
from gateway.store.shared.embedded import EmbeddedValkey
from gateway.store.shared.redis import RedisQueue
from gateway.tasks.rebuild import rebuild

ROOT = Path(__file__).parents[3]
ARRIVAL = 0.5
"""seconds; far above what bytes on the loopback need after their sender died"""


class Sequencer:
    """Counts each submission when its bytes arrive; answers late, so that many a sender dies before it hears."""

    def __init__(self) -> None:
        self.arrived: Counter[str] = Counter()

    async def send(self, request: web.Request) -> web.Response:
        self.arrived[request.match_info["hash"]] += 1
        await asyncio.sleep(secrets.randbelow(60) / 1000)
        return web.Response(text="taken")

    async def known(self, request: web.Request) -> web.Response:
        return web.Response(text="yes" if request.match_info["hash"] in self.arrived else "no")


@contextlib.asynccontextmanager
async def serving(sequencer: Sequencer) -> AsyncIterator[str]:
    application = web.Application()
    application.add_routes([web.post("/send/{hash}", sequencer.send), web.post("/known/{hash}", sequencer.known)])
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    yield f"http://{host}:{port}"
    await runner.cleanup()


class Said:
    """What the killed processes had acknowledged before they died."""

    def __init__(self) -> None:
        self.held: set[str] = set()
        self.released: set[str] = set()
        self.rejected: set[str] = set()

    async def listen(self, stream: asyncio.StreamReader, lines: int = sys.maxsize) -> None:
        """Hear so many lines, or all until the process dies."""
        for _ in range(lines):
            line = await stream.readline()
            if not line.endswith(b"\n"):
                return  # it died while it spoke
            word, hash = line.decode().split()
            if word != "queue-away":
                getattr(self, word).add(hash)


async def start(*arguments: object) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.gateway.tasks.crash_child",
        *map(str, arguments),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )


def kill_valkey(data_dir: Path) -> None:
    with contextlib.suppress(FileNotFoundError, ValueError, ProcessLookupError):
        os.kill(int((data_dir / "valkey" / "valkey.pid").read_text()), signal.SIGKILL)


async def play(rounds: int, data_dir: Path, url: str) -> None:
    sequencer, said = Sequencer(), Said()
    async with serving(sequencer) as upstream:
        for round_ in range(rounds):
            child = await start(data_dir, url, upstream, round_ * 10_000, ARRIVAL)
            assert child.stdout is not None
            await said.listen(child.stdout, secrets.randbelow(20) + 1)
            listening = asyncio.ensure_future(said.listen(child.stdout))
            await asyncio.sleep(secrets.randbelow(50) / 1000)
            if round_ % 3 == 1:
                kill_valkey(data_dir)
                await asyncio.sleep(secrets.randbelow(200) / 1000)
            child.kill()
            if round_ % 3 == 2:
                kill_valkey(data_dir)
            await child.wait()
            await listening
        await finish(data_dir, url, upstream)
    await check(data_dir, url, sequencer, said)


async def finish(data_dir: Path, url: str, upstream: str) -> None:
    """Let one more process carry out what is left, until nothing is RELEASED any more."""
    child = await start(data_dir, url, upstream, -1, ARRIVAL)
    database = Database(url)
    record = SqlRecord(database)
    for _ in range(600):
        if CaseState.RELEASED not in await record.counts():
            break
        await asyncio.sleep(0.1)
    await database.close()
    child.kill()
    await child.wait()


async def check(data_dir: Path, url: str, sequencer: Sequencer, said: Said) -> None:
    database = Database(url)
    record = SqlRecord(database)
    cases = {str(case.hash): case for case in (await record.cases(CaseQuery(limit=100_000))).entries}
    states = {hash: case.state for hash, case in cases.items()}
    assert said.held
    assert said.held <= set(cases), "acknowledged, and lost"
    assert {states[hash] for hash in said.released} == {CaseState.FORWARDED}, "released, and not forwarded"
    assert {states[hash] for hash in said.rejected} <= {CaseState.REJECTED}
    assert {hash: count for hash, count in sequencer.arrived.items() if count > 1} == {}, "sent twice"
    forwarded = {hash for hash, state in states.items() if state is CaseState.FORWARDED}
    assert set(sequencer.arrived) == forwarded, "sent without a release, or marked sent and never sent"
    assert isinstance(await AuditLog(database).verify(), ChainHead)
    server = EmbeddedValkey.start(data_dir)
    queue = RedisQueue(server.url)
    await rebuild(record, queue)
    assert await queue.case_ids() == {case.case_id for case in cases.values() if case.state is CaseState.HELD}
    await queue.close()
    server.close()
    await database.close()


@pytest.fixture(autouse=True)
def no_server_stays(tmp_path: Path) -> Iterator[None]:
    """A test that fails leaves its Valkey without a user."""
    yield
    kill_valkey(tmp_path)


async def test_nothing_is_lost_and_nothing_is_sent_twice(database_url: str, tmp_path: Path) -> None:
    await play(4, tmp_path, database_url)


@pytest.mark.slow
async def test_nothing_is_lost_and_nothing_is_sent_twice_for_long(database_url: str, tmp_path: Path) -> None:
    await play(60, tmp_path, database_url)

"""Two gateway processes on one Redis and one database, in front of one chain."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import redis

from gateway.model.transaction import Transaction
from gateway.store.shared.embedded import EmbeddedValkey
from tests.anvil import Anvil, free_port, needs_anvil, running_anvil
from tests.faulty import Fault, FaultProxy
from tests.gateway.live.chain import VAULT, deploy, signed
from tests.stores import as_deployed

pytestmark = [needs_anvil, pytest.mark.usefixtures("sqlite_file_url")]
COINS = 5 * 10**18
ROOT = Path(__file__).parent.parent.parent
SERVE = """
import sys, uvicorn
from gateway.app.gateway import Gateway
from gateway.settings import load_settings
from gateway.telemetry import configure_logging
settings = load_settings()
configure_logging("WARNING")
uvicorn.run(Gateway(settings), host="127.0.0.1", port=int(sys.argv[1]), lifespan="on", log_level="warning", ws="none")
"""


@dataclass
class Replica:
    """One gateway process."""

    url: str
    client: aiohttp.ClientSession

    async def send(self, transaction: Transaction) -> dict[str, Any]:
        body = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "eth_sendRawTransaction",
            "params": ["0x" + transaction.raw.data.hex()],
        }
        async with self.client.post(self.url, json=body) as response:
            answer: dict[str, Any] = await response.json(content_type=None)
            return answer

    async def ready(self) -> bool:
        try:
            async with self.client.get(self.url + "/readyz") as response:
                return response.status == 200
        except aiohttp.ClientError:
            return False


def start(port: int, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", SERVE, str(port)], cwd=ROOT, env=environment)


async def until_ready(gateway: Replica) -> None:
    async with asyncio.timeout(30):
        while True:
            if await gateway.ready():
                return
            await asyncio.sleep(0.2)


@asynccontextmanager
async def replicas(
    count: int, upstream: str, redis_url: str, database: str, folder: Path, settings: Mapping[str, str] | None = None
) -> AsyncIterator[list[Replica]]:
    """Start gateways that share their stores; wait until they are ready; stop them."""
    ports = [free_port() for _ in range(count)]
    processes = []
    for number, port in enumerate(ports):
        environment = {
            **os.environ,
            "STOPGATE_UPSTREAM__URLS": upstream,
            "STOPGATE_STORE__REDIS_URL": redis_url,
            "STOPGATE_STORE__DATABASE_URL": database,
            "STOPGATE_DATA_DIR": str(folder / str(number)),
            "STOPGATE_RPC__LISTEN": f"127.0.0.1:{port}",
            **(settings or {}),
        }
        processes.append(start(port, environment))
    try:
        async with aiohttp.ClientSession() as client:
            gateways = [Replica(f"http://127.0.0.1:{port}", client) for port in ports]
            deadline = time.monotonic() + 120
            while not all([await gateway.ready() for gateway in gateways]):
                assert time.monotonic() < deadline, "a gateway did not become ready within 120 s"
                assert all(process.poll() is None for process in processes), "a gateway ended"
                await asyncio.sleep(0.1)
            yield gateways
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(timeout=20)


def status_of(answer: dict[str, Any]) -> str:
    if "result" in answer:
        return "FORWARDED"
    data = answer["error"].get("data") or {}
    return str(data.get("status", answer["error"]["message"]))


@pytest.fixture
def valkey_url(valkey: EmbeddedValkey) -> str:
    with redis.Redis.from_url(valkey.url) as client:
        client.flushall()
    return as_deployed(valkey)


def proxied(valkey_url: str, proxy: FaultProxy) -> str:
    user = valkey_url.removeprefix("unix://").partition("@")[0]
    return f"redis://{user}@127.0.0.1:{proxy.port}"


async def test_two_replicas_act_as_one(valkey_url: str, sqlite_file_url: str, tmp_path: Path) -> None:
    with running_anvil("--no-mining") as chain:
        vaults = [deploy(chain, VAULT, value=COINS) for _ in range(4)]
        async with replicas(2, chain.url, valkey_url, sqlite_file_url, tmp_path) as (one, two):
            await the_same_bytes_are_one_submission(chain, one, two)
            await a_gap_is_parked_and_wakes(chain, one, two)
            await until_mined(chain)
            await stage_and_strike_in_the_same_millisecond(chain, one, two, vaults)


async def the_same_bytes_are_one_submission(chain: Anvil, one: Replica, two: Replica) -> None:
    transaction = signed(2, 0, "0x" + "ab" * 20, value=5)
    answers = await asyncio.gather(*(gateway.send(transaction) for gateway in (one, two) * 3))
    assert {status_of(answer) for answer in answers} == {"FORWARDED"}
    assert {answer["result"] for answer in answers} == {str(transaction.hash)}
    assert int(chain.rpc("txpool_status")["pending"], 16) == 1


async def a_gap_is_parked_and_wakes(chain: Anvil, one: Replica, two: Replica) -> None:
    first, second, third = (signed(2, nonce, "0x" + "ab" * 20, value=5) for nonce in (1, 2, 3))
    assert status_of(await two.send(third)) == "PARKED"
    assert status_of(await one.send(first)) == "FORWARDED"
    assert status_of(await two.send(second)) == "FORWARDED", "what the other replica forwarded is known"
    await until_pending(chain, 4)


async def stage_and_strike_in_the_same_millisecond(chain: Anvil, one: Replica, two: Replica, vaults: list[str]) -> None:
    stager = striker = 0
    outcomes = []
    for number, vault in enumerate(vaults):
        # The chain orders by fee: it mines the stage first, whichever was sent first.
        stage = signed(0, stager, vault, data="01", tip=2 * 10**9)
        strike = signed(1, striker, vault)
        pair = [(one, stage), (two, strike)] if number % 2 else [(two, strike), (one, stage)]
        answers = await asyncio.gather(*(gateway.send(transaction) for gateway, transaction in pair))
        outcomes.append({status_of(answer) for answer in answers})
        await until_mined(chain)
        assert int(chain.rpc("eth_getBalance", vault, "latest"), 16) == COINS, (number, outcomes)
        # Only what was mined uses its nonce; a held one leaves it to the next round.
        stager = int(chain.rpc("eth_getTransactionCount", str(stage.sender), "latest"), 16)
        striker = int(chain.rpc("eth_getTransactionCount", str(strike.sender), "latest"), 16)
    assert all(outcome == {"FORWARDED", "HELD"} for outcome in outcomes), outcomes


async def until_mined(chain: Anvil) -> None:
    """A block, and time for the gateways to see it."""
    await asyncio.to_thread(chain.mine)
    await asyncio.sleep(0.6)


async def until_pending(chain: Anvil, count: int) -> None:
    async with asyncio.timeout(15):
        while True:
            status = await asyncio.to_thread(chain.rpc, "txpool_status")
            if int(status["pending"], 16) == count:
                return
            await asyncio.sleep(0.1)


async def test_without_redis_nothing_is_forwarded_and_everything_goes_on_after(
    valkey_url: str, sqlite_file_url: str, tmp_path: Path
) -> None:
    with running_anvil("--no-mining") as chain:
        async with (
            FaultProxy(valkey_url.partition("@")[2]) as proxy,
            replicas(1, chain.url, proxied(valkey_url, proxy), sqlite_file_url, tmp_path) as (gateway,),
        ):
            assert status_of(await gateway.send(signed(0, 0, "0x" + "ab" * 20, value=5))) == "FORWARDED"
            await proxy.set(Fault.REFUSE)
            away = signed(0, 1, "0x" + "cd" * 20, value=5)
            answer = await gateway.send(away)
            assert status_of(answer) != "FORWARDED", answer
            assert int(chain.rpc("txpool_status")["pending"], 16) == 1
            await proxy.set(Fault.NONE)
            await until_ready(gateway)
            fresh = signed(1, 0, "0x" + "cd" * 20, value=5)
            assert status_of(await gateway.send(fresh)) == "FORWARDED"

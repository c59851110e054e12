"""Redis or the node goes away under load: answers by policy, named in the record; nothing lost, nothing doubled."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from gateway.model.transaction import Transaction
from tests.anvil import Anvil, needs_anvil, running_anvil
from tests.e2e.test_replicas import Replica, proxied, replicas, status_of, until_ready, valkey_url
from tests.faulty import Fault, FaultProxy
from tests.gateway.live.chain import signed

pytestmark = [needs_anvil, pytest.mark.usefixtures("sqlite_file_url")]
__all__ = ["valkey_url"]
SINK = "0x" + "5c" * 20
SENDERS = 3


class Load:
    """Senders that pay one wei at a time, each transaction offered until it is taken."""

    def __init__(self, gateway: Replica) -> None:
        self._gateway = gateway
        self.answers: Counter[str] = Counter()
        self.sent: list[Transaction] = []
        self._stopping = False

    async def run(self, sender: int) -> None:
        nonce = 0
        while not self._stopping:
            transaction = signed(sender, nonce, SINK, value=1)
            self.sent.append(transaction)
            await self._offer(transaction)
            nonce += 1
            await asyncio.sleep(0.1)

    async def _offer(self, transaction: Transaction) -> None:
        while True:
            word = status_of(await self._gateway.send(transaction))
            self.answers[word] += 1
            if word == "FORWARDED":
                return
            await asyncio.sleep(0.2)

    def stop(self) -> None:
        self._stopping = True


async def settled(chain: Anvil, load: Load) -> None:
    """Every transaction is on the chain, once."""
    async with asyncio.timeout(60):
        for transaction in load.sent:
            while True:
                if await asyncio.to_thread(chain.rpc, "eth_getTransactionReceipt", str(transaction.hash)):
                    break
                await asyncio.sleep(0.1)
    nonces = Counter(transaction.sender for transaction in load.sent)
    for sender, count in nonces.items():
        assert int(chain.rpc("eth_getTransactionCount", str(sender), "latest"), 16) == count
    assert int(chain.rpc("eth_getBalance", SINK, "latest"), 16) == len(load.sent)


def audited(database: str, clause: str) -> int:
    """How often the audit chain names a clause."""
    with sqlite3.connect(database.removeprefix("sqlite:///")) as connection:
        found = connection.execute("SELECT count(*) FROM audit WHERE detail LIKE ?", [f'%"{clause}"%']).fetchone()
        return int(found[0])


@pytest.mark.parametrize("seconds", [3.0, pytest.param(10.0, marks=pytest.mark.slow)])
async def test_redis_away_under_load(valkey_url: str, sqlite_file_url: str, tmp_path: Path, seconds: float) -> None:
    with running_anvil("--block-time", "1") as chain:
        async with (
            FaultProxy(valkey_url.partition("@")[2]) as proxy,
            replicas(1, chain.url, proxied(valkey_url, proxy), sqlite_file_url, tmp_path) as (gateway,),
        ):
            load = Load(gateway)
            async with asyncio.TaskGroup() as tasks:
                for sender in range(SENDERS):
                    tasks.create_task(load.run(sender))
                await asyncio.sleep(1.5)
                before = load.answers["FORWARDED"]
                assert before > 0
                await proxy.set(Fault.REFUSE)
                await asyncio.sleep(seconds)
                during = Counter(load.answers)
                await proxy.set(Fault.NONE)
                await until_ready(gateway)
                await asyncio.sleep(1.0)
                load.stop()
            await settled(chain, load)
            assert during["DEFERRED"] > 0, during
            assert set(load.answers) <= {"FORWARDED", "DEFERRED", "RELEASED", "PARKED", "RECEIVED"}, load.answers
            assert audited(sqlite_file_url, "order-unavailable") > 0, "the record names why"
            async with gateway.client.get(gateway.url + "/metrics") as response:
                counted = re.search(r'stopgate_failure_answers_total\{part="order"\} (\S+)', await response.text())
                assert counted is not None
                assert float(counted[1]) > 0


@pytest.mark.parametrize("fault", [Fault.STALL, Fault.RESET, Fault.HALF, Fault.REFUSE])
async def test_the_node_misbehaves_under_load(
    valkey_url: str, sqlite_file_url: str, tmp_path: Path, fault: Fault
) -> None:
    settings: dict[str, Any] = {
        "STOPGATE_UPSTREAM__READ_TIMEOUT": "1",
        "STOPGATE_UPSTREAM__SEND_TIMEOUT": "1",
        "STOPGATE_UPSTREAM__SETTLE_SECONDS": "0.5",
    }
    with running_anvil("--block-time", "1") as chain:
        async with (
            FaultProxy(chain.port) as proxy,
            replicas(1, f"http://127.0.0.1:{proxy.port}", valkey_url, sqlite_file_url, tmp_path, settings) as (
                gateway,
            ),
        ):
            load = Load(gateway)
            async with asyncio.TaskGroup() as tasks:
                for sender in range(SENDERS):
                    tasks.create_task(load.run(sender))
                await asyncio.sleep(1.0)
                await proxy.set(fault)
                await asyncio.sleep(2.0)
                await proxy.set(Fault.NONE)
                await until_ready(gateway)
                await asyncio.sleep(1.0)
                load.stop()
            await settled(chain, load)

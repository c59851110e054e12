"""A client that burns gas with many senders does not take the engine from anybody else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
from eth_utils.address import to_checksum_address

from gateway.proxy.clients import key_digest
from tests.anvil import Anvil, needs_anvil, running_anvil
from tests.edge import Wallet, hash_of
from tests.gateway.live.chain import deploy
from tests.gatewayprocess import GatewayProcess, running_gateway

pytestmark = needs_anvil
BURNER = "5b600056"
"""loops until the gas is gone"""
CROWD = 20
"""senders of the attacker"""
HONEST = 6
ENVIRONMENT = {
    "STOPGATE_LIMITS__API_KEYS": f"partner:{key_digest('sesame')}:10",
    "STOPGATE_LIMITS__INSPECTION_SHARE": "0.05",
    "STOPGATE_LIMITS__INSPECTION_BURST": "0.1",
}


@pytest.fixture(scope="module")
def chain() -> Iterator[Anvil]:
    with running_anvil("--hardfork", "prague", "--gas-limit", "60000000", "--block-time", "1") as anvil:
        yield anvil


@pytest.fixture(scope="module")
def gateway(chain: Anvil, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    with running_gateway(chain.url, tmp_path_factory.mktemp("gateway"), ENVIRONMENT) as gateway:
        yield gateway


async def send(client: aiohttp.ClientSession, url: str, raw: str) -> dict[str, Any]:
    body = {"jsonrpc": "2.0", "id": 1, "method": "eth_sendRawTransaction", "params": [raw]}
    async with client.post(url, json=body) as response:
        answer: dict[str, Any] = await response.json(content_type=None)
        return answer


async def test_a_crowd_behind_one_address_starves_nobody(chain: Anvil, gateway: GatewayProcess) -> None:
    burner = to_checksum_address(deploy(chain, BURNER))
    crowd, honest = [Wallet(chain) for _ in range(CROWD)], [Wallet(chain) for _ in range(HONEST)]
    burns = [wallet.sign(burner, gas=4_000_000) for wallet in crowd]
    # Much gas too, so that it has to take its turn like the attacker's.
    clean = [wallet.sign(gas=400_000) for wallet in honest]
    await asyncio.sleep(1.5)
    refused: list[dict[str, Any]] = []
    done = asyncio.Event()

    async def attack(client: aiohttp.ClientSession, raw: str) -> None:
        while not done.is_set():
            answer = await send(client, gateway.url, raw)
            if answer.get("error", {}).get("code") == -32005:
                refused.append(answer["error"])
            await asyncio.sleep(0.2)

    async with aiohttp.ClientSession() as client, asyncio.TaskGroup() as tasks:
        for raw in burns:
            tasks.create_task(attack(client, raw))
        await asyncio.sleep(0.5)
        answers = [await send(client, gateway.url + "/key/sesame", raw) for raw in clean]
        # On a busy machine a verdict may come from the slow lane; what matters is that it comes.
        taken = [answer.get("result") or answer["error"]["data"].get("status") for answer in answers]
        assert all(word == "DEFERRED" or word == hash_of(raw) for word, raw in zip(taken, clean, strict=True)), answers
        async with asyncio.timeout(60):
            for raw in clean:
                await until_mined(chain, hash_of(raw))
        done.set()
    assert refused, "the attacker has to wait"
    assert all(error["data"]["retryAfterMs"] > 0 for error in refused)
    assert {error["data"]["limit"] for error in refused} <= {"inspection-time", "inspection-gas", "waiting"}
    assert "stopgate_client_refusals_total{" in await asyncio.to_thread(read_metrics, gateway)


async def until_mined(chain: Anvil, hash: str) -> None:
    while True:
        if await asyncio.to_thread(chain.rpc, "eth_getTransactionReceipt", hash):
            return
        await asyncio.sleep(0.1)


def read_metrics(gateway: GatewayProcess) -> str:
    import urllib.request

    with urllib.request.urlopen(gateway.url + "/metrics", timeout=10) as response:
        text: str = response.read().decode()
    return text

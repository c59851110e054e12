"""A client that burns gas with many senders does not take the engine from anybody else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
from eth_utils.address import to_checksum_address

from gateway.proxy.clients import key_digest
from tests.anvil import Anvil, needs_anvil, running_anvil
from tests.edge import Wallet
from tests.gateway.live.chain import deploy
from tests.gatewayprocess import GatewayProcess, running_gateway

pytestmark = needs_anvil
BURNER = "5b600056"
"""loops until the gas is gone"""
CROWD = 40
"""senders of the attacker"""
HONEST = 10
ENVIRONMENT = {
    "STOPGATE_LIMITS__API_KEYS": f"partner:{key_digest('sesame')}",
    "STOPGATE_LIMITS__INSPECTION_SHARE": "0.2",
    "STOPGATE_LIMITS__INSPECTION_BURST": "0.5",
}


@pytest.fixture(scope="module")
def chain() -> Iterator[Anvil]:
    with running_anvil("--hardfork", "prague", "--gas-limit", "60000000", "--block-time", "1") as anvil:
        yield anvil


@pytest.fixture(scope="module")
def gateway(chain: Anvil, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    with running_gateway(chain.url, tmp_path_factory.mktemp("gateway"), ENVIRONMENT) as gateway:
        yield gateway


async def send(client: aiohttp.ClientSession, url: str, raw: str) -> tuple[dict[str, Any], float]:
    body = {"jsonrpc": "2.0", "id": 1, "method": "eth_sendRawTransaction", "params": [raw]}
    began = time.monotonic()
    async with client.post(url, json=body) as response:
        answer: dict[str, Any] = await response.json(content_type=None)
    return answer, time.monotonic() - began


async def test_a_crowd_behind_one_address_starves_nobody(chain: Anvil, gateway: GatewayProcess) -> None:
    burner = to_checksum_address(deploy(chain, BURNER))
    crowd, honest = [Wallet(chain) for _ in range(CROWD)], [Wallet(chain) for _ in range(HONEST)]
    burns = [wallet.sign(burner, gas=30_000_000) for wallet in crowd]
    # Much gas too, so that it has to take its turn like the attacker's.
    clean = [wallet.sign(gas=1_000_000) for wallet in honest]
    await asyncio.sleep(1.5)
    refused: list[dict[str, Any]] = []
    done = asyncio.Event()

    async def attack(client: aiohttp.ClientSession, raw: str) -> None:
        while not done.is_set():
            answer, _ = await send(client, gateway.url, raw)
            if answer.get("error", {}).get("code") == -32005:
                refused.append(answer["error"])
                await asyncio.sleep(0.02)

    async with aiohttp.ClientSession() as client, asyncio.TaskGroup() as tasks:
        for raw in burns:
            tasks.create_task(attack(client, raw))
        await asyncio.sleep(0.5)
        answers = []
        for raw in clean:
            answers.append(await send(client, gateway.url + "/key/sesame", raw))
            await asyncio.sleep(0.1)
        done.set()
    assert all("result" in answer for answer, _ in answers), answers
    assert max(seconds for _, seconds in answers) < 1.5
    assert refused, "the attacker has to wait"
    assert all(error["data"]["retryAfterMs"] > 0 for error in refused)
    assert {error["data"]["limit"] for error in refused} <= {"inspection-time", "inspection-gas", "waiting"}
    metrics = await asyncio.to_thread(read_metrics, gateway)
    assert 'stopgate_client_refusals_total{limit="inspection-time"}' in metrics


def read_metrics(gateway: GatewayProcess) -> str:
    import urllib.request

    with urllib.request.urlopen(gateway.url + "/metrics", timeout=10) as response:
        text: str = response.read().decode()
    return text

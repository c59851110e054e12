from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from gateway.devnet.chain import DevChain
from gateway.devnet.server import BODY, App


@pytest.fixture
async def client(chain: DevChain) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(App(chain))
    async with httpx.AsyncClient(transport=transport, base_url="http://devnet") as client:
        yield client


async def test_a_request_is_answered(client: httpx.AsyncClient) -> None:
    answer = await client.post("/", json={"jsonrpc": "2.0", "id": 1, "method": "eth_chainId"})
    assert answer.json() == {"jsonrpc": "2.0", "id": 1, "result": "0x7a69"}


async def test_what_is_no_json_is_a_parse_error(client: httpx.AsyncClient) -> None:
    for body in (b"", b"{", b"\xff", b"[" * 100_000):
        answer = await client.post("/", content=body)
        assert answer.json()["error"]["code"] == -32700


async def test_other_verbs_and_huge_bodies_are_refused(client: httpx.AsyncClient) -> None:
    assert (await client.get("/")).status_code == 405
    assert (await client.post("/", content=b" " * (BODY + 1))).status_code == 413

"""Whatever is posted is answered: bounded, in order, as JSON-RPC, and what is passed on keeps its bytes."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.jsonrpc.message import MessageLimits
from gateway.model.transaction import Client
from gateway.proxy.allowance import AllowanceLimits, Allowances, Rate
from gateway.proxy.clients import ClientDesk, key_digest
from gateway.proxy.endpoint import EndpointLimits
from gateway.store.cases.record import SqlRecord
from gateway.store.shared.redis import RedisQueue
from tests.anvil import Anvil
from tests.edge import BAD, Edge, Wallet, hash_of, running_edge


def request(method: str, *params: object, identity: object = 1) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": identity, "method": method, "params": params}


async def test_reads_pass_through_with_the_clients_id(edge: Edge, chain: Anvil) -> None:
    response = await edge.post(request("eth_getBlockByNumber", "latest", False, identity="a\u00e9"))
    assert response.json()["id"] == "a\u00e9"
    assert response.json()["result"] == chain.rpc("eth_getBlockByNumber", "latest", False)
    assert response.headers["access-control-allow-origin"] == "*"


async def test_upstream_errors_pass_through(edge: Edge) -> None:
    answer = await edge.call("eth_getBalance", "0x12", "latest")
    assert answer["error"]["code"] == -32602


async def test_a_batch_is_answered_in_order_and_a_held_item_holds_nobody(edge: Edge, wallet: Wallet) -> None:
    bad = wallet.sign(BAD, nonce=wallet.nonce)
    good = wallet.sign()
    batch = [
        request("eth_chainId", identity=1),
        request("eth_sendRawTransaction", bad, identity=2),
        request("eth_sendRawTransaction", good, identity="3"),
        request("eth_nonsense", identity=4),
        7,
        {"jsonrpc": "2.0", "method": "eth_chainId"},
        request("eth_getTransactionByHash", hash_of(good), identity=5),
    ]
    answers = (await edge.post(batch)).json()
    assert [answer["id"] for answer in answers] == [1, 2, "3", 4, None, 5]
    assert answers[0]["result"] == "0x7a69"
    assert answers[1]["error"]["code"] == -32003
    assert answers[2]["result"] == hash_of(good)
    assert answers[3]["error"]["code"] == -32601
    assert answers[4]["error"]["code"] == -32600
    assert answers[5]["result"]["hash"] == hash_of(good)


async def test_notifications_are_carried_out_and_not_answered(edge: Edge, wallet: Wallet, chain: Anvil) -> None:
    raw = wallet.sign()
    response = await edge.post({"jsonrpc": "2.0", "method": "eth_sendRawTransaction", "params": [raw]})
    assert (response.status_code, response.content) == (200, b"")
    assert chain.rpc("eth_getTransactionByHash", hash_of(raw))["hash"] == hash_of(raw)
    response = await edge.post([{"jsonrpc": "2.0", "method": "eth_chainId"}])
    assert (response.status_code, response.content) == (200, b"")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"eth_send', -32700),
        (b"[]", -32600),
        (b"[" * 200_000, -32005),
        (b"[" + b"1," * 200 + b"1]", -32005),
        (b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId","Method":"eth_sendRawTransaction"}', -32600),
        (b"\xff", -32700),
    ],
)
async def test_bad_bodies_have_named_errors(edge: Edge, body: bytes, code: int) -> None:
    response = await edge.post(body)
    assert response.status_code == 200
    assert response.json()["error"]["code"] == code


async def test_oversize_bodies_are_answered_without_being_kept(edge: Edge) -> None:
    response = await edge.post(b'"' + b"a" * (6 * 1024 * 1024) + b'"')
    assert response.status_code == 413
    assert response.json()["error"]["code"] == -32005


async def test_encoded_bodies_are_refused(edge: Edge) -> None:
    response = await edge.client.post("/", content=b"x", headers={"content-encoding": "gzip"})
    assert response.status_code == 415
    assert response.json()["error"]["code"] == -32600


async def test_a_body_that_drips_is_given_up(chain: Anvil, record: SqlRecord, queue: RedisQueue) -> None:
    from datetime import timedelta

    async with running_edge(
        chain.url, record, queue, limits=EndpointLimits(body_time=timedelta(milliseconds=50))
    ) as edge:
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            await asyncio.sleep(0.02)
            return {"type": "http.request", "body": b" ", "more_body": True}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"content-length", b"4")]}
        await edge.endpoint(scope, receive, send)
        assert sent[0]["status"] == 408
        assert json.loads(sent[1]["body"])["error"]["code"] == -32600


async def test_too_many_requests_at_once_are_told_so(chain: Anvil, record: SqlRecord, queue: RedisQueue) -> None:
    async with running_edge(chain.url, record, queue, limits=EndpointLimits(in_flight=2)) as edge:
        edge.judge.seconds = 0.3
        wallet = Wallet(chain)
        sends = [asyncio.ensure_future(edge.send(wallet.sign())) for _ in range(2)]
        await asyncio.sleep(0.1)
        response = await edge.post(request("eth_chainId"))
        assert response.json()["error"]["code"] == -32005
        assert all("result" in answer for answer in await asyncio.gather(*sends))
        assert (await edge.post(request("eth_chainId"))).json()["result"] == "0x7a69"


async def test_a_batch_answer_is_bounded(chain: Anvil, record: SqlRecord, queue: RedisQueue) -> None:
    limits = EndpointLimits(message=MessageLimits(batch_items=50), answer_bytes=3000)
    async with running_edge(chain.url, record, queue, limits=limits) as edge:
        batch = [request("eth_getBlockByNumber", "latest", True, identity=index) for index in range(40)]
        answers = (await edge.post(batch)).json()
        assert [answer["id"] for answer in answers] == list(range(40))
        assert "result" in answers[0]
        assert answers[-1]["error"]["code"] == -32005


async def test_preflight_and_pages(edge: Edge) -> None:
    response = await edge.client.options("/")
    assert response.headers["access-control-allow-methods"] == "POST"
    assert (await edge.client.get("/")).status_code == 200
    assert (await edge.client.get("/healthz")).json() == {"status": "ok"}
    assert (await edge.client.get("/readyz")).status_code == 200
    assert b"stopgate_requests_total" in (await edge.client.get("/metrics")).content
    assert (await edge.client.get("/nowhere")).status_code == 404
    assert (await edge.client.put("/")).status_code == 405


@pytest.mark.parametrize(
    ("peer", "sees"),
    [
        (("127.0.0.1", 5), True),
        (("::ffff:127.0.0.1", 5), True),
        (("203.0.113.9", 5), False),
        (("2001:db8::1", 5), False),
        (("unknown", 0), False),
    ],
)
async def test_only_operators_see_counters_and_what_is_wrong(edge: Edge, peer: tuple[str, int], sees: bool) -> None:
    transport = httpx.ASGITransport(edge.endpoint, client=peer)
    edge.missing.append("head")
    async with httpx.AsyncClient(transport=transport, base_url="http://edge") as client:
        metrics, ready = await client.get("/metrics"), await client.get("/readyz")
        assert (metrics.status_code == 200) is sees
        assert (b"stopgate_" in metrics.content) is sees
        assert ready.status_code == 503
        assert ("parts" in ready.json()) is sees
        assert (await client.get("/healthz")).status_code == 200


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
methods = st.sampled_from(
    [
        "eth_sendRawTransaction",
        "eth_sendRawTransactionSync",
        "stopgate_getTransactionStatus",
        "eth_getTransactionByHash",
        "eth_getTransactionReceipt",
        "eth_chainId",
        "eth_sendBundle",
        "x",
    ]
)
calls = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0"), "id": st.integers(), "method": methods, "params": json_values}
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=200) | (calls | st.lists(calls, max_size=4)).map(lambda value: json.dumps(value).encode())
)
async def test_any_body_is_answered_with_json_rpc_or_nothing(edge: Edge, body: bytes) -> None:
    answer = await edge.endpoint.answer(body, Client(""))
    if answer:
        parsed = json.loads(answer)
        for item in parsed if isinstance(parsed, list) else [parsed]:
            assert item["jsonrpc"] == "2.0"
            assert ("result" in item) != ("error" in item)
            if "error" in item:
                assert "internal error" not in item["error"]["message"]


async def test_keys_are_told_apart_and_limits_name_when_to_come_back(
    chain: Anvil, record: SqlRecord, queue: RedisQueue, wallet: Wallet
) -> None:
    accounts = Allowances(AllowanceLimits(requests=Rate(0.5, 2)))
    desk = ClientDesk({key_digest("sesame"): "partner"})
    async with running_edge(chain.url, record, queue, allowances=accounts, clients=desk) as edge:
        body = {"jsonrpc": "2.0", "id": 7, "method": "eth_chainId"}
        wrong = await edge.client.post("/key/guess", json=body)
        assert (wrong.status_code, wrong.json()["error"]["message"]) == (401, "this API key is not known here")
        for _ in range(2):
            assert "result" in (await edge.client.post("/", json=body)).json()
        refused = (await edge.client.post("/", json=[body, body])).json()
        assert [answer["error"]["code"] for answer in refused] == [-32005, -32005]
        assert 1000 < refused[0]["error"]["data"]["retryAfterMs"] <= 2000
        assert "result" in (await edge.client.post("/key/sesame", json=body)).json()
        held = wallet.sign(BAD)
        answer = await edge.client.post("/", json={**body, "method": "eth_sendRawTransaction", "params": [held]},
                                        headers={"x-api-key": "sesame"})  # fmt: skip
        case = answer.json()["error"]["data"]["caseId"]
        found = await record.case(case)
        assert found is not None
        assert found.client.key == "partner", "the key's name is on the case, the key nowhere"

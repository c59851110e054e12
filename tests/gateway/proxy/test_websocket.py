"""The RPC over WebSocket: the same inspection, subscriptions passed through, and bounds that hold."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
import uvicorn

from gateway.proxy.clients import ClientDesk, key_digest
from gateway.proxy.websocket import AGAIN, GOING_AWAY, SocketLimits, Sockets
from gateway.store.cases.record import SqlRecord
from gateway.store.shared.redis import RedisQueue
from gateway.upstream.socket import connect
from tests.anvil import Anvil, free_port
from tests.edge import BAD, Edge, Wallet, hash_of, running_edge
from tests.faulty import Fault, FaultProxy


@dataclass
class Talk:
    """One client's connection."""

    socket: aiohttp.ClientWebSocketResponse
    notes: list[dict[str, Any]]

    async def say(self, method: str, *params: object, identity: object = 1) -> None:
        await self.socket.send_json({"jsonrpc": "2.0", "id": identity, "method": method, "params": params})

    async def hear(self, within: float = 10.0) -> Any:
        """The next answer; notifications are put aside."""
        while True:
            message = await self.socket.receive(timeout=within)
            assert message.type is aiohttp.WSMsgType.TEXT, (message.type, message.data, message.extra)
            document = json.loads(message.data)
            if not (isinstance(document, dict) and document.get("method") == "eth_subscription"):
                return document
            self.notes.append(document)

    async def call(self, method: str, *params: object) -> Any:
        await self.say(method, *params)
        return await self.hear()

    async def note(self, within: float = 10.0) -> dict[str, Any]:
        if not self.notes:
            message = await self.socket.receive(timeout=within)
            assert message.type is aiohttp.WSMsgType.TEXT, (message.type, message.data)
            self.notes.append(json.loads(message.data))
        return self.notes.pop(0)

    async def closed(self, within: float = 10.0) -> int | None:
        """The code that it is closed with; messages before that are dropped."""
        async with asyncio.timeout(within):
            while True:
                message = await self.socket.receive()
                if message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING):
                    return self.socket.close_code


@dataclass
class Served:
    edge: Edge
    sockets: Sockets
    url: str
    session: aiohttp.ClientSession

    @asynccontextmanager
    async def talk(self, path: str = "/", **options: Any) -> AsyncIterator[Talk]:
        async with self.session.ws_connect(self.url + path, max_msg_size=0, **options) as socket:
            yield Talk(socket, [])


@asynccontextmanager
async def served(
    chain: Anvil, record: SqlRecord, queue: RedisQueue, limits: SocketLimits = SocketLimits(), *, node: str | None = ""
) -> AsyncIterator[Served]:
    """`node`: WebSocket URL to subscribe at; empty: the chain's; None: there is none."""
    url = chain.websocket if node == "" else node
    clients = ClientDesk({key_digest("sesame"): "partner"})
    async with running_edge(chain.url, record, queue, clients=clients) as edge:
        sockets = Sockets(edge.endpoint, clients, limits, (lambda: connect(url)) if url else None)
        edge.endpoint.sockets = sockets
        port = free_port()
        config = uvicorn.Config(
            edge.endpoint, port=port, lifespan="off", ws="websockets-sansio", ws_max_size=100_000, log_level="error"
        )
        server = uvicorn.Server(config)
        serving = asyncio.ensure_future(server._serve())
        async with asyncio.timeout(10):
            while True:
                if server.started:
                    break
                await asyncio.sleep(0.01)
        async with aiohttp.ClientSession() as session:
            yield Served(edge, sockets, f"ws://127.0.0.1:{port}", session)
        server.should_exit = server.force_exit = True
        await serving


@pytest.fixture
async def gate(chain: Anvil, record: SqlRecord, queue: RedisQueue) -> AsyncIterator[Served]:
    async with served(chain, record, queue) as gate:
        yield gate


async def test_calls_batches_and_submissions_are_those_of_http(gate: Served, chain: Anvil, wallet: Wallet) -> None:
    async with gate.talk() as talk:
        assert (await talk.call("eth_chainId"))["result"] == "0x7a69"
        clean, bad = wallet.sign(), wallet.sign(BAD)
        assert (await talk.call("eth_sendRawTransaction", clean))["result"] == hash_of(clean)
        assert chain.rpc("eth_getTransactionByHash", hash_of(clean)) is not None
        held = (await talk.call("eth_sendRawTransaction", bad))["error"]
        assert (held["code"], held["data"]["status"]) == (-32003, "HELD")
        assert chain.rpc("eth_getTransactionByHash", hash_of(bad)) is None
        await talk.socket.send_json([{"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber"},
                                     {"jsonrpc": "2.0", "id": 2, "method": "eth_sign", "params": []},
                                     {"jsonrpc": "2.0", "method": "eth_blockNumber"}])  # fmt: skip
        answers = await talk.hear()
        assert ["result" in answer for answer in answers] == [True, False]
        await talk.socket.send_str("{")
        assert (await talk.hear())["error"]["code"] == -32700
        await talk.socket.send_bytes(b'{"jsonrpc":"2.0","id":9,"method":"eth_chainId"}')
        assert (await talk.hear())["id"] == 9
        notes = [note.hash for note in gate.edge.notes]
        assert str(notes[-1]) == hash_of(clean)


async def test_submissions_of_one_connection_keep_their_order(gate: Served, chain: Anvil, wallet: Wallet) -> None:
    raws = [wallet.sign() for _ in range(10)]
    async with gate.talk() as talk:
        for number, raw in enumerate(raws):
            await talk.say("eth_sendRawTransaction", raw, identity=number)
        answers = [await talk.hear() for _ in raws]
        assert {answer["id"]: answer.get("result") for answer in answers} == dict(enumerate(map(hash_of, raws)))
    assert [str(hash) for hash in gate.edge.judge.simulated] == [hash_of(raw) for raw in raws]


async def test_heads_and_logs_are_passed_through_until_they_are_unsubscribed(gate: Served, chain: Anvil) -> None:
    async with gate.talk() as talk:
        heads = (await talk.call("eth_subscribe", "newHeads"))["result"]
        logs = (await talk.call("eth_subscribe", "logs", {}))["result"]
        assert heads != logs
        chain.mine()
        note = await talk.note()
        assert note["params"]["subscription"] == heads
        assert note["params"]["result"]["number"] == chain.rpc("eth_blockNumber")
        assert (await talk.call("eth_unsubscribe", heads))["result"] is True
        assert (await talk.call("eth_unsubscribe", heads))["error"]["code"] == -32602
        chain.mine()
        assert (await talk.call("eth_chainId"))["result"] == "0x7a69"
        assert talk.notes == []


async def test_a_node_that_notifies_before_it_answers_is_not_passed_on_before_the_answer(
    gate: Served, chain: Anvil
) -> None:
    async with gate.talk() as talk:
        subscriptions = []
        for number in range(5):
            await talk.say("eth_subscribe", "newHeads", identity=number)
            chain.mine()
        told: set[str] = set()
        while len(subscriptions) < 5:
            document = json.loads((await talk.socket.receive(timeout=10)).data)
            if document.get("method") == "eth_subscription":
                assert document["params"]["subscription"] in told, "a note for an id nobody was told"
            else:
                subscriptions.append(document["result"])
                told.add(document["result"])


@pytest.mark.parametrize(
    ("params", "code", "words"),
    [
        (["newPendingTransactions"], -32602, "pending transactions are not shown"),
        ([], -32602, "1 to 2 parameters"),
        (["newHeads", {}, 3], -32602, "1 to 2 parameters"),
    ],
)
async def test_what_would_leak_or_is_malformed_is_refused(
    gate: Served, params: list[object], code: int, words: str
) -> None:
    async with gate.talk() as talk:
        error = (await talk.call("eth_subscribe", *params))["error"]
        assert error["code"] == code
        assert words in error["message"]


async def test_without_a_node_nobody_subscribes_and_http_says_where_to_go(
    chain: Anvil, record: SqlRecord, queue: RedisQueue
) -> None:
    async with served(chain, record, queue, node=None) as gate:
        async with gate.talk() as talk:
            assert (await talk.call("eth_subscribe", "newHeads"))["error"]["code"] == -32004
        assert "WebSocket" in (await gate.edge.call("eth_subscribe", "newHeads"))["error"]["message"]
    async with served(chain, record, queue, node=f"ws://127.0.0.1:{free_port()}") as gate, gate.talk() as talk:
        assert "at present" in (await talk.call("eth_subscribe", "newHeads"))["error"]["message"]
        assert (await talk.call("eth_chainId"))["result"] == "0x7a69"


async def test_a_lost_node_closes_whom_it_had_promised_something(
    chain: Anvil, record: SqlRecord, queue: RedisQueue
) -> None:
    async with (
        FaultProxy(chain.port) as proxy,
        served(chain, record, queue, node=f"ws://127.0.0.1:{proxy.port}") as gate,
        gate.talk() as subscriber,
        gate.talk() as other,
    ):
        assert "result" in await subscriber.call("eth_subscribe", "newHeads")
        await proxy.set(Fault.REFUSE)
        assert await subscriber.closed() == AGAIN
        assert (await other.call("eth_chainId"))["result"] == "0x7a69"


async def test_bounds_of_connections_subscriptions_messages_and_idleness(
    chain: Anvil, record: SqlRecord, queue: RedisQueue
) -> None:
    limits = SocketLimits(connections=3, per_client=2, subscriptions=1, idle_seconds=0.4)
    async with served(chain, record, queue, limits) as gate:
        async with gate.talk() as one, gate.talk():
            assert len(gate.sockets) == 2
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await gate.session.ws_connect(gate.url)
            assert refused.value.status == 503
            async with gate.talk("/key/sesame") as keyed:
                assert (await keyed.call("eth_chainId"))["result"] == "0x7a69"
            with pytest.raises(aiohttp.WSServerHandshakeError) as unknown:
                await gate.session.ws_connect(gate.url + "/key/guess")
            assert unknown.value.status == 401
            assert "result" in await one.call("eth_subscribe", "newHeads")
            assert (await one.call("eth_subscribe", "newHeads"))["error"]["code"] == -32005
        async with gate.talk() as idle:
            assert await idle.closed() == GOING_AWAY
        async with gate.talk() as subscriber:
            await subscriber.call("eth_subscribe", "newHeads")
            await asyncio.sleep(0.8)
            assert (await subscriber.call("eth_chainId"))["result"] == "0x7a69", "who subscribed is not idle"
        async with gate.talk() as large:
            await large.socket.send_str("x" * 200_000)
            assert await large.closed() == 1009
        async with asyncio.timeout(10):
            while True:
                if len(gate.sockets) == 0:
                    break
                await asyncio.sleep(0.02)


async def test_other_origins_are_refused(chain: Anvil, record: SqlRecord, queue: RedisQueue) -> None:
    async with served(chain, record, queue, SocketLimits(allow_origin="https://wallet.example")) as gate:
        async with gate.talk(origin="https://wallet.example") as talk:
            assert (await talk.call("eth_chainId"))["result"] == "0x7a69"
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await gate.session.ws_connect(gate.url, origin="https://evil.example")
        assert refused.value.status == 403


async def test_a_client_that_does_not_read_is_cut_off(chain: Anvil, record: SqlRecord, queue: RedisQueue) -> None:
    limits = SocketLimits(outgoing=20, send_seconds=0.5)
    async with served(chain, record, queue, limits) as gate:
        small = socket.socket()
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        small.connect(("127.0.0.1", int(gate.url.rpartition(":")[2])))
        reader, writer = await asyncio.open_connection(sock=small)
        writer.write(
            b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MTIzNDU2Nzg5MDEyMzQ1Ng==\r\n\r\n"
        )
        assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
        # Large answers, none of them read: buffers of both sides fill, then nothing is taken any more.
        body = json.dumps({"jsonrpc": "2.0", "id": "i" * 250, "method": "eth_sign"})
        batch = ("[" + ",".join([body] * 100) + "]").encode()
        frame = bytes([0x81, 0xFE]) + len(batch).to_bytes(2, "big") + bytes(4) + batch
        with contextlib.suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(20):
                while len(gate.sockets):
                    writer.write(frame)
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(0.1):
                            await writer.drain()
        assert len(gate.sockets) == 0
        writer.transport.abort()


async def test_a_client_that_leaves_does_not_stop_what_it_submitted(gate: Served, chain: Anvil, wallet: Wallet) -> None:
    gate.edge.judge.seconds = 0.3
    raw = wallet.sign()
    async with gate.talk() as talk:
        await talk.say("eth_sendRawTransaction", raw)
        await asyncio.sleep(0.1)
    async with asyncio.timeout(10):
        while True:
            if chain.rpc("eth_getTransactionByHash", hash_of(raw)) is not None:
                break
            await asyncio.sleep(0.05)

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from gateway.errors import UpstreamNonsense, UpstreamRefused, UpstreamSilent, UpstreamUnreachable
from gateway.model.primitive import Hash32
from gateway.model.transaction import RawTransaction
from gateway.upstream.aiohttp import HttpUpstream
from gateway.upstream.client import UpstreamLimits
from tests.anvil import free_port, needs_anvil, running_anvil
from tests.faulty import Fault, FaultProxy

Serve = Callable[[bytes], Awaitable[str]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Start an HTTP server that gives one fixed answer; returns its URL."""
    servers: list[asyncio.Server] = []

    async def start(answer: bytes) -> str:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
            writer.close()

        servers.append(await asyncio.start_server(handle, "127.0.0.1", 0))
        return f"http://127.0.0.1:{servers[-1].sockets[0].getsockname()[1]}"

    yield start
    for server in servers:
        server.close()


def http(body: bytes, status: str = "200 OK", length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\ncontent-length: {size}\r\n\r\n".encode() + body


@needs_anvil
async def test_call_batch_and_pass_through_against_a_node() -> None:
    with running_anvil() as chain:
        async with HttpUpstream(chain.url) as upstream:
            assert await upstream.call("eth_chainId") == "0x7a69"
            answers = await upstream.batch([("eth_blockNumber", ()), ("eth_nonsense", ()), ("eth_chainId", ())])
            assert answers[0] == "0x0"
            assert isinstance(answers[1], UpstreamRefused)
            assert answers[1].code == -32601
            assert answers[2] == "0x7a69"
            with pytest.raises(UpstreamRefused, match="-32601"):
                await upstream.call("eth_nonsense")
            body = b'{"jsonrpc":"2.0","id":"a","method":"eth_chainId","params":[]}'
            assert json.loads(await upstream.forward(body)) == {"jsonrpc": "2.0", "id": "a", "result": "0x7a69"}
            refused = json.loads(await upstream.send_raw(RawTransaction(b"\x01\x02", Hash32())))
            assert refused["error"]["code"] < 0


async def test_nothing_listens() -> None:
    async with HttpUpstream(f"http://127.0.0.1:{free_port()}") as upstream:
        with pytest.raises(UpstreamUnreachable):
            await upstream.submit(b"{}")


@needs_anvil
@pytest.mark.parametrize("fault", [Fault.STALL, Fault.HALF, Fault.RESET])
async def test_a_submission_without_a_whole_answer_is_made_once_and_named(fault: Fault) -> None:
    with running_anvil() as chain:
        async with (
            FaultProxy(chain.port) as proxy,
            HttpUpstream(
                f"http://127.0.0.1:{proxy.port}", UpstreamLimits(send_timeout=0.5, read_timeout=0.5)
            ) as upstream,
        ):
            assert await upstream.call("eth_chainId") == "0x7a69"
            await proxy.set(fault)
            before = proxy.requests
            with pytest.raises(UpstreamSilent):
                await upstream.submit(b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}')
            assert proxy.requests == before + 1
            await proxy.set(Fault.DRIP)
            assert await upstream.call("eth_chainId") == "0x7a69"


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"",
        b"[]",
        b"{}",
        b'{"jsonrpc":"2.0","id":2,"result":1}',
        b'{"jsonrpc":"2.0","id":1,"error":"no"}',
        b'{"jsonrpc":"2.0","id":1,"result":"\xff"}',
        b"[" * 5000,
    ],
)
async def test_nonsense_is_named(serve: Serve, body: bytes) -> None:
    async with HttpUpstream(await serve(http(body))) as upstream:
        with pytest.raises(UpstreamNonsense):
            await upstream.call("eth_chainId")


@pytest.mark.parametrize(
    "body",
    [
        b'{"jsonrpc":"2.0","id":1,"result":1}',
        b'[{"jsonrpc":"2.0","id":0,"result":1}]',
        b'[{"jsonrpc":"2.0","id":0,"result":1},{"jsonrpc":"2.0","id":0,"result":2}]',
        b'[{"jsonrpc":"2.0","id":0,"result":1},{"jsonrpc":"2.0","id":1}]',
    ],
)
async def test_a_batch_that_does_not_match_its_questions_is_nonsense(serve: Serve, body: bytes) -> None:
    async with HttpUpstream(await serve(http(body))) as upstream:
        with pytest.raises(UpstreamNonsense):
            await upstream.batch([("eth_chainId", ()), ("eth_blockNumber", ())])


@pytest.mark.parametrize(("size", "declared"), [(2000, 2000), (10, 10_000_000_000)])
async def test_an_answer_over_the_limit_is_not_read(serve: Serve, size: int, declared: int) -> None:
    url = await serve(http(b"x" * size, length=declared))
    async with HttpUpstream(url, UpstreamLimits(answer_bytes=1000)) as upstream:
        with pytest.raises(UpstreamNonsense, match="1000"):
            await upstream.forward(b"{}")


async def test_errors_in_other_http_statuses_are_answers_if_they_are_json(serve: Serve) -> None:
    body = b'{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"nonce too low"}}'
    async with HttpUpstream(await serve(http(body, "400 Bad Request"))) as upstream:
        assert await upstream.submit(b"{}") == body
    async with HttpUpstream(await serve(http(b"bad gateway", "502 Bad Gateway"))) as upstream:
        with pytest.raises(UpstreamNonsense, match="502"):
            await upstream.submit(b"{}")

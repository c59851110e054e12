"""The public RPC route as raw ASGI: reads a bounded body, splits and joins batches, answers whatever comes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import groupby
from typing import Any

from gateway.jsonrpc.errors import Code, ErrorObject, RpcError
from gateway.jsonrpc.message import NULL_ID, Item, MessageLimits, failure, join, parse
from gateway.model.transaction import Client
from gateway.proxy.clients import ClientDesk, UnknownKey, is_rpc_path
from gateway.proxy.service import Service
from gateway.telemetry import Metrics

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

_DRAIN_FACTOR = 4
"""An oversize body is read to its end, unless it is this many times too large: so its sender can read the answer."""
_READS_AT_ONCE = 16
_BUSY = ErrorObject(Code.LIMIT_EXCEEDED, "the gateway is at its limit of concurrent requests; try again")


@dataclass(frozen=True, slots=True)
class EndpointLimits:
    """Bounds of one HTTP request, and of all of them together."""

    message: MessageLimits = field(default_factory=MessageLimits)
    body_time: timedelta = timedelta(seconds=15)
    """for the whole body"""
    answer_bytes: int = 64 * 1024 * 1024
    """of one batch answer"""
    in_flight: int = 512
    allow_origin: str = "*"
    """for pages that speak to the RPC from a browser; empty sends no CORS headers"""


class _Unreadable(Exception):
    """The body could not be read; answered with this status and message."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.error = status, ErrorObject(code, message)


class Endpoint:
    """POST / is the RPC; every other request goes to `pages`."""

    def __init__(
        self,
        service: Service,
        limits: EndpointLimits,
        metrics: Metrics,
        pages: AsgiApp,
        clients: ClientDesk = ClientDesk(),
    ) -> None:
        self._clients = clients
        self.sockets: AsgiApp | None = None
        """who serves WebSocket connections; None refuses them"""
        self.service = service
        """may be replaced while the gateway runs: the first one only says that it is starting"""
        self._limits, self._metrics, self._pages = limits, metrics, pages
        self._in_flight = 0
        self._headers = [(b"content-type", b"application/json")]
        if limits.allow_origin:
            self._headers.append((b"access-control-allow-origin", limits.allow_origin.encode()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection (ASGI)."""
        if scope["type"] == "websocket" and self.sockets is not None:
            await self.sockets(scope, receive, send)
        elif scope["type"] != "http" or not is_rpc_path(scope["path"]) or scope["method"] not in ("POST", "OPTIONS"):
            await self._pages(scope, receive, send)
        elif scope["method"] == "OPTIONS":
            await self._preflight(send)
        else:
            await self._post(scope, receive, send)

    async def _post(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._in_flight >= self._limits.in_flight:
            await self._respond(send, 200, failure(NULL_ID, _BUSY), close=True)
            return
        try:
            client = self._clients.identify(scope)
        except UnknownKey as problem:
            refused = failure(NULL_ID, ErrorObject(Code.INVALID_REQUEST, str(problem)))
            await self._respond(send, 401, refused, close=True)
            return
        with self._counted():
            try:
                body = await self._read(scope, receive)
            except _Unreadable as problem:
                await self._respond(send, problem.status, failure(NULL_ID, problem.error), close=True)
                return
            if body is not None:
                await self._respond(send, 200, await self.answer(body, client))

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self._in_flight += 1
        self._metrics.in_flight.set(self._in_flight)
        try:
            yield
        finally:
            self._in_flight -= 1
            self._metrics.in_flight.set(self._in_flight)

    async def exchange(self, body: bytes, client: Client, service: Service) -> bytes:
        """The answer to a body that came another way than by POST; it counts like a request of its own."""
        if self._in_flight >= self._limits.in_flight:
            return failure(NULL_ID, _BUSY)
        if len(body) > self._limits.message.body_bytes:
            limit = self._limits.message.body_bytes
            return failure(NULL_ID, ErrorObject(Code.LIMIT_EXCEEDED, f"the message is larger than {limit} bytes"))
        with self._counted():
            return await self.answer(body, client, service)

    async def answer(self, body: bytes, client: Client, service: Service | None = None) -> bytes:
        """The answer to a body; empty if it held notifications only. `service` goes before the endpoint's own."""
        service = self.service if service is None else service
        try:
            items = parse(body, self._limits.message)
        except RpcError as error:
            return failure(NULL_ID, error.error)
        if not isinstance(items, list):
            return await service.answer(items, client) or b""
        answers = await self._batch(items, client, service)
        return join(answers) if answers else b""

    async def _batch(self, items: list[Item], client: Client, service: Service) -> list[bytes]:
        """Answers in order. Neighbouring reads run together; a submission runs alone, as if sent by itself."""
        answers: list[bytes] = []
        size = 0
        for changes, group in groupby(items, key=service.changes_the_chain):
            members = list(group)
            width = 1 if changes else _READS_AT_ONCE
            for start in range(0, len(members), width):
                part = members[start : start + width]
                if size > self._limits.answer_bytes:
                    answers.extend(self._too_much(item) for item in part)
                    continue
                for answer in await asyncio.gather(*(service.answer(item, client) for item in part)):
                    if answer is not None:
                        size += len(answer)
                        answers.append(answer)
        return answers

    def _too_much(self, item: Item) -> bytes:
        message = f"the answers before this one exceed {self._limits.answer_bytes} bytes; split the batch"
        return failure(item.id or NULL_ID, ErrorObject(Code.LIMIT_EXCEEDED, message))

    async def _read(self, scope: Scope, receive: Receive) -> bytes | None:
        """The body; None if the client left. Never keeps more than the limit, whatever the headers promise."""
        headers = dict(scope["headers"])
        encoding = headers.get(b"content-encoding", b"identity").lower()
        if encoding != b"identity":
            raise _Unreadable(415, Code.INVALID_REQUEST, "send the body without content-encoding")
        limit = self._limits.message.body_bytes
        too_large = _Unreadable(413, Code.LIMIT_EXCEEDED, f"the body is larger than {limit} bytes")
        declared = headers.get(b"content-length", b"")
        if declared.isdigit() and int(declared) > _DRAIN_FACTOR * limit:
            raise too_large
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._limits.body_time.total_seconds()):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    part = message.get("body", b"")
                    size += len(part)
                    if size <= limit:
                        parts.append(part)
                    elif size > _DRAIN_FACTOR * limit:
                        raise too_large
                    if not message.get("more_body", False):
                        break
        except TimeoutError:
            seconds = self._limits.body_time.total_seconds()
            raise _Unreadable(408, Code.INVALID_REQUEST, f"the body did not arrive within {seconds:g} s") from None
        if size > limit:
            raise too_large
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _respond(self, send: Send, status: int, body: bytes, *, close: bool = False) -> None:
        headers = [*self._headers, (b"content-length", str(len(body)).encode())]
        if close:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _preflight(self, send: Send) -> None:
        headers = [(b"content-length", b"0")]
        if self._limits.allow_origin:
            headers += [
                (b"access-control-allow-origin", self._limits.allow_origin.encode()),
                (b"access-control-allow-methods", b"POST"),
                (b"access-control-allow-headers", b"content-type, x-api-key, authorization"),
                (b"access-control-max-age", b"86400"),
            ]
        await send({"type": "http.response.start", "status": 204, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

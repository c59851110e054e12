"""JSON-RPC over WebSocket on the same port and by the same table: bounded, with back-pressure, nothing uninspected."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Final

import structlog

from gateway.jsonrpc.errors import Code, ErrorObject
from gateway.jsonrpc.message import NULL_ID, failure
from gateway.model.transaction import Client
from gateway.proxy.clients import ClientDesk, UnknownKey, is_rpc_path
from gateway.proxy.endpoint import Endpoint, Receive, Scope, Send
from gateway.proxy.subscriptions import Line, OpenSubscriptions, Overrun, SocketService

log = structlog.get_logger()

GOING_AWAY: Final = 1001
AGAIN: Final = 1013
"""try again later: the gateway or its node cannot keep what this connection was promised"""


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """Bounds of WebSocket connections. The size of a message and pings are the server's business."""

    connections: int = 512
    per_client: int = 32
    messages: int = 16
    """of one connection answered at a time; beyond, nothing more is read from it"""
    outgoing: int = 256
    """messages that may wait to be sent; a reader that is slower is cut off"""
    idle_seconds: float = 300.0
    """without a message and without a subscription"""
    send_seconds: float = 20.0
    """for one message to leave"""
    subscriptions: int = 32
    """of one connection"""
    allow_origin: str = "*"
    """browsers tell where a page comes from; empty or another origin is refused. `*` takes all"""


class Sockets:
    """All WebSocket connections of one process."""

    def __init__(
        self,
        endpoint: Endpoint,
        clients: ClientDesk,
        limits: SocketLimits = SocketLimits(),
        open_subscriptions: OpenSubscriptions | None = None,
    ) -> None:
        """`open_subscriptions` connects to the node's WebSocket; None if there is none, so that nobody subscribes."""
        self._endpoint, self._clients, self._limits = endpoint, clients, limits
        self._open_subscriptions = open_subscriptions
        self._connected: Counter[str] = Counter()
        self._answering: set[asyncio.Future[bytes]] = set()

    def __len__(self) -> int:
        return self._connected.total()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection to its end (ASGI)."""
        await receive()
        try:
            client = self._clients.identify(scope)
        except UnknownKey:
            await _refuse(send, 401)
            return
        if not is_rpc_path(scope["path"]):
            await _refuse(send, 404)
        elif not self._origin_allowed(scope):
            await _refuse(send, 403)
        elif len(self) >= self._limits.connections or self._connected[client.owner] >= self._limits.per_client:
            await _refuse(send, 503)
        else:
            await send({"type": "websocket.accept"})
            self._connected[client.owner] += 1
            try:
                await self._serve(receive, send, client)
            finally:
                self._connected[client.owner] -= 1
                if not self._connected[client.owner]:
                    del self._connected[client.owner]

    async def _serve(self, receive: Receive, send: Send, client: Client) -> None:
        line = Line(self._limits.outgoing, self._limits.subscriptions, self._open_subscriptions)
        code = 0
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._write(line, send))
                code = await _Reader(self, line, client, tasks).run(receive)
                line.finish()
        except* (Overrun, TimeoutError):
            code = AGAIN
        except* OSError as gone:
            log.debug("websocket.gone", errors=[str(error) for error in gone.exceptions])
        finally:
            await line.close()
        if code:
            await _close(send, code)

    async def exchange(self, body: bytes, client: Client, service: SocketService) -> bytes:
        """The answer to one message. A connection that breaks does not stop what was submitted over it half way."""
        answering = asyncio.ensure_future(self._endpoint.exchange(body, client, service))
        self._answering.add(answering)
        answering.add_done_callback(self._answering.discard)
        return await asyncio.shield(answering)

    @property
    def limits(self) -> SocketLimits:
        """The bounds of each connection."""
        return self._limits

    def service(self, line: Line, submissions: asyncio.Lock) -> SocketService:
        """Who answers one message."""
        return SocketService(self._endpoint.service, line, submissions)

    async def _write(self, line: Line, send: Send) -> None:
        """Send what is to be sent, in order. A client that does not read is no reason to wait for ever."""
        while (text := await line.next()) is not None:
            async with asyncio.timeout(self._limits.send_seconds):
                await send({"type": "websocket.send", "text": text.decode()})

    def _origin_allowed(self, scope: Scope) -> bool:
        if self._limits.allow_origin == "*":
            return True
        origin = dict(scope["headers"]).get(b"origin")
        return origin is None or origin.decode("latin-1") == self._limits.allow_origin


class _Reader:
    """Reads the messages of one connection and has them answered."""

    def __init__(self, sockets: Sockets, line: Line, client: Client, tasks: asyncio.TaskGroup) -> None:
        self._sockets, self._line, self._client, self._tasks = sockets, line, client, tasks
        self._places = asyncio.Semaphore(sockets.limits.messages)
        self._submissions = asyncio.Lock()
        self._at_work = 0

    async def run(self, receive: Receive) -> int:
        """Until the client leaves (0), or the connection is to be closed with the code returned."""
        while True:
            try:
                async with asyncio.timeout(self._sockets.limits.idle_seconds):
                    message = await receive()
            except TimeoutError:
                if self._at_work or self._line.subscribed:
                    continue
                return GOING_AWAY
            if message["type"] != "websocket.receive":
                return 0
            text = message.get("text")
            body = text.encode() if text is not None else message.get("bytes") or b""
            # As long as all places are taken nothing is read, and the client's own buffer fills.
            await self._places.acquire()
            self._at_work += 1
            self._tasks.create_task(self._answer(body))

    async def _answer(self, body: bytes) -> None:
        try:
            service = self._sockets.service(self._line, self._submissions)
            answer = await self._sockets.exchange(body, self._client, service)
            if answer:
                await self._line.put(answer)
            self._line.announce(service.opened)
        finally:
            self._at_work -= 1
            self._places.release()


async def _refuse(send: Send, status: int) -> None:
    """Before the connection is one: an HTTP answer, as the extension of ASGI has it."""
    body = failure(NULL_ID, ErrorObject(Code.INVALID_REQUEST, _REASONS[status]))
    headers = [(b"content-type", b"application/json")]
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})


_REASONS = {
    401: "an API key that is known here is needed",
    403: "pages of this origin are not served",
    404: "the WebSocket is at / or /key/<API key>",
    503: "too many connections; try again later",
}


async def _close(send: Send, code: int) -> None:
    try:
        async with asyncio.timeout(1.0):
            await send({"type": "websocket.close", "code": code})
    except (OSError, TimeoutError) as error:
        log.debug("websocket.gone", error=str(error))

"""A WebSocket to the node on which a client's subscriptions live: calls with their answers, and notifications."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import msgspec

from gateway.errors import UpstreamNonsense, UpstreamSilent, UpstreamUnreachable
from gateway.jsonrpc.message import envelope, read_answer
from gateway.upstream.client import place_of

_MAX_MESSAGE = 8 * 1024 * 1024
_UNREAD = 1024
"""notifications that may wait to be taken"""


class _Params(msgspec.Struct):
    subscription: int | str


class _Message(msgspec.Struct):
    id: int | str | None = None
    params: _Params | None = None


_decode = msgspec.json.Decoder(_Message).decode


class NodeConnection:
    """One connection. It does not come back by itself: who subscribed has to know that it ended."""

    def __init__(self, session: aiohttp.ClientSession, socket: aiohttp.ClientWebSocketResponse, where: str) -> None:
        self._session, self._socket, self._where = session, socket, where
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._notes: asyncio.Queue[tuple[str, bytes] | None] = asyncio.Queue(_UNREAD)
        self._last = 0
        self._ended: str | None = None
        self._reading = asyncio.ensure_future(self._read())

    async def request(self, method: str, params: bytes, *, within: float = 10.0) -> tuple[bytes, bytes]:
        """Member and raw value of the answer. Raises UpstreamSilent, UpstreamNonsense."""
        if self._ended is not None:
            raise UpstreamSilent(f"{self._where}: {self._ended}")
        self._last += 1
        identity = self._last
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[identity] = future
        try:
            async with asyncio.timeout(within):
                await self._socket.send_str(envelope(method, params, identity).decode())
                return read_answer(await future)
        except (TimeoutError, ConnectionError, aiohttp.ClientError) as error:
            raise UpstreamSilent(f"{self._where} did not answer {method}: {error or 'time-out'}") from error
        except ValueError as error:
            raise UpstreamNonsense(f"{self._where} answered {method} with nonsense: {error}") from error
        finally:
            self._waiting.pop(identity, None)

    async def notifications(self) -> AsyncIterator[tuple[str, bytes]]:
        """(subscription, whole message); ends by UpstreamSilent."""
        while (note := await self._notes.get()) is not None:
            yield note
        raise UpstreamSilent(f"{self._where}: {self._ended}")

    async def close(self) -> None:
        """Close; idempotent."""
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        await self._socket.close()
        await self._session.close()

    async def _read(self) -> None:
        try:
            async for frame in self._socket:
                if frame.type is not aiohttp.WSMsgType.TEXT:
                    continue
                self._take(frame.data.encode())
            self._end("the node closed the connection")
        except asyncio.CancelledError:
            self._end("closed")
            raise
        except (aiohttp.ClientError, ConnectionError, msgspec.MsgspecError) as error:
            self._end(f"{type(error).__name__}: {error}")

    def _take(self, data: bytes) -> None:
        message = _decode(data)
        if message.params is not None:
            if self._notes.qsize() >= _UNREAD - 1:
                self._end("its notifications are not read fast enough")
                return
            self._notes.put_nowait((str(message.params.subscription), data))
        elif isinstance(message.id, int):
            future = self._waiting.get(message.id)
            if future is not None and not future.done():
                future.set_result(data)

    def _end(self, why: str) -> None:
        if self._ended is not None:
            return
        self._ended = why
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(ConnectionError(why))
        while self._notes.full():
            self._notes.get_nowait()
        self._notes.put_nowait(None)


async def connect(url: str, *, within: float = 5.0, heartbeat: float = 15.0) -> NodeConnection:
    """Connect to ws:// or wss://. Raises UpstreamUnreachable."""
    session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None, sock_connect=within))
    try:
        async with asyncio.timeout(within):
            socket = await session.ws_connect(url, heartbeat=heartbeat, max_msg_size=_MAX_MESSAGE)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        await session.close()
        raise UpstreamUnreachable(f"no WebSocket at {place_of(url)}: {type(error).__name__}") from error
    return NodeConnection(session, socket, place_of(url))

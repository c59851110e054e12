"""New heads by WebSocket; whoever uses it also polls, for a socket may be silent without being closed."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import aiohttp
import msgspec

from gateway.errors import UpstreamNonsense, UpstreamSilent, UpstreamUnreachable
from gateway.upstream.client import place_of

_MAX_MESSAGE = 4 * 1024 * 1024
_SUBSCRIBE = '{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}'


async def new_heads(url: str, *, connect_within: float = 5.0, heartbeat: float = 10.0) -> AsyncGenerator[object, None]:
    """Yield headers as the node announces them, as JSON values; ends only by an error.

    Args:
        url: ws:// or wss:// address of the node.
        connect_within: seconds for connecting and subscribing.
        heartbeat: seconds between pings; a missing pong ends the subscription.

    Raises:
        UpstreamUnreachable: no connection, or the node does not speak WebSocket.
        UpstreamNonsense: the node refused the subscription or sent no JSON.
        UpstreamSilent: the connection broke.
    """
    timeout, where = aiohttp.ClientTimeout(total=None, sock_connect=connect_within), place_of(url)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        try:
            socket = await session.ws_connect(url, heartbeat=heartbeat, max_msg_size=_MAX_MESSAGE)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise UpstreamUnreachable(f"no WebSocket at {where}: {type(error).__name__}") from error
        async with socket:
            await socket.send_str(_SUBSCRIBE)
            subscription = _result(await _next(socket, where, connect_within), where)
            while True:
                message = await _next(socket, where, None)
                params = message.get("params")
                if isinstance(params, dict) and params.get("subscription") == subscription:
                    yield params.get("result")


def _result(message: dict[str, object], where: str) -> object:
    if "result" not in message:
        raise UpstreamNonsense(f"{where} refused the subscription: {message.get('error')}")
    return message["result"]


async def _next(socket: aiohttp.ClientWebSocketResponse, where: str, seconds: float | None) -> dict[str, object]:
    try:
        frame = await socket.receive(timeout=seconds)
    except TimeoutError as error:
        raise UpstreamSilent(f"{where} did not confirm the subscription") from error
    if frame.type is not aiohttp.WSMsgType.TEXT:
        raise UpstreamSilent(f"{where} closed the subscription ({frame.type.name})")
    try:
        message = msgspec.json.decode(frame.data)
    except msgspec.DecodeError as error:
        raise UpstreamNonsense(f"{where} sent no JSON: {error}") from error
    if not isinstance(message, dict):
        raise UpstreamNonsense(f"{where} sent {type(message).__name__} instead of an object")
    return message

"""Subscriptions of one WebSocket connection: passed through to the node, bounded, and never pretended to live."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from gateway.errors import UpstreamError
from gateway.jsonrpc.errors import Code, RpcError
from gateway.jsonrpc.message import Item, Request, answer, failure
from gateway.model.transaction import Client
from gateway.proxy.params import positional
from gateway.proxy.reply import Answer
from gateway.proxy.service import Service

KINDS = frozenset({"newHeads", "logs", "syncing"})
"""what may be subscribed to; pending transactions are not shown to others"""
SUBSCRIBE, UNSUBSCRIBE = "eth_subscribe", "eth_unsubscribe"
_HELD = 256
"""notifications kept for a subscription whose id the client does not know yet"""
_encode = msgspec.json.Encoder().encode


class Overrun(Exception):
    """The client does not read as fast as it is told, or what it was promised has ended: close with 1013."""


class NodeSocket(Protocol):
    """A WebSocket to the node. Methods raise UpstreamError once it is broken."""

    async def request(self, method: str, params: bytes) -> tuple[bytes, bytes]:
        """Member and raw value of the answer to one call, over the same socket."""

    def notifications(self) -> AsyncIterator[tuple[str, bytes]]:
        """(subscription id, whole message) as they come; ends with UpstreamError when the socket does."""

    async def close(self) -> None:
        """Close; idempotent. The node then forgets the subscriptions."""


OpenSubscriptions = Callable[[], Awaitable[NodeSocket]]
"""Connects to the node. Raises UpstreamError."""


@dataclass(slots=True)
class _Subscription:
    announced: bool = False
    held: list[bytes] = field(default_factory=list)


class Line:
    """What goes out on one connection: answers and notifications in one bounded queue."""

    def __init__(self, outgoing: int, subscriptions: int, open_node: OpenSubscriptions | None) -> None:
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(outgoing)
        self._most, self._open_node = subscriptions, open_node
        self._node: NodeSocket | None = None
        self._opening = asyncio.Lock()
        self._pump: asyncio.Task[None] | None = None
        self._failure: Exception | None = None
        self._failed = asyncio.Event()
        self._finished = False
        self._subscriptions: dict[str, _Subscription] = {}

    @property
    def subscribed(self) -> bool:
        """True while notifications may come."""
        return bool(self._subscriptions)

    async def put(self, text: bytes) -> None:
        """Queue an answer; waits while the queue is full. After `finish` nobody is there to get it."""
        if not self._finished:
            await self._queue.put(text)

    async def next(self) -> bytes | None:
        """The next message to send; None at the end. Raises Overrun when the connection has to be cut."""
        getting = asyncio.ensure_future(self._queue.get())
        failing = asyncio.ensure_future(self._failed.wait())
        try:
            await asyncio.wait({getting, failing}, return_when=asyncio.FIRST_COMPLETED)
            if self._failure is not None:
                raise self._failure
            return getting.result()
        finally:
            getting.cancel()
            failing.cancel()

    def finish(self) -> None:
        """Nothing more is to be sent: whoever waits in `next` learns of it."""
        self._finished = True
        while not self._queue.empty():
            self._queue.get_nowait()
        self._queue.put_nowait(None)

    async def close(self) -> None:
        """Let go of the node."""
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)
        if self._node is not None:
            await self._node.close()

    async def subscribe(self, params: bytes) -> Answer:
        """eth_subscribe at the node; an id in the answer is not told of before `announce`. Raises RpcError."""
        if len(self._subscriptions) >= self._most:
            raise RpcError(Code.LIMIT_EXCEEDED, f"a connection has at most {self._most} subscriptions")
        try:
            given = Answer(*await (await self._connected()).request(SUBSCRIBE, params))
        except UpstreamError:
            raise RpcError(Code.INTERNAL, "the chain's node takes no subscription at present; try again") from None
        if given.member == b"result":
            self._subscriptions.setdefault(_id(given.value), _Subscription())
        return given

    async def unsubscribe(self, params: bytes, subscription: str) -> Answer:
        """eth_unsubscribe at the node. Raises RpcError."""
        if self._node is None or self._subscriptions.pop(subscription, None) is None:
            raise RpcError(Code.INVALID_PARAMS, "this connection has no such subscription")
        try:
            return Answer(*await self._node.request(UNSUBSCRIBE, params))
        except UpstreamError:
            raise RpcError(Code.INTERNAL, "the chain's node did not answer") from None

    def announce(self, opened: list[str]) -> None:
        """The client was told these ids: what came for them meanwhile may follow."""
        for name in opened:
            subscription = self._subscriptions.get(name)
            if subscription is not None:
                subscription.announced = True
                for text in subscription.held:
                    self._tell(text)
                subscription.held.clear()

    async def _connected(self) -> NodeSocket:
        async with self._opening:
            if self._node is None:
                if self._open_node is None:
                    raise RpcError(Code.NOT_SUPPORTED, "this gateway has no WebSocket of a node to subscribe at")
                self._node = await self._open_node()
                self._pump = asyncio.ensure_future(self._relay(self._node))
            return self._node

    async def _relay(self, node: NodeSocket) -> None:
        try:
            async for name, text in node.notifications():
                # The node may be quicker to notify than we are to read its answer to the subscription.
                subscription = self._subscriptions.get(name)
                if subscription is None:
                    continue
                if subscription.announced:
                    self._tell(text)
                elif len(subscription.held) < _HELD:
                    subscription.held.append(text)
                else:
                    self._fail("notifications pile up")
        except UpstreamError as error:
            self._fail(f"the node's socket ended: {error}")

    def _tell(self, text: bytes) -> None:
        try:
            self._queue.put_nowait(text)
        except asyncio.QueueFull:
            self._fail("the client reads too slowly")

    def _fail(self, why: str) -> None:
        self._failure = self._failure or Overrun(why)
        self._failed.set()


class SocketService:
    """`Service` of one message of a connection: subscriptions are its own, everything else is the shared service's."""

    def __init__(self, service: Service, line: Line, submissions: asyncio.Lock) -> None:
        """`submissions` keeps those of one connection in the order in which they came."""
        self._service, self._line, self._submissions = service, line, submissions
        self.opened: list[str] = []
        """subscriptions made by this message"""

    def admit(self, client: Client) -> None:
        """See `Service`."""
        self._service.admit(client)

    def changes_the_chain(self, item: Item) -> bool:
        """See `Service`; a subscription also stands alone."""
        return self._service.changes_the_chain(item) or _is_subscription(item)

    async def answer(self, item: Item, client: Client) -> bytes | None:
        """See `Service`."""
        if isinstance(item, Request) and _is_subscription(item):
            return await self._subscription(item, client)
        if self._service.changes_the_chain(item):
            async with self._submissions:
                return await self._service.answer(item, client)
        return await self._service.answer(item, client)

    async def _subscription(self, item: Request, client: Client) -> bytes | None:
        try:
            self._service.admit(client)
            given = await self._carry_out(item)
        except RpcError as error:
            return failure(item.answer_id, error.error)
        return None if item.id is None else answer(item.answer_id, given.member, given.value)

    async def _carry_out(self, item: Request) -> Answer:
        if item.id is None:
            raise RpcError(Code.INVALID_REQUEST, f"{item.method} without an id cannot be answered")
        if item.method == UNSUBSCRIBE:
            (name,) = positional(item, 1, 1)
            return await self._line.unsubscribe(item.params, str(name))
        kind = positional(item, 1, 2)[0]
        if kind not in KINDS:
            kinds = ", ".join(sorted(KINDS))
            raise RpcError(Code.INVALID_PARAMS, f"subscriptions are to {kinds}; pending transactions are not shown")
        given = await self._line.subscribe(item.params)
        if given.member == b"result":
            self.opened.append(_id(given.value))
        return given


def _is_subscription(item: Item) -> bool:
    return isinstance(item, Request) and item.method in (SUBSCRIBE, UNSUBSCRIBE)


def _id(value: bytes) -> str:
    return str(msgspec.json.decode(value))

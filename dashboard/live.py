"""The live queue's news, read once per process and handed to every open page as server-sent events.

An event carries no case: it says that something changed, and the page asks again with its own filter and rights.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from typing import Annotated, cast

from fastapi import APIRouter, Depends, Request
from sse_starlette import EventSourceResponse, ServerSentEvent

from dashboard.auth.sessions import present_session
from dashboard.dependencies import Me, TheRoom
from dashboard.room import Room
from gateway.errors import QueueUnavailable
from gateway.model.queue_event import QueueEvent
from gateway.store.quarantine import LiveQueue

log = logging.getLogger(__name__)
routes = APIRouter()
_KEPT = 1_000
_PAUSE_SECONDS = 1.0
_HEARTBEAT_SECONDS = 15
_BACKLOG = 100
"""Events a page may lag behind before it is only told to ask again."""


class News:
    """Follows the queue's events and wakes every listener."""

    def __init__(self, queue: LiveQueue) -> None:
        self._queue = queue
        self._kept: deque[QueueEvent] = deque(maxlen=_KEPT)
        self._listeners: set[asyncio.Queue[QueueEvent | None]] = set()
        self.alive = False
        """False while Redis is silent"""
        self.last_id: str | None = None

    async def follow(self) -> None:
        """Read for ever; when Redis is away, say so and try again."""
        while True:
            try:
                await self._queue.ping()
                self.alive = True
                async for event in self._queue.events(self.last_id):
                    self.last_id = event.id
                    self._kept.append(event)
                    for listener in self._listeners:
                        _tell(listener, event)
            except QueueUnavailable as error:
                if self.alive:
                    log.warning("news.lost: %s", error)
                self.alive = False
                await asyncio.sleep(_PAUSE_SECONDS)

    async def listen(self, after: str | None) -> AsyncGenerator[QueueEvent | None, None]:
        """Events after an id, then each new one. None: too many were missed to tell one by one."""
        listener: asyncio.Queue[QueueEvent | None] = asyncio.Queue(_BACKLOG)
        self._listeners.add(listener)
        try:
            if after is not None:
                missed = [event for event in self._kept if _number(event.id) > _number(after)]
                if missed:
                    yield missed[-1] if len(missed) <= _BACKLOG else None
            while True:
                yield await listener.get()
        finally:
            self._listeners.discard(listener)


def news_of(request: Request) -> News:
    """The news of this process."""
    return cast("News", request.app.state.news)


TheNews = Annotated[News, Depends(news_of)]


@routes.get("/events")
async def events(request: Request, room: TheRoom, news: TheNews, me: Me, after: str = "") -> EventSourceResponse:
    """The stream. Last-Event-ID, or `after` at the first connection, continues where the page was."""
    start = request.headers.get("last-event-id", "") or after
    stream = _stream(room, request, news, start if _is_id(start) else None)
    return EventSourceResponse(stream, ping=_HEARTBEAT_SECONDS)


async def _stream(room: Room, request: Request, news: News, after: str | None) -> AsyncIterator[ServerSentEvent]:
    source = news.listen(after)
    pending: asyncio.Task[QueueEvent | None] | None = None
    try:
        while True:
            pending = pending or asyncio.ensure_future(anext(source))
            done, _ = await asyncio.wait({pending}, timeout=_HEARTBEAT_SECONDS)
            if not done:
                if await present_session(room, request) is None:
                    return  # signed out, revoked or idle: the page must not stay informed
                continue
            event, pending = pending.result(), None
            if event is None:
                yield ServerSentEvent("{}", event="queue", id=news.last_id)
            else:
                said = {"kind": event.kind.value, "state": event.state.value}
                yield ServerSentEvent(json.dumps(said), event="queue", id=event.id)
    finally:
        if pending is not None:
            pending.cancel()
            with suppress(asyncio.CancelledError):
                await pending
        await source.aclose()


def _tell(listener: asyncio.Queue[QueueEvent | None], event: QueueEvent) -> None:
    if listener.full():
        while not listener.empty():
            listener.get_nowait()
        listener.put_nowait(None)
    else:
        listener.put_nowait(event)


def _is_id(text: str) -> bool:
    first, _, second = text.partition("-")
    return len(text) <= 40 and first.isdecimal() and second.isdecimal()


def _number(event_id: str) -> tuple[int, int]:
    first, _, second = event_id.partition("-")
    return int(first), int(second or 0)

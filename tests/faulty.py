"""A TCP proxy that misbehaves on command: between the gateway and a node, a store or another client."""

from __future__ import annotations

import asyncio
import contextlib
from enum import StrEnum
from types import TracebackType
from typing import Self


class Fault(StrEnum):
    """What the proxy does with connections, also with those already open."""

    NONE = "none"
    REFUSE = "refuse"
    """the listening socket is closed"""
    STALL = "stall"
    """requests are passed on, answers never come back"""
    HALF = "half"
    """answers are cut in the middle and the connection is reset"""
    RESET = "reset"
    """requests are passed on and the connection is reset before the answer"""
    DRIP = "drip"
    """answers arrive a few bytes at a time"""


class FaultProxy:
    """Listens on 127.0.0.1 and passes bytes to a target, with one fault at a time."""

    def __init__(self, target: int | str) -> None:
        """`target`: a port of 127.0.0.1, or the path of a unix socket."""
        self._target = target
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.fault = Fault.NONE
        self.delay = 0.0
        """seconds added before each answer"""
        self.port = 0
        self.requests = 0
        """chunks passed on to the target"""

    async def __aenter__(self) -> Self:
        await self._listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.set(Fault.REFUSE)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def set(self, fault: Fault) -> None:
        """Change the fault; REFUSE also closes what is open."""
        self.fault = fault
        if fault is Fault.REFUSE:
            if self._server is not None:
                self._server.close()
                self._server = None
            for writer in list(self._writers):
                writer.transport.abort()
        elif self._server is None:
            await self._listen()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if isinstance(self._target, str):
                target_reader, target_writer = await asyncio.open_unix_connection(self._target)
            else:
                target_reader, target_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers.add(target_writer)
        for coroutine in (self._requests(reader, target_writer), self._answers(target_reader, writer)):
            task = asyncio.ensure_future(coroutine)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                self.requests += 1
                writer.write(data)
                await writer.drain()
        writer.close()

    async def _answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if self.delay:
                    await asyncio.sleep(self.delay)
                if self.fault is Fault.STALL:
                    continue
                if self.fault is Fault.RESET:
                    writer.transport.abort()
                    return
                if self.fault is Fault.HALF:
                    writer.write(data[: len(data) // 2])
                    await asyncio.sleep(0.02)
                    writer.transport.abort()
                    return
                if self.fault is Fault.DRIP:
                    for start in range(0, len(data), 7):
                        writer.write(data[start : start + 7])
                        await asyncio.sleep(0.001)
                    continue
                writer.write(data)
                await writer.drain()
        writer.close()

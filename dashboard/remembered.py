"""Answers that many pages ask for, asked once in a while."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Generic, TypeVar

T = TypeVar("T")


class Remembered(Generic[T]):
    """An answer asked at most every `seconds`, and by one page at a time: the others wait for the same one."""

    def __init__(self, ask: Callable[[], Awaitable[T]], now: Callable[[], datetime], seconds: float = 10.0) -> None:
        self._ask, self._now, self._lasts = ask, now, timedelta(seconds=seconds)
        self._answer: tuple[datetime, object, T] | None = None
        self._turn = asyncio.Lock()

    async def get(self, mark: object = None) -> T:
        """The answer, at most `seconds` old, and asked under the same `mark`: the last event that was heard of."""
        async with self._turn:
            if self._answer is None or self._answer[1] != mark or self._now() >= self._answer[0] + self._lasts:
                self._answer = (self._now(), mark, await self._ask())
            return self._answer[2]

    def forget(self) -> None:
        """Ask again next time: something was changed."""
        self._answer = None

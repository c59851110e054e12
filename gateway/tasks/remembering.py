"""Keeps this process's memory in step with the other replicas': told after each verdict, read beside each simulation.

Reading costs no time of its own: it goes on while the transaction is simulated, and callers that come meanwhile share
one question. Without Redis each process remembers what it judged itself, and the report says so.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

import structlog

from gateway.errors import QueueUnavailable
from gateway.inspection.past.effects_wire import Told, decode_effects, encode_effects
from gateway.inspection.past.recollection import Past, Recollection, lasts
from gateway.model.finding import DetectorOutcome, OutcomeStatus
from gateway.model.trace import SimulationResult
from gateway.model.transaction import Transaction
from gateway.model.verdict import Action
from gateway.pipeline import Judgement
from gateway.store.shared.memory_log import START, MemoryLog

log = structlog.get_logger()

UNTOLD = 10_000
"""messages that wait for Redis; beyond, the oldest are lost to the other replicas"""
TOLD_AT_ONCE = 200
BESIDE = 0.05
"""seconds that a verdict waits for the others' memory at the most, counted from before the simulation"""
_LOOK = 0.25


class Remembering:
    """Memory of one process, shared through a log."""

    def __init__(
        self,
        recollection: Recollection,
        shared: MemoryLog,
        *,
        alone: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`alone`: no other process writes the log, so it is read once, at the start. `clock`: seconds since 1970."""
        self._recollection, self._log, self._alone, self._clock = recollection, shared, alone, clock
        self._untold: deque[Told] = deque(maxlen=UNTOLD)
        self._seen = START
        self._asked = self._answered = 0
        self._turn, self._news = asyncio.Lock(), asyncio.Event()
        self.absent: str | None = None
        """why what other replicas remember is not known; None while it is"""
        self.lost = 0
        """messages that the other replicas were never told"""

    def before(self, transaction: Transaction, simulation: SimulationResult) -> Past:
        """What to judge a simulated transaction with."""
        return self._recollection.before(transaction, simulation)

    def outcome(self) -> tuple[DetectorOutcome, ...]:
        """For the report: nothing if the memory is whole, else one line that says what is missing."""
        if self.absent is None or self._alone:
            return ()
        return (DetectorOutcome("memory", OutcomeStatus.UNSUPPORTED, 0.0, self.absent),)

    def keep(self, judgement: Judgement) -> None:
        """Remember a judged transaction; returns at once, the others are told by `run`.

        Losses count only of what is forwarded: what is held has taken nothing.
        """
        effects, transaction = judgement.effects, judgement.transaction
        if judgement.verdict.action is not Action.FORWARD:
            effects = replace(effects, takings=())
        if effects.empty:
            return
        told = Told(transaction.hash, transaction.sender, transaction.to, self._clock(), effects)
        self._recollection.keep(told.transaction, told.sender, told.to, effects, told.at)
        self.lost += len(self._untold) == UNTOLD
        self._untold.append(told)
        self._news.set()

    async def beside(self) -> None:
        """Take in what was told before this moment. Never raises; a silent Redis is asked again by `run` alone."""
        if self._alone or self.absent is not None:
            return
        try:
            async with asyncio.timeout(BESIDE):
                await self._catch_up()
        except TimeoutError:
            self._miss(f"not read within {BESIDE * 1000:.0f} ms")
        except QueueUnavailable as error:
            self._miss(str(error))

    async def run(self) -> None:
        """Tell and read until cancelled."""
        first = True
        while True:
            try:
                if first:
                    await self._recall()
                if first or not self._alone:
                    await self._catch_up()
                await self._tell()
                if self.absent is not None:
                    log.info("memory.shared_again")
                self.absent, first = None, False
            except QueueUnavailable as error:
                self._miss(str(error))
                await asyncio.sleep(_LOOK)
            self._news.clear()
            if not self._untold:
                try:
                    async with asyncio.timeout(_LOOK):
                        await self._news.wait()
                except TimeoutError:
                    continue

    async def _catch_up(self) -> None:
        self._asked += 1
        mine = self._asked
        async with self._turn:
            if self._answered >= mine:
                return  # a reading that began after this question has ended
            covered = self._asked
            while page := await self._log.after(self._seen):
                for id, message in page:
                    self._take_in(message)
                    self._seen = id
            self._answered = covered

    async def _recall(self) -> None:
        """Take in what may be used late and is older than what `_catch_up` reads; once, at the start."""
        seen = START
        while page := await self._log.after(seen, lasting=True):
            for id, message in page:
                self._take_in(message)
                seen = id

    def _take_in(self, message: bytes) -> None:
        try:
            told = decode_effects(message)
        except ValueError as error:
            log.warning("memory.unreadable", error=str(error)[:200])  # of another version: it expires soon
            return
        self._recollection.keep(told.transaction, told.sender, told.to, told.effects, told.at)

    async def _tell(self) -> None:
        while self._untold:
            batch = [self._untold[number] for number in range(min(TOLD_AT_ONCE, len(self._untold)))]
            messages = [encode_effects(told) for told in batch]
            lasting = [message for message, told in zip(messages, batch, strict=True) if lasts(told.effects)]
            await self._log.append(messages, lasting)
            for _ in batch:
                self._untold.popleft()

    def _miss(self, problem: str) -> None:
        if self.absent is None:
            log.warning("memory.not_shared", problem=problem)
        self.absent = f"memory of this process alone: {problem}"

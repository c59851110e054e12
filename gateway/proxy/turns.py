"""Whose transaction is inspected next: clients take turns at the engine, so that nobody waits behind a crowd of one."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from gateway.model.transaction import Client, Transaction
from gateway.pipeline import Judgement
from gateway.proxy.allowance import Allowances, limited

Judge = Callable[[Transaction, float], Awaitable[Judgement]]
"""`Pipeline.judge`: (transaction, deadline in monotonic seconds)."""
JudgeFor = Callable[[Transaction, Client, float], Awaitable[Judgement]]
"""The same, and the client that is charged for it."""


@dataclass(frozen=True, slots=True)
class TurnLimits:
    """Bounds of what is inspected at the same time."""

    slots: int = 4
    """heavy inspections at a time. One client gets all but one of them at most"""
    light_gas: int = 300_000
    """a transaction that may use no more runs at once: it ends within milliseconds whatever it does"""
    waiting_per_client: int = 64
    waiting: int = 2048


class Turns:
    """The way of every submission to the pipeline."""

    def __init__(
        self,
        judge: Judge,
        allowances: Allowances,
        limits: TurnLimits = TurnLimits(),
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._judge, self._allowances, self._limits, self._clock = judge, allowances, limits, clock
        self._most = max(limits.slots - 1, 1)
        self._running: Counter[str] = Counter()
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @property
    def waiting(self) -> int:
        """Submissions that wait for their turn."""
        return sum(map(len, self._waiting.values()))

    async def judge(self, transaction: Transaction, client: Client, deadline: float) -> Judgement:
        """`Pipeline.judge` when it is this client's turn, charged to its allowance.

        Raises:
            RpcError: the client owes for earlier inspections, or has too many of its transactions waiting.
        """
        self._allowances.inspection(client)
        async with self._turn(client.owner, transaction, deadline):
            # Those of the same client that went before may have spent what was left when this one began to wait.
            self._allowances.inspection(client)
            judgement = await self._judge(transaction, deadline)
        self._charge(client, judgement)
        return judgement

    def background(self, lane: str) -> JudgeFor:
        """`Pipeline.judge` for a task behind the edge, which takes turns with the clients like one of them.

        The time it waits for its turn does not count towards its deadline. What it costs is charged to the client: the
        slow lane is no way around the allowance. It is never refused for that; the client's next submission is.
        """

        async def judge(transaction: Transaction, client: Client, deadline: float) -> Judgement:
            seconds = deadline - self._clock()
            async with self._turn(lane, transaction, None):
                judgement = await self._judge(transaction, self._clock() + seconds)
            self._charge(client, judgement)
            return judgement

        return judge

    def _charge(self, client: Client, judgement: Judgement) -> None:
        gas = judgement.simulation.gas_used if judgement.simulation else judgement.transaction.gas_limit
        self._allowances.charge(client, _seconds(judgement), gas)

    @asynccontextmanager
    async def _turn(self, owner: str, transaction: Transaction, deadline: float | None) -> AsyncIterator[None]:
        if transaction.gas_limit <= self._limits.light_gas:
            yield
            return
        await self._enter(owner, deadline)
        try:
            yield
        finally:
            self._leave(owner)

    async def _enter(self, owner: str, deadline: float | None) -> None:
        """Wait for a slot. Past the deadline nothing is gained by waiting: the judgement then says so."""
        if not self._waiting and self._may_run(owner):
            self._running[owner] += 1
            return
        own = self._waiting.get(owner, ())
        if deadline is not None and (
            len(own) >= self._limits.waiting_per_client or self.waiting >= self._limits.waiting
        ):
            self._allowances.refusals["waiting"] += 1
            raise limited("waiting", "too many transactions wait to be inspected", max(deadline - self._clock(), 0.1))
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(owner, deque()).append(turn)
        self._grant()
        try:
            async with asyncio.timeout(None if deadline is None else max(deadline - self._clock(), 0.0)):
                await turn
        except TimeoutError:
            # The judgement is given without time to run in: over budget, which the policy has an answer for.
            if not turn.done() or turn.cancelled():
                self._drop(owner, turn)
                self._running[owner] += 1
        except BaseException:
            if turn.done() and not turn.cancelled():
                self._leave(owner)
            else:
                self._drop(owner, turn)
            raise

    def _leave(self, owner: str) -> None:
        self._running[owner] -= 1
        if not self._running[owner]:
            del self._running[owner]
        self._grant()

    def _may_run(self, owner: str) -> bool:
        return self._running.total() < self._limits.slots and self._running[owner] < self._most

    def _grant(self) -> None:
        """Give free slots to the waiting, one client after the other."""
        while (owner := next(filter(self._may_run, self._waiting), None)) is not None:
            turns = self._waiting[owner]
            turn = turns.popleft()
            if turns:
                self._waiting.move_to_end(owner)
            else:
                del self._waiting[owner]
            if not turn.done():
                self._running[owner] += 1
                turn.set_result(None)

    def _drop(self, owner: str, turn: asyncio.Future[None]) -> None:
        turns = self._waiting.get(owner)
        if turns is not None and turn in turns:
            turns.remove(turn)
            if not turns:
                del self._waiting[owner]


def _seconds(judgement: Judgement) -> float:
    """What an inspection cost in time; waiting for the chain's node is not the client's doing.

    Without a result nobody knows how long the engine worked: then the gas that it might have used is what is charged.
    """
    simulated = judgement.simulation.duration if judgement.simulation else 0.0
    return simulated + judgement.timings.get("inspect", 0.0)

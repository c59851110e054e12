"""py-evm behind the Simulator protocol, in a pool of processes that can be killed."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections import OrderedDict, deque
from multiprocessing.connection import Connection
from typing import Final

from gateway.errors import SimulationError, StateMissing, Unexecutable
from gateway.evm.local import own_world
from gateway.evm.py_evm import NAME
from gateway.evm.simulator import ADMISSION, Checks, Limits, World
from gateway.evm.worker import Answer, Failure, Job, Refusal
from gateway.evm.world import LayeredWorld
from gateway.model.block import BlockContext
from gateway.model.chain import ChainProfile
from gateway.model.state import StateKeys
from gateway.model.trace import SimulationResult
from gateway.model.transaction import Transaction

_START_SECONDS: Final = 60.0
"""a worker that has not said it is ready by then is given up"""
_DELIVERY_SECONDS: Final = 0.25
"""for packing and sending what a truncated run saw"""
_CACHED_ENTRIES: Final = 1_000_000
"""accounts and slots one worker keeps between runs"""


class PyEvmPool:
    """py-evm in warm processes. One that overruns its wall clock is killed and replaced.

    Bound to the event loop of the first `simulate` or `start`. A caller that goes away leaves its run to finish
    (or to be killed) in peace.
    """

    name = NAME

    def __init__(
        self, profile: ChainProfile | None = None, *, size: int | None = None, runs_per_worker: int = 5_000
    ) -> None:
        """`size` is the number of processes, by default one less than the cores; each lives `runs_per_worker`."""
        self._p256 = profile is not None and profile.p256
        self._size = size or max(1, (os.cpu_count() or 2) - 1)
        self._runs_per_worker = runs_per_worker
        self._workers: set[_Worker] = set()
        self._idle: list[_Worker] = []
        self._waiting: deque[asyncio.Future[_Worker]] = deque()
        self._closed = False
        self.killed = 0
        """workers killed at their deadline so far"""

    def world(self, *, complete: bool = False) -> LayeredWorld:
        """An empty world."""
        return LayeredWorld(complete=complete)

    async def start(self) -> None:
        """Start all workers and wait until they are warm (about two seconds).

        Raises:
            SimulationError: a worker ended or stayed silent while it started.
        """
        self._fill()
        await asyncio.gather(*[worker.ready for worker in list(self._workers)])

    async def simulate(
        self,
        world: World,
        transaction: Transaction,
        block: BlockContext,
        *,
        limits: Limits = Limits(),
        checks: Checks = ADMISSION,
    ) -> SimulationResult:
        """As the protocol says. The wall clock begins when a worker is free, not while the run queues."""
        layers = own_world(world)
        worker = await self._acquire()
        outcome = await worker.run(layers, transaction, block, limits, checks, self._p256)
        if isinstance(outcome, SimulationResult):
            return outcome
        if isinstance(outcome, StateKeys):
            raise StateMissing(outcome)
        if isinstance(outcome, Refusal):
            raise Unexecutable(outcome.reason, outcome.detail)
        raise SimulationError(f"py-evm failed on {transaction.hash}: {outcome.text}")

    async def close(self) -> None:
        """Kill all workers; runs under way fail with SimulationError."""
        self._closed = True
        for worker in list(self._workers):
            worker.stop("the pool was closed")
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_exception(SimulationError("the pool of py-evm workers was closed"))
        self._waiting.clear()

    async def _acquire(self) -> _Worker:
        if self._closed:
            raise SimulationError("the pool of py-evm workers is closed")
        self._fill()
        if self._idle:
            return self._idle.pop()  # the one used last has the warmest caches
        waiter: asyncio.Future[_Worker] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._offer(waiter.result())
            raise

    def _fill(self) -> None:
        while len(self._workers) < self._size and not self._closed:
            self._workers.add(_Worker(self))

    def _offer(self, worker: _Worker) -> None:
        """A worker is free."""
        if worker.retired:
            worker.stop("recycled")
            return
        if worker.runs >= self._runs_per_worker and worker.successor is None and not self._closed:
            worker.successor = _Worker(self, replaces=worker)
            self._workers.add(worker.successor)
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(worker)
                return
        self._idle.append(worker)

    def _retire(self, worker: _Worker) -> None:
        """Its successor is warm: stop it now, or when its run is over."""
        worker.retired = True
        if worker in self._idle:
            worker.stop("recycled")

    def _lost(self, worker: _Worker, why: str, *, was_ready: bool) -> None:
        """A worker is gone; replace it, unless it never came up: then whoever waits is told."""
        self._workers.discard(worker)
        if worker in self._idle:
            self._idle.remove(worker)
        if was_ready:
            self._fill()
        elif not self._workers:
            while self._waiting:
                waiter = self._waiting.popleft()
                if not waiter.done():
                    waiter.set_exception(SimulationError(f"no py-evm worker could be started: {why}"))


class _Worker:
    """The parent's end of one process."""

    def __init__(self, pool: PyEvmPool, *, replaces: _Worker | None = None) -> None:
        self._pool = pool
        self._replaces = replaces
        self.successor: _Worker | None = None
        self.retired = False
        self._loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-m", "gateway.evm.worker", str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
            )
        self._connection = Connection(ours.detach())
        self._descriptor = self._connection.fileno()
        self._known: OrderedDict[int, int] = OrderedDict()
        self._answer: asyncio.Future[Answer] | None = None
        self.ready: asyncio.Future[None] = self._loop.create_future()
        self.ready.add_done_callback(_seen)
        self.runs = 0
        self._stopped = False
        self._loop.add_reader(self._descriptor, self._receive)
        # uvloop makes what it watches non-blocking; an answer larger than the socket's buffer is read by waiting.
        os.set_blocking(self._descriptor, True)
        self._timer = self._loop.call_later(_START_SECONDS, self.stop, f"it was not ready after {_START_SECONDS:.0f} s")

    async def run(
        self,
        world: LayeredWorld,
        transaction: Transaction,
        block: BlockContext,
        limits: Limits,
        checks: Checks,
        p256: bool,
    ) -> Answer:
        """Send one job and wait; at the deadline the process is killed."""
        segments = world.freeze()
        new = tuple([segment for segment in segments if segment.id not in self._known])
        for segment in segments:
            self._known[segment.id] = segment.size
            self._known.move_to_end(segment.id)
        numbers = tuple([segment.id for segment in segments])
        job = Job(numbers, new, self._evicted(set(numbers)), world.complete, transaction, block, limits, checks, p256)
        answer: asyncio.Future[Answer] = self._loop.create_future()
        self._answer = answer
        # The worker stops itself at the limit; this is for what its clock cannot interrupt.
        hard_limit = limits.wall_clock * 1.2 + _DELIVERY_SECONDS
        self._timer = self._loop.call_later(hard_limit, self._overdue, limits.wall_clock)
        self.runs += 1
        try:
            self._connection.send(job)
        except OSError as error:
            self.stop(f"it ended: {error}")
        return await asyncio.shield(answer)

    def _evicted(self, in_use: set[int]) -> tuple[int, ...]:
        total = sum(self._known.values())
        evicted = []
        for number in list(self._known):
            if total <= _CACHED_ENTRIES:
                break
            if number not in in_use:
                total -= self._known.pop(number)
                evicted.append(number)
        return tuple(evicted)

    def _overdue(self, wall_clock: float) -> None:
        self._pool.killed += 1
        self.stop(f"it did not stop at its limit of {wall_clock} s and was killed")

    def _receive(self) -> None:
        try:
            message = self._connection.recv()
        except Exception as error:
            # whatever the pipe holds, this worker is lost and its caller is told; the loop must go on
            self.stop(f"it ended or answered nonsense ({type(error).__name__}: {error})")
            return
        self._timer.cancel()
        if not self.ready.done():
            self.ready.set_result(None)
            if self._replaces is not None:
                self._pool._retire(self._replaces)
                self._replaces = None
        elif self._answer is not None:
            if not self._answer.done():
                self._answer.set_result(message)
            self._answer = None
        self._pool._offer(self)

    def stop(self, why: str) -> None:
        """Kill the process and tell whoever waits for it; idempotent."""
        if self._stopped:
            return
        self._stopped = True
        self._timer.cancel()
        self._loop.remove_reader(self._descriptor)
        self._process.kill()
        self._process.wait()
        self._connection.close()
        was_ready = self.ready.done()
        if not was_ready:
            self.ready.set_exception(SimulationError(f"a py-evm worker could not be started: {why}"))
            if self._replaces is not None:
                self._replaces.successor = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(Failure(f"the worker was lost: {why}"))
        self._pool._lost(self, why, was_ready=was_ready)


def _seen(ready: asyncio.Future[None]) -> None:
    """A worker that nobody awaited may fail to start: its error reaches those who wait for the pool."""
    if not ready.cancelled():
        ready.exception()

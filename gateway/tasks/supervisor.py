"""Runs the gateway's endless tasks: one that fails is logged, counted and started again, ever more slowly."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

from gateway.telemetry import Metrics

log = structlog.get_logger()

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0
_CANCEL_AGAIN = 0.5
_CALM = 60.0
"""A task that ran this long without failing starts again at the shortest pause."""


class Supervisor:
    """Starts tasks in a group and keeps them running until it is stopped."""

    def __init__(self, group: asyncio.TaskGroup, metrics: Metrics) -> None:
        self._group, self._metrics = group, metrics
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, name: str, run: Callable[[], Awaitable[object]]) -> None:
        """Run `run()` for ever under `name`; a normal return ends it."""
        self._metrics.task_failures.labels(name)  # at zero from the start, so that the first failure is an increase
        self._tasks.append(self._group.create_task(self._keep(name, run), name=name))

    def stop(self) -> None:
        """Cancel every task; the group then ends.

        Repeated until all have ended: a client that waits for a socket may take a cancellation for a lost connection.
        """
        left = [task for task in self._tasks if not task.done()]
        for task in left:
            task.cancel()
        if left:
            asyncio.get_running_loop().call_later(_CANCEL_AGAIN, self.stop)

    async def _keep(self, name: str, run: Callable[[], Awaitable[object]]) -> None:
        pause = _FIRST_PAUSE
        while True:
            began = time.monotonic()
            try:
                await run()
            except Exception:
                # Whatever it was, the gateway goes on without this task only for the length of a pause.
                self._metrics.task_failures.labels(name).inc()
                log.exception("task.failed", task=name)
            else:
                return
            pause = _FIRST_PAUSE if time.monotonic() - began > _CALM else min(pause * 2, _LONGEST_PAUSE)
            await asyncio.sleep(pause)

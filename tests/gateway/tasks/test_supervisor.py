from __future__ import annotations

import asyncio

from gateway.tasks.supervisor import Supervisor
from gateway.telemetry import Metrics


async def test_a_task_that_takes_a_cancellation_for_something_else_ends_all_the_same() -> None:
    waiting = asyncio.Event()

    async def stubborn() -> None:
        try:
            waiting.set()
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(60)

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        supervisor = Supervisor(group, Metrics())
        supervisor.start("stubborn", stubborn)
        await waiting.wait()
        supervisor.stop()

"""Carries out the runs that analysts ask for. Whatever comes out is written down; nothing follows from it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from gateway.errors import InvalidTransaction, RecordUnavailable, SimulationError, UpstreamError
from gateway.model.casework import BlockChanges, CaseRun
from gateway.model.quarantine import QuarantineEntry
from gateway.pipeline import Judgement
from gateway.store.casework.runs import Runs
from gateway.store.quarantine import Record

log = structlog.get_logger()

Rehearse = Callable[[QuarantineEntry, BlockChanges], Awaitable[Judgement]]
"""Judges a case in a changed block. Raises InvalidTransaction, SimulationError, UpstreamError."""

POLL_SECONDS = 0.3


class Rerunner:
    """Works on runs for ever, one after the other: the hot path goes first. Any number of replicas may run one."""

    def __init__(self, runs: Runs, record: Record, rehearse: Rehearse) -> None:
        self._runs, self._record, self._rehearse = runs, record, rehearse

    async def run(self) -> None:
        """Until cancelled. A database that is away is waited for."""
        while True:
            try:
                await self.once()
            except RecordUnavailable as error:
                log.warning("run.record_unavailable", error=str(error))
            await asyncio.sleep(POLL_SECONDS)

    async def once(self) -> int:
        """Carry out what waits; gives how many there were."""
        taken = await self._runs.take(1)
        for run in taken:
            await self._carry(run)
        return len(taken)

    async def _carry(self, run: CaseRun) -> None:
        entry = await self._record.case(run.case_id)
        if entry is None:
            await self._runs.fail(run, "there is no such case")
            return
        try:
            judgement = await self._rehearse(entry, run.changes)
        except InvalidTransaction as error:
            await self._runs.fail(run, f"It cannot be executed now: {error}")
        except (SimulationError, UpstreamError) as error:
            await self._runs.fail(run, f"It could not be run: {error}")
        else:
            await self._runs.finish(run, judgement.verdict, judgement.detail)
        log.info("run.finished", case=run.case_id, run=run.id, asked_by=run.asked_by)

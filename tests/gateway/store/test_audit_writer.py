from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from gateway.errors import RecordUnavailable
from gateway.model.case import SubmissionNote
from gateway.store.audit import AuditLog
from gateway.store.audit_writer import AuditWriter
from gateway.store.cases.record import SqlRecord
from gateway.store.database import Database
from tests.cases import NOON, note


class Flaky:
    """A record that is away for the first calls."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.groups: list[Sequence[SubmissionNote]] = []

    async def note(self, notes: Sequence[SubmissionNote]) -> None:
        if self.failures:
            self.failures -= 1
            raise RecordUnavailable("away")
        self.groups.append(notes)


@asynccontextmanager
async def running(writer: AuditWriter):
    task = asyncio.ensure_future(writer.run())
    yield
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_notes_become_durable_in_groups(record: SqlRecord, database: Database) -> None:
    writer = AuditWriter(record)
    async with running(writer):
        for number in range(1200):
            writer.add(note(number))
        async with asyncio.timeout(10):
            await writer.flush()
    assert writer.pending == 0
    lines = await AuditLog(database).records()
    assert [line.detail["count"] for line in lines] == [500, 500, 200]


async def test_a_record_that_is_away_delays_but_loses_nothing() -> None:
    flaky = Flaky(failures=2)
    writer = AuditWriter(flaky)
    async with running(writer):
        writer.add(note(1))
        await asyncio.sleep(0.02)
        writer.add(note(2))
        assert writer.pending == 2
        assert writer.lag(NOON + timedelta(seconds=3)) == timedelta(seconds=3)
        async with asyncio.timeout(5):
            await writer.flush()
    assert [[n.nonce for n in group] for group in flaky.groups] == [[1], [2]], "the failed group was offered unchanged"
    assert writer.lag(NOON) == timedelta(0)


async def test_when_too_many_wait_it_says_so() -> None:
    writer = AuditWriter(Flaky(), limit=2)
    writer.add(note(1))
    writer.add(note(2))
    with pytest.raises(RecordUnavailable, match="away too long"):
        writer.add(note(3))
    assert writer.pending == 2

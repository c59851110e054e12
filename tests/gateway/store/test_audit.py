from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest
from sqlalchemy import text

from gateway.model.audit import AuditKind
from gateway.model.case import ChainBreak, ChainHead, Decision
from gateway.model.quarantine import CaseState
from gateway.store.audit import GENESIS, AuditLog, canonical_json, record_hash
from gateway.store.cases.record import SqlRecord
from gateway.store.database import Database
from tests.cases import NOON, detail, entry, note


@pytest.fixture
async def log(record: SqlRecord, database: Database) -> AuditLog:
    """Six links: two holds, a decision, a group of three submissions, a sign-in, a single submission."""
    await record.hold(entry(1), detail(1))
    await record.hold(entry(2), detail(2))
    await record.decide("case-1", Decision(CaseState.RELEASED, "ann", "fine"))
    await record.note([note(10), note(11), note(12)])
    log = AuditLog(database)
    await log.record(AuditKind.SIGN_IN, "ann", "ann", {"ok": True}, NOON)
    await record.note([note(13)])
    return log


async def edit(database: Database, statement: str) -> None:
    async with database.write() as session:
        await session.execute(text(statement))


async def test_an_untouched_chain_holds(log: AuditLog) -> None:
    head = await log.head()
    assert await log.verify() == head
    assert await log.verify(head) == head
    assert head.sequence == 6


async def test_an_empty_chain_holds(database: Database) -> None:
    assert await AuditLog(database).verify() == ChainHead(0, GENESIS)


@pytest.mark.parametrize(
    ("statement", "sequence", "problem"),
    [
        ("UPDATE audit SET detail = '{}' WHERE sequence = 3", 3, "edited"),
        ("UPDATE audit SET actor = 'bob' WHERE sequence = 3", 3, "edited"),
        ("UPDATE audit SET previous_hash = hash WHERE sequence = 2", 2, "does not name the hash"),
        ("DELETE FROM audit WHERE sequence = 2", 2, "missing"),
        ("DELETE FROM audit WHERE sequence = 6", 6, "end of the chain is missing"),
        ("UPDATE submissions SET document = replace(document, 'clean', 'dirty') WHERE id = 2", 4, "was edited"),
        ("DELETE FROM submissions WHERE id = 2", 4, "2 are there"),
        ("UPDATE case_details SET data = raw FROM cases WHERE case_details.case_id = 'case-2'", 2, "was edited"),
        ("DELETE FROM case_details WHERE case_id = 'case-2'", 2, "is missing"),
    ],
)
async def test_the_first_break_is_named(
    log: AuditLog, database: Database, statement: str, sequence: int, problem: str
) -> None:
    await edit(database, statement)
    broken = await log.verify()
    assert isinstance(broken, ChainBreak)
    assert problem in broken.problem
    assert broken.sequence == sequence


async def test_a_kept_head_shows_a_chain_that_was_cut_and_mended(log: AuditLog, database: Database) -> None:
    kept = await log.head()
    await edit(database, "DELETE FROM submissions WHERE audit_sequence = 6")
    await edit(database, "DELETE FROM audit WHERE sequence = 6")
    await edit(
        database,
        "UPDATE audit_head SET sequence = 5, hash = (SELECT hash FROM audit WHERE sequence = 5)",
    )
    assert isinstance(await log.verify(), ChainHead), "in itself it looks whole"
    broken = await log.verify(kept)
    assert isinstance(broken, ChainBreak)
    assert "kept head" in broken.problem


async def test_a_kept_head_shows_a_rewritten_chain(log: AuditLog) -> None:
    broken = await log.verify(ChainHead(3, bytes(32)))
    assert isinstance(broken, ChainBreak)
    assert (broken.sequence, "rewritten" in broken.problem) == (3, True)


async def test_concurrent_writers_make_one_chain(record: SqlRecord, database: Database, database_url: str) -> None:
    other_database = Database(database_url)
    other = SqlRecord(other_database)
    await asyncio.gather(*((record if i % 2 else other).note([note(i)]) for i in range(30)))
    await other_database.close()
    head = await AuditLog(database).verify()
    assert isinstance(head, ChainHead)
    assert head.sequence == 30


async def test_the_export_can_be_verified_without_us(log: AuditLog) -> None:
    previous = bytes(32)
    lines = [json.loads(line) async for line in log.export()]
    for number, line in enumerate(lines, 1):
        assert (line["sequence"], line["previous_hash"]) == (number, previous.hex())
        previous = bytes.fromhex(line["hash"])
    assert [len(line.get("submissions", ())) for line in lines] == [0, 0, 0, 3, 0, 1]


async def test_records_by_page_and_filter(log: AuditLog) -> None:
    assert [line.sequence for line in await log.records(after=2, limit=2)] == [3, 4]
    assert [line.sequence for line in await log.records(newest_first=True, limit=2)] == [6, 5]
    assert [line.sequence for line in await log.records(newest_first=True, after=5, limit=2)] == [4, 3]
    assert [line.sequence for line in await log.records(subject="case-1")] == [1, 3]
    assert [line.sequence for line in await log.records(actor="ann")] == [3, 5]
    (sign_in,) = await log.records(kind=AuditKind.SIGN_IN)
    assert (sign_in.detail, sign_in.at) == ({"ok": True}, NOON)


def test_the_hash_covers_everything_and_no_time_zone_changes_it() -> None:
    parts = (1, "decision", NOON, "ann", "case-1", canonical_json({"b": 1, "a": 2}), bytes(32))
    base = record_hash(*parts)
    for index, other in enumerate((2, "forward", NOON + timedelta(1), "bob", "case-2", "{}", b"\x01" * 32)):
        assert record_hash(*parts[:index], other, *parts[index + 1 :]) != base
    assert canonical_json({"b": 1, "a": "é"}) == '{"a":"\\u00e9","b":1}'

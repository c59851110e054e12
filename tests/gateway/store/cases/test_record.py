from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from gateway.model.audit import AuditKind
from gateway.model.case import Conflict, Decision, OutboxOutcome
from gateway.model.finding import finding_key
from gateway.model.quarantine import FINAL, TRANSITIONS, WAITING, CaseState, PublicStatus, QuarantineEntry
from gateway.model.transaction import Client
from gateway.model.verdict import Action, ReasonClass
from gateway.store.audit import AuditLog
from gateway.store.cases.record import SqlRecord
from gateway.store.database import Database
from tests.cases import CLEAN, NOON, Clock, detail, entry, finding, note, raw, verdict

RELEASE = Decision(CaseState.RELEASED, "ann", "a known arbitrage bot")
REJECT = Decision(CaseState.REJECTED, "bob", "a drain")


async def held(record: SqlRecord, number: int = 1, **parts: object) -> QuarantineEntry:
    return await record.hold(entry(number, **parts), detail(number))


def is_entry(answer: QuarantineEntry | Conflict) -> QuarantineEntry:
    assert isinstance(answer, QuarantineEntry), str(answer)
    return answer


async def test_a_held_case_is_found_by_everything(record: SqlRecord) -> None:
    case = await held(record)
    assert (case.version, len(case.group)) == (1, 16)
    assert await record.by_hash(raw(1).hash) == case
    assert await record.case("case-1") == case
    assert await record.by_sender(case.sender, WAITING) == [case]
    assert await record.by_sender(case.sender, {CaseState.PARKED}) == []
    assert case.value == 2**256 - 1
    stored = await record.detail("case-1")
    assert stored is not None
    assert stored.transaction == detail().transaction
    assert await record.counts() == {CaseState.HELD: 1}
    assert await record.case("case-2") is None
    assert await record.by_hash(raw(2).hash) is None
    assert await record.detail("case-2") is None


async def test_holding_the_same_hash_again_gives_the_first_case(record: SqlRecord, database: Database) -> None:
    first = await held(record)
    again = await record.hold(entry(1, case_id="another"), detail())
    assert again == first
    assert (await AuditLog(database).head()).sequence == 1, "nothing was written"


async def test_replicas_that_race_to_hold_get_one_case(record: SqlRecord, database_url: str) -> None:
    other_database = Database(database_url)
    other = SqlRecord(other_database)
    try:
        cases = await asyncio.gather(
            *(which.hold(entry(1, case_id=f"c{i}"), detail()) for i, which in enumerate([record, other] * 8))
        )
    finally:
        await other_database.close()
    assert len({case.case_id for case in cases}) == 1
    assert await record.counts() == {CaseState.HELD: 1}


async def test_two_analysts_one_wins(record: SqlRecord, database_url: str) -> None:
    await held(record)
    other_database = Database(database_url)
    other = SqlRecord(other_database)
    try:
        answers = await asyncio.gather(
            *((record if i % 2 else other).decide("case-1", RELEASE if i % 2 else REJECT) for i in range(10))
        )
    finally:
        await other_database.close()
    won = [answer for answer in answers if isinstance(answer, QuarantineEntry)]
    lost = [answer for answer in answers if isinstance(answer, Conflict)]
    assert len(won) == 1
    assert {(answer.state, answer.decided_by) for answer in lost} == {(won[0].state, won[0].decided_by)}
    assert len(await record.history("case-1")) == 2
    assert len(await record.outbox_take()) == (1 if won[0].state is CaseState.RELEASED else 0)


async def test_a_release_writes_its_intent_and_a_rejection_none(record: SqlRecord, clock: Clock) -> None:
    await held(record, 1)
    await held(record, 2)
    clock.forward(minutes=5)
    released = is_entry(await record.decide("case-1", RELEASE))
    rejected = is_entry(await record.decide("case-2", REJECT))
    assert (released.decided_by, released.decided_at, released.version) == ("ann", clock(), 2)
    assert rejected.state is CaseState.REJECTED
    (item,) = await record.outbox_take()
    assert item.entry == released
    assert item.seen_findings == frozenset(map(finding_key, released.verdict.report.findings))
    assert (item.attempts, item.send_started_at) == (1, None)


@pytest.mark.parametrize(
    ("decision", "problem"),
    [
        (Decision(CaseState.RELEASED, "ann", "  "), "reason"),
        (Decision(CaseState.EXPIRED, "ann", "old"), "releases or rejects"),
        (Decision(CaseState.RELEASED, "ann", "fine", second_actor="ann"), "second person"),
    ],
)
async def test_a_decision_must_be_sound(record: SqlRecord, decision: Decision, problem: str) -> None:
    await held(record)
    with pytest.raises(ValueError, match=problem):
        await record.decide("case-1", decision)
    assert await record.counts() == {CaseState.HELD: 1}


async def test_deciding_a_case_that_does_not_exist(record: SqlRecord) -> None:
    assert await record.decide("none", RELEASE) == Conflict("none", None, None, CaseState.RELEASED)


async def test_no_step_that_the_table_forbids(record: SqlRecord) -> None:
    for state, targets in TRANSITIONS.items():
        for target in set(CaseState) - targets:
            with pytest.raises(ValueError, match="no case may go"):
                await record.move("case-1", {state}, target, "gateway", "because")


async def test_a_final_state_is_never_left(record: SqlRecord) -> None:
    await held(record)
    await record.move("case-1", WAITING, CaseState.EXPIRED, "gateway", "out of time")
    for answer in (
        await record.decide("case-1", RELEASE),
        await record.decide("case-1", REJECT),
        await record.move("case-1", WAITING, CaseState.SUPERSEDED, "gateway", "x"),
        await record.extend("case-1", NOON + timedelta(days=1), "ann", "more time"),
        await record.assign("case-1", "ann", "ann", expected=None),
        await record.mark_forwarded("case-1", "gateway", "x"),
    ):
        assert isinstance(answer, Conflict)
        assert answer.state is CaseState.EXPIRED
    assert CaseState.EXPIRED in FINAL


async def test_a_deferred_case_finished_clean_goes_to_the_outbox(record: SqlRecord) -> None:
    await held(record, state=CaseState.DEFERRED)
    moved = is_entry(
        await record.move("case-1", {CaseState.DEFERRED}, CaseState.RELEASED, "gateway", "clean", verdict=CLEAN)
    )
    assert moved.verdict.clause == "clean"
    (item,) = await record.outbox_take()
    assert item.seen_findings == frozenset(map(finding_key, CLEAN.report.findings))


async def test_a_newer_inspection_replaces_verdict_and_adds_a_detail(record: SqlRecord) -> None:
    await held(record, state=CaseState.DEFERRED)
    newer = detail(1, timings={"simulate": 9.0})
    later = NOON + timedelta(hours=9)
    moved = is_entry(
        await record.move(
            "case-1",
            {CaseState.DEFERRED},
            CaseState.HELD,
            "gateway",
            "price manipulation",
            verdict=verdict(finding("price-manipulation"), clause="high"),
            detail=newer,
            expires_at=later,
        )
    )
    assert (moved.verdict.clause, moved.expires_at, moved.decided_by) == ("high", later, None)
    last, first = await record.detail("case-1"), await record.detail("case-1", revision=1)
    assert last is not None
    assert first is not None
    assert last.timings == {"simulate": 9.0} != first.timings
    steps = await record.history("case-1")
    assert [(step.from_state, step.to_state) for step in steps] == [
        (None, CaseState.DEFERRED),
        (CaseState.DEFERRED, CaseState.HELD),
    ]


async def test_a_lease_belongs_to_one_releaser(record: SqlRecord, clock: Clock) -> None:
    await held(record)
    await record.decide("case-1", RELEASE)
    (mine,) = await record.outbox_take(lease=timedelta(seconds=30))
    assert await record.outbox_take() == ()
    assert await record.outbox_sending(mine)
    clock.forward(seconds=31)
    assert not await record.outbox_sending(mine), "the lease is over"
    (theirs,) = await record.outbox_take()
    assert (theirs.attempts, theirs.send_started_at) == (2, NOON), "the second knows that the first began to send"
    assert isinstance(await record.outbox_settle(mine, OutboxOutcome.SENT, "late"), Conflict)
    assert is_entry(await record.outbox_settle(theirs, OutboxOutcome.SENT, "taken")).state is CaseState.FORWARDED
    assert isinstance(await record.outbox_settle(theirs, OutboxOutcome.SENT, "again"), Conflict)


async def test_replicas_never_take_the_same_intent(record: SqlRecord, database_url: str, clock: Clock) -> None:
    for number in range(12):
        await held(record, number)
        await record.decide(f"case-{number}", RELEASE)
    other_database = Database(database_url)
    other = SqlRecord(other_database, now=clock)
    try:
        taken = await asyncio.gather(*((record if i % 2 else other).outbox_take(2) for i in range(8)))
    finally:
        await other_database.close()
    ids = [item.id for items in taken for item in items]
    assert sorted(ids) == sorted(set(ids))
    assert len(ids) == 12


async def test_a_deferred_intent_waits(record: SqlRecord, clock: Clock) -> None:
    await held(record)
    await record.decide("case-1", RELEASE)
    (item,) = await record.outbox_take()
    await record.outbox_defer(item, NOON + timedelta(minutes=1), "upstream is away")
    clock.forward(seconds=59)
    assert await record.outbox_take() == ()
    clock.forward(seconds=1)
    assert len(await record.outbox_take()) == 1


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (OutboxOutcome.SENT, CaseState.FORWARDED),
        (OutboxOutcome.REOPENED, CaseState.HELD),
        (OutboxOutcome.SUPERSEDED, CaseState.SUPERSEDED),
        (OutboxOutcome.REFUSED, CaseState.REJECTED),
    ],
)
async def test_settling_moves_the_case(record: SqlRecord, outcome: OutboxOutcome, state: CaseState) -> None:
    await held(record)
    await record.decide("case-1", RELEASE)
    (item,) = await record.outbox_take()
    case = is_entry(await record.outbox_settle(item, outcome, "because"))
    assert case.state is state
    assert (await record.history("case-1"))[-1].reason == "because"
    if outcome is OutboxOutcome.SENT:
        assert case.decided_by == "ann", "forwarding carries out the decision of the analyst"
    if outcome is OutboxOutcome.REOPENED:
        assert case.decided_by is None
        assert isinstance(await record.decide("case-1", RELEASE), QuarantineEntry), "it can be released again"
        assert len(await record.outbox_take()) == 1


async def test_leaving_released_withdraws_the_intent(record: SqlRecord) -> None:
    await held(record)
    await record.decide("case-1", RELEASE)
    await record.move("case-1", {CaseState.RELEASED}, CaseState.SUPERSEDED, "gateway", "nonce used")
    assert await record.outbox_take() == ()


async def test_marking_forwarded_closes_the_intent_and_is_idempotent(record: SqlRecord) -> None:
    await held(record)
    await record.decide("case-1", RELEASE)
    first = is_entry(await record.mark_forwarded("case-1", "gateway", "seen in a block"))
    assert first == await record.mark_forwarded("case-1", "gateway", "seen again")
    assert await record.outbox_take() == ()


async def test_claim_hand_over_and_extend(record: SqlRecord, database: Database) -> None:
    await held(record)
    assert is_entry(await record.assign("case-1", "ann", "ann", expected=None)).assigned_to == "ann"
    late = await record.assign("case-1", "bob", "bob", expected=None)
    assert isinstance(late, Conflict)
    assert late.decided_by == "ann"
    assert is_entry(await record.assign("case-1", "bob", "ann", expected="ann")).assigned_to == "bob"
    later = NOON + timedelta(hours=12)
    extended = is_entry(await record.extend("case-1", later, "bob", "waiting for the protocol"))
    assert (extended.expires_at, extended.version) == (later, 4)
    steps = [line.detail["step"] for line in await AuditLog(database).records()]
    assert steps == ["hold", "assign", "assign", "extend"]


async def test_due_names_waiting_cases_whose_time_is_over(record: SqlRecord) -> None:
    for number, minutes in ((1, 10), (2, 5), (3, 90)):
        await held(record, number, expires_at=NOON + timedelta(minutes=minutes))
    await held(record, 4, expires_at=NOON)
    await record.decide("case-4", REJECT)
    due = await record.due(NOON + timedelta(hours=1))
    assert [case.case_id for case in due] == ["case-2", "case-1"]


async def test_public_status(record: SqlRecord) -> None:
    await held(record, 1)
    await record.note([note(2), note(3, Action.REJECT)])
    waiting = await record.status(raw(1).hash)
    assert (waiting.status, waiting.case_id, waiting.reason_class, waiting.expires_at) == (
        PublicStatus.HELD,
        "case-1",
        ReasonClass.SECURITY_REVIEW,
        NOON + timedelta(hours=6),
    )
    assert (await record.status(raw(2).hash)).status is PublicStatus.FORWARDED
    assert (await record.status(raw(3).hash)).status is PublicStatus.REJECTED
    assert (await record.status(raw(4).hash)).status is PublicStatus.UNKNOWN
    await record.decide("case-1", REJECT)
    decided = await record.status(raw(1).hash)
    assert (decided.status, decided.expires_at) == (PublicStatus.REJECTED, None)


async def test_the_same_group_of_notes_is_recorded_once(record: SqlRecord, database: Database) -> None:
    await record.note([note(1), note(2)])
    await record.note([note(1), note(2)])
    await record.note([])
    assert (await AuditLog(database).head()).sequence == 1
    (line,) = await AuditLog(database).records(kind=AuditKind.SUBMISSION)
    assert line.detail["count"] == 2


async def test_what_waits_of_a_client_is_counted_by_key_or_else_by_address(record: SqlRecord) -> None:
    keyed, plain = Client("192.0.2.1", "partner"), Client("192.0.2.1")
    await held(record, 1, client=keyed)
    await held(record, 2, client=Client("192.0.2.9", "partner"), state=CaseState.PARKED)
    await held(record, 3, client=plain, state=CaseState.DEFERRED)
    await held(record, 4, client=plain)
    await record.decide("case-4", REJECT)
    assert [await record.waiting_of(client) for client in (keyed, plain, Client("192.0.2.9"))] == [2, 1, 0]


async def test_a_release_whose_bytes_may_have_left_is_not_superseded(record: SqlRecord) -> None:
    for number, first in ((1, "sending"), (2, "superseding"), (3, "both"), (4, "both"), (5, "both")):
        case = f"case-{number}"
        await held(record, number)
        is_entry(await record.decide(case, RELEASE))
        (item,) = await record.outbox_take()

        async def supersede(case: str = case) -> bool:
            moved = await record.move(case, {CaseState.RELEASED}, CaseState.SUPERSEDED, "gateway", "replaced")
            return isinstance(moved, QuarantineEntry)

        if first == "sending":
            assert await record.outbox_sending(item)
            assert not await supersede()
            sent = True
        elif first == "superseding":
            assert await supersede()
            assert not await record.outbox_sending(item)
            sent = False
        else:
            sent, superseded = await asyncio.gather(record.outbox_sending(item), supersede())
            assert sent != superseded, "exactly one of the two"
        outcome = await record.outbox_settle(item, OutboxOutcome.SENT, "forwarded after release")
        assert isinstance(outcome, QuarantineEntry) == sent
        final = await record.case(case)
        assert final is not None
        assert final.state is (CaseState.FORWARDED if sent else CaseState.SUPERSEDED)
        assert list(await record.outbox_take()) == []

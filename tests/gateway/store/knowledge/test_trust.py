from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from gateway.model.account import Mark
from gateway.store.audit import AuditLog
from gateway.store.cases.record import SqlRecord
from gateway.store.casework.desk import Desk
from gateway.store.database import Database
from gateway.store.knowledge.trust import Clean, TrustBook
from tests.cases import NOON, ROUTER, SENDER, Clock, detail, entry
from tests.makers import account


@pytest.fixture
def book(database: Database, clock: Clock) -> TrustBook:
    return TrustBook(database, now=clock)


def line(**parts: Any) -> dict[str, Any]:
    return {"author": "lead", "reason": "our keeper", "expires_at": NOON + timedelta(days=30), **parts}


async def test_a_line_is_written_read_and_withdrawn_and_each_change_is_audited(
    book: TrustBook, database: Database, clock: Clock
) -> None:
    nothing = await book.version()
    number = await book.add(**line(sender=SENDER, contract=ROUTER, selector=b"\x12\x34\x56\x78", detector="mass-drain"))
    (found,) = await book.entries()
    assert (found.id, found.sender, found.contract, found.selector) == (number, SENDER, ROUTER, b"\x12\x34\x56\x78")
    assert "findings of mass-drain" in found.scope
    written = await book.version()
    assert written != nothing
    assert await book.withdraw(number, "lead", "the keeper moved")
    assert not await book.withdraw(number, "lead", "again")
    assert await book.version() != written
    assert await book.entries() == []
    (ended,) = await book.entries(ended=True)
    assert ended.ended_by == "lead"
    steps = [link.detail["step"] for link in await AuditLog(database).records(subject=f"trust:{number}")]
    assert steps == ["trust added", "trust withdrawn"]
    await book.add(**line(contract=ROUTER))
    clock.forward(days=31)
    assert await book.entries() == []


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({}, "names a sender"),
        ({"sender": SENDER, "selector": b"abcd"}, "beside a contract"),
        ({"contract": ROUTER, "selector": b"abc"}, "four bytes"),
        ({"sender": SENDER, "reason": " "}, "needs a reason"),
        ({"sender": SENDER, "expires_at": NOON}, "in the future"),
    ],
)
async def test_a_careless_line_is_refused(book: TrustBook, parts: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        await book.add(**line(**parts))
    assert await book.entries(ended=True) == []


async def test_a_contract_becomes_a_public_place_by_many_senders_and_time(book: TrustBook, clock: Clock) -> None:
    senders = {account(number) for number in range(15)}
    await book.count_clean({ROUTER: Clean(40, senders)})
    await book.count_clean({ROUTER: Clean(20, senders), SENDER: Clean(20)})
    known = await book.reputation(ROUTER)
    assert known is not None
    assert (known.clean, known.senders, known.standing) == (60, 15, "unproven")
    clock.forward(days=2)
    await book.count_clean({ROUTER: Clean(20, {account(number) for number in range(100, 140)})})
    known = await book.reputation(ROUTER)
    assert known is not None
    assert (known.senders, known.standing) == (20, "public")
    assert await book.reputation(account(999)) is None
    assert [one.address for one in await book.reputations(least=50)] == [ROUTER]
    for _ in range(2):
        clock.forward(days=5)
        await book.count_clean({SENDER: Clean(100)})
    regular = await book.reputation(SENDER)
    assert regular is not None
    assert regular.standing == "regular"


async def test_marks_burn_a_reputation_until_they_are_undone(
    book: TrustBook, record: SqlRecord, database: Database, clock: Clock
) -> None:
    desk = Desk(database, now=clock)
    await record.hold(entry(1), detail(1))
    await book.count_clean({ROUTER: Clean(500, {SENDER})})
    await desk.mark("case-1", Mark.CONFIRMED, "ann", "it drains the pool")
    await book.take_marks_in()
    for address in (ROUTER, SENDER):
        known = await book.reputation(address)
        assert known is not None
        assert known.standing == "burnt"
    (mark,) = (await desk.marks(["case-1"]))["case-1"]
    await desk.undo_mark("case-1", mark.id, "ann")
    await desk.mark("case-1", Mark.FALSE_ALARM, "ann", "an honest bot")
    await book.take_marks_in()
    known = await book.reputation(ROUTER)
    assert known is not None
    assert (known.confirmed, known.false_alarms) == (0, 1)


async def test_the_history_is_bounded(book: TrustBook, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.store.knowledge.trust.MOST_ADDRESSES", 3)
    for number in range(5):
        await book.count_clean({account(number): Clean(1, {SENDER})})
        clock.forward(minutes=1)
    await book.take_marks_in()
    assert {one.address for one in await book.reputations()} == {account(2), account(3), account(4)}

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from gateway.errors import ConfigurationError
from gateway.model.account import Mark
from gateway.model.case import Decision
from gateway.model.finding import Severity
from gateway.model.notice import ChannelKind, ChannelRule, Delivery, NoticeKind
from gateway.model.primitive import Address
from gateway.model.quarantine import CaseState
from gateway.store.audit import AuditLog
from gateway.store.cases.record import SqlRecord
from gateway.store.casework.desk import Desk
from gateway.store.database import Database
from gateway.store.notices import Notices
from tests.cases import POOL, Clock, detail, entry, finding, note, verdict

HOOK = "https://hooks.example/SECRET"
AT_ONCE = ChannelRule(grouping=timedelta(0))


@pytest.fixture
def notices(database: Database, clock: Clock) -> Notices:
    return Notices(database, now=clock)


async def hold(record: SqlRecord, number: int, severity: Severity = Severity.HIGH) -> None:
    await record.hold(entry(number, verdict=verdict(finding(severity=severity))), detail(number))


async def drain(notices: Notices) -> list[Delivery]:
    while await notices.collect():
        pass
    return list(await notices.take())


def told(deliveries: list[Delivery]) -> list[tuple[str, str, str]]:
    return [(sent.channel.name, notice.kind, notice.case_id) for sent in deliveries for notice in sent.notices]


async def test_what_happens_to_cases_is_told_once_to_whom_it_concerns(
    notices: Notices, record: SqlRecord, database: Database, clock: Clock
) -> None:
    every = frozenset(NoticeKind)
    await notices.add("all", ChannelKind.WEBHOOK, HOOK, ChannelRule(kinds=every, grouping=timedelta(0)), actor="otto")
    grave = ChannelRule(severity=Severity.CRITICAL, grouping=timedelta(0))
    await notices.add("grave", ChannelKind.APPRISE, "slack://a/b/c", grave, actor="otto")
    theirs = ChannelRule(contracts=frozenset({POOL}), grouping=timedelta(0))
    others = ChannelRule(contracts=frozenset({Address(b"\x01" * 20)}), grouping=timedelta(0))
    await notices.add("theirs", ChannelKind.WEBHOOK, HOOK, theirs, actor="otto")
    await notices.add("others", ChannelKind.WEBHOOK, HOOK, others, actor="otto")
    desk = Desk(database, now=clock)
    await hold(record, 1)
    await hold(record, 2, Severity.CRITICAL)
    await record.note([note(3)])
    await desk.mark("case-1", Mark.ESCALATED, "ann", "look")
    await desk.mark("case-1", Mark.FALSE_ALARM, "ann", "look")
    await desk.ask("case-1", CaseState.RELEASED, "ann", "x")
    await record.decide("case-1", Decision(CaseState.REJECTED, "bob", "a drain"))
    deliveries = await drain(notices)
    assert sorted(told(deliveries)) == [
        ("all", "escalated", "case-1"), ("all", "held", "case-1"), ("all", "held", "case-2"),
        ("all", "rejected", "case-1"), ("all", "second-voice", "case-1"), ("grave", "held", "case-2"),
        ("theirs", "escalated", "case-1"), ("theirs", "held", "case-1"), ("theirs", "held", "case-2"),
    ]  # fmt: skip
    assert len({sent.delivery_id for sent in deliveries}) == len(deliveries)
    assert await drain(notices) == []


async def test_what_comes_within_the_window_is_told_together(notices: Notices, record: SqlRecord, clock: Clock) -> None:
    await notices.add("team", ChannelKind.WEBHOOK, HOOK, ChannelRule(grouping=timedelta(seconds=60)), actor="otto")
    await hold(record, 1)
    assert await drain(notices) == []
    clock.forward(seconds=30)
    await hold(record, 2)
    assert await drain(notices) == []
    clock.forward(seconds=31)
    (delivery,) = await drain(notices)
    assert [notice.case_id for notice in delivery.notices] == ["case-1", "case-2"]
    await hold(record, 3)
    assert await drain(notices) == []  # a window of its own


async def test_a_failure_is_tried_again_ever_more_slowly_and_given_up_after_a_day(
    notices: Notices, record: SqlRecord, clock: Clock
) -> None:
    await notices.add("team", ChannelKind.WEBHOOK, HOOK, AT_ONCE, actor="otto")
    await hold(record, 1)
    (first,) = await drain(notices)
    await notices.settle(first, "answered with status 503")
    pauses, ids = [], {first.delivery_id}
    for attempt in range(8):
        (state,) = await notices.deliveries()
        assert state.next_at is not None
        if attempt == 7:
            clock.forward(hours=24)
        pauses.append((state.next_at - clock()).total_seconds())
        clock.forward(seconds=max(pauses[-1], 0))
        (again,) = await notices.take()
        ids.add(again.delivery_id)
        await notices.settle(again, "answered with status 503")
    assert pauses[:7] == [5, 15, 45, 135, 405, 900, 900]
    (state,) = await notices.deliveries()
    assert state.next_at is None
    assert len(ids) == 1  # receivers know the repetition
    assert (state.sent, state.problem) == (False, "answered with status 503")
    clock.forward(days=31)
    await hold(record, 2)
    await drain(notices)
    assert len(await notices.deliveries()) == 1  # old ones are forgotten


async def test_who_takes_a_delivery_has_it_alone_until_the_lease_is_over(
    notices: Notices, record: SqlRecord, clock: Clock
) -> None:
    await notices.add("team", ChannelKind.WEBHOOK, HOOK, AT_ONCE, actor="otto")
    for number in range(1, 6):
        await hold(record, number)
    await asyncio.gather(*(notices.collect() for _ in range(3)))  # replicas that read at the same time
    taken = await asyncio.gather(*(notices.take(3) for _ in range(3)))
    ids = [sent.delivery_id for some in taken for sent in some]
    assert len(ids) == len(set(ids)) == 5
    assert not await notices.take()
    clock.forward(seconds=61)  # whoever took them died: they are not lost
    again = await notices.take()
    assert sorted(sent.delivery_id for sent in again) == sorted(ids)
    assert {sent.attempts for sent in again} == {2}
    await notices.settle(again[0])
    clock.forward(seconds=61)
    assert len(await notices.take()) == 4


async def test_what_was_recorded_while_nobody_read_is_told_later(
    notices: Notices, record: SqlRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.store.notices._BATCH", 5)
    await notices.add("team", ChannelKind.WEBHOOK, HOOK, AT_ONCE, actor="otto")
    for number in range(1, 9):
        await hold(record, number)
    assert await notices.collect()  # more than one batch
    assert not await notices.collect()
    assert not await notices.collect()
    assert len(await notices.deliveries()) == 8


async def test_channels_are_changed_switched_off_and_removed_and_no_secret_is_told(
    notices: Notices, record: SqlRecord, database: Database
) -> None:
    channel_id, secret = await notices.add("team", ChannelKind.WEBHOOK, HOOK, AT_ONCE, actor="otto")
    assert secret.startswith("whsec_")
    await hold(record, 1)
    await notices.collect()
    await notices.set_enabled(channel_id, False, actor="otto")
    assert not await notices.take()
    (state,) = await notices.deliveries()
    assert (state.sent, state.problem) == (False, "the channel is switched off")
    await notices.set_enabled(channel_id, True, actor="otto")
    await notices.set_rule(channel_id, ChannelRule(severity=Severity.CRITICAL), actor="otto")
    await hold(record, 2)
    assert await drain(notices) == []
    assert await notices.test(channel_id, actor="otto")
    (test,) = await notices.take()
    assert (test.notices[0].kind, test.secret, test.target) == (NoticeKind.TEST, secret, HOOK)
    (channel,) = await notices.channels()
    assert (channel.where, channel.rule.severity) == ("https://hooks.example/…", Severity.CRITICAL)
    assert await notices.remove(channel_id, actor="otto")
    assert await notices.channels() == []
    for missing in (notices.remove(99, actor="x"), notices.test(99, actor="x"),
                    notices.set_enabled(99, True, actor="x"), notices.set_rule(99, AT_ONCE, actor="x")):  # fmt: skip
        assert await missing is False
    records = await AuditLog(database).records(subject="team")
    assert [record.detail["step"] for record in records] == [
        "channel added", "channel switched off", "channel switched on", "channel changed", "channel tested",
        "channel removed",
    ]  # fmt: skip
    assert "SECRET" not in str(records)
    assert secret not in str(records)


@pytest.mark.parametrize(
    ("name", "target"), [("team", HOOK), ("", HOOK), ("A B", HOOK), ("x", "http://far.example"), ("x", "h" * 3000)]
)
async def test_a_channel_that_cannot_be_is_refused(notices: Notices, name: str, target: str) -> None:
    await notices.add("team", ChannelKind.WEBHOOK, HOOK, AT_ONCE, actor="otto")
    with pytest.raises(ConfigurationError):
        await notices.add(name, ChannelKind.WEBHOOK, target, AT_ONCE, actor="otto")

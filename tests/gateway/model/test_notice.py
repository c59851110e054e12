from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway.errors import ConfigurationError
from gateway.model.finding import Severity
from gateway.model.notice import (
    ChannelKind,
    ChannelRule,
    Notice,
    NoticeKind,
    check_target,
    link_of,
    masked,
    summary,
)
from gateway.model.primitive import Address
from gateway.model.shift import ShiftHours

MONDAY = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def notice(kind: NoticeKind = NoticeKind.HELD, severity: Severity = Severity.HIGH, at: datetime = MONDAY) -> Notice:
    return Notice(kind, "c-1", at, "gateway", severity, "A drain", ("drain",), 5.0, 7)


@pytest.mark.parametrize(
    ("text", "zone", "day", "hour", "covered"),
    [
        ("always", "UTC", 5, 3, True),
        ("mon-fri 08:00-18:00", "UTC", 0, 8, True),
        ("mon-fri 08:00-18:00", "UTC", 0, 18, False),
        ("mon-fri 08:00-18:00", "UTC", 5, 9, False),
        ("sat 10:00-14:00; sun 10:00-12:00", "UTC", 6, 11, True),
        ("sat 10:00-14:00; sun 10:00-12:00", "UTC", 6, 13, False),
        ("fri 22:00-06:00", "UTC", 4, 23, True),
        ("fri 22:00-06:00", "UTC", 5, 5, True),  # the night of Friday
        ("fri 22:00-06:00", "UTC", 4, 5, False),
        ("sat-mon 00:00-12:00", "UTC", 0, 9, True),
        ("09:00-17:00", "UTC", 6, 9, True),
        ("mon 08:00-09:00", "Asia/Tokyo", 6, 23, True),  # 08:00 on Monday in Tokyo
        ("mon 08:00-09:00", "Asia/Tokyo", 0, 8, False),
    ],
)
def test_a_shift_covers_its_hours_where_its_people_are(
    text: str, zone: str, day: int, hour: int, covered: bool
) -> None:
    assert ShiftHours(text, zone).covers(MONDAY.replace(hour=hour) + timedelta(days=day)) is covered


@pytest.mark.parametrize(
    ("text", "zone"),
    [("", "UTC"), ("never", "UTC"), ("mon-fri", "UTC"), ("foo 08:00-09:00", "UTC"), ("mon 25:00-26:00", "UTC"),
     ("mon 8-9", "UTC"), ("always", "Mars/Olympus"), ("always", "../../etc/passwd"), ("always", "")],
)  # fmt: skip
def test_what_is_no_shift_is_refused_by_name(text: str, zone: str) -> None:
    with pytest.raises(ConfigurationError):
        ShiftHours(text, zone)


def test_a_rule_chooses_by_kind_severity_scope_and_hours() -> None:
    rule = ChannelRule(
        kinds=frozenset({NoticeKind.HELD}), severity=Severity.HIGH, contracts=frozenset({Address(b"\x01" * 20)}),
        hours=ShiftHours("mon 08:00-18:00"),
    )  # fmt: skip
    assert rule.wants(notice(), touches=True)
    assert not rule.wants(notice(), touches=False)
    assert not rule.wants(notice(NoticeKind.EXPIRED), touches=True)
    assert not rule.wants(notice(severity=Severity.MEDIUM), touches=True)
    assert not rule.wants(notice(at=MONDAY + timedelta(days=1)), touches=True)
    assert ChannelRule().wants(notice(), touches=False)


@pytest.mark.parametrize("parts", [{"kinds": frozenset()}, {"kinds": frozenset({NoticeKind.TEST})},
                                   {"grouping": timedelta(seconds=-1)}, {"grouping": timedelta(hours=2)}])  # fmt: skip
def test_a_rule_that_is_none_is_refused(parts: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        ChannelRule(**parts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        (ChannelKind.WEBHOOK, "https://hooks.example/x"),
        (ChannelKind.WEBHOOK, "http://127.0.0.1:9000/x"),
        (ChannelKind.WEBHOOK, "http://alerts:9000/"),
        (ChannelKind.APPRISE, "slack://a/b/c"),
    ],
)
def test_targets_that_are_taken(kind: ChannelKind, target: str) -> None:
    check_target(kind, target)


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        (ChannelKind.WEBHOOK, "http://hooks.example/x"),
        (ChannelKind.WEBHOOK, "ftp://hooks.example/x"),
        (ChannelKind.WEBHOOK, "https://"),
        (ChannelKind.WEBHOOK, "http://169.254.169.254/latest/meta-data"),
        (ChannelKind.WEBHOOK, "https://[fe80::1]/"),
        (ChannelKind.APPRISE, "dbus://"),
        (ChannelKind.APPRISE, "syslog://"),
        (ChannelKind.APPRISE, "file:///etc/passwd"),
        (ChannelKind.APPRISE, ""),
    ],
)
def test_targets_that_are_refused(kind: ChannelKind, target: str) -> None:
    with pytest.raises(ConfigurationError):
        check_target(kind, target)


def test_nothing_secret_is_left_of_a_target() -> None:
    assert masked("https://user:pw@hooks.example:8443/T0/SECRET?token=x") == "https://hooks.example/…"
    assert masked("slack://TOKENA/TOKENB/TOKENC") == "slack://…"
    assert masked("tgram://123456:ABC/chat") == "tgram://…"


def test_one_line_for_many() -> None:
    assert summary((notice(),)) == "[high] held c-1"
    assert summary((notice(), notice(), notice(NoticeKind.ESCALATED, Severity.CRITICAL))) == (
        "[critical] 2 held, 1 escalated"
    )
    assert link_of(notice(), "https://desk.example") == "https://desk.example/cases/c-1"

"""Channels and notices between their values and their rows, and what a link of the audit chain has to tell."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway.errors import ConfigurationError
from gateway.model.audit import AuditKind
from gateway.model.finding import Severity
from gateway.model.notice import (
    Channel,
    ChannelKind,
    ChannelRule,
    Delivery,
    DeliveryState,
    Notice,
    NoticeKind,
    check_target,
    masked,
)
from gateway.model.primitive import Address
from gateway.model.shift import ShiftHours
from gateway.store.cases.row import entry_of
from gateway.store.seal import Seal, SealedElsewhere
from gateway.store.tables.case import AuditRow, CaseRow, TermRow
from gateway.store.tables.notice import ChannelRow, DeliveryRow

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_LONGEST_TARGET = 2000
_MOVES = {
    ("RELEASED", "HELD"): NoticeKind.REOPENED,
    ("DEFERRED", "HELD"): NoticeKind.HELD,
    ("PARKED", "HELD"): NoticeKind.HELD,
}
_ENDS = {"RELEASED": NoticeKind.RELEASED, "REJECTED": NoticeKind.REJECTED, "EXPIRED": NoticeKind.EXPIRED}


def check_channel(name: str, kind: ChannelKind, target: str) -> None:
    """Raises ConfigurationError if a channel cannot be called or aimed like this."""
    if not _NAME.fullmatch(name):
        raise ConfigurationError("a channel's name has a to z, 0 to 9 and . _ -, at most 64 of them")
    if len(target) > _LONGEST_TARGET:
        raise ConfigurationError(f"a target has at most {_LONGEST_TARGET} characters")
    check_target(kind, target)


def rule_text(rule: ChannelRule) -> str:
    """A rule as its column holds it."""
    return json.dumps(
        {
            "kinds": sorted(rule.kinds),
            "severity": rule.severity.name,
            "contracts": sorted(map(str, rule.contracts)),
            "hours": rule.hours.text,
            "zone": rule.hours.zone,
            "grouping": rule.grouping.total_seconds(),
        }
    )


def open_secrets(row: ChannelRow, seal: Seal) -> tuple[str, str] | None:
    """Target and secret of a channel; None if they were sealed with a key that is not here."""
    try:
        return seal.open(row.target), seal.open(row.secret)
    except SealedElsewhere:
        return None


def delivery_of(row: DeliveryRow, channel: ChannelRow, opened: tuple[str, str], attempts: int, seal: Seal) -> Delivery:
    """What is sent at one attempt."""
    target, secret = opened
    return Delivery(
        delivery_id=row.delivery_id,
        channel=channel_of(channel, seal),
        target=target,
        secret=secret,
        notices=tuple(notice_value(item) for item in json.loads(row.notices)),
        created_at=row.created_at,
        attempts=attempts,
    )


def channel_of(row: ChannelRow, seal: Seal) -> Channel:
    """The channel that a row holds."""
    rule = json.loads(row.rule)
    opened = open_secrets(row, seal)
    return Channel(
        id=row.id or 0,
        name=row.name,
        kind=ChannelKind(row.kind),
        where=masked(opened[0]) if opened else "sealed with a key that is not here",
        rule=ChannelRule(
            kinds=frozenset(map(NoticeKind, rule["kinds"])),
            severity=Severity[rule["severity"]],
            contracts=frozenset(map(Address.from_hex, rule["contracts"])),
            hours=ShiftHours(rule["hours"], rule["zone"]),
            grouping=timedelta(seconds=rule["grouping"]),
        ),
        enabled=row.enabled,
        created_by=row.created_by,
        created_at=row.created_at,
    )


def notice_json(notice: Notice) -> dict[str, Any]:
    """A notice as the deliveries' column holds it."""
    return {
        "kind": notice.kind.value,
        "case_id": notice.case_id,
        "at": notice.at.isoformat(),
        "actor": notice.actor,
        "severity": notice.severity.name,
        "title": notice.title,
        "detectors": list(notice.detectors),
        "loss": notice.loss,
        "sequence": notice.sequence,
    }


def notice_value(stored: Mapping[str, Any]) -> Notice:
    """The notice again."""
    return Notice(
        kind=NoticeKind(stored["kind"]),
        case_id=stored["case_id"],
        at=datetime.fromisoformat(stored["at"]),
        actor=stored["actor"],
        severity=Severity[stored["severity"]],
        title=stored["title"],
        detectors=tuple(stored["detectors"]),
        loss=stored["loss"],
        sequence=stored["sequence"],
    )


def test_notice(at: datetime, actor: str) -> Notice:
    """What the test button sends."""
    return Notice(NoticeKind.TEST, "", at, actor, Severity.INFO, "This is a test of the channel.", (), None, 0)


def delivery_state(row: DeliveryRow, channel: ChannelRow) -> DeliveryState:
    """How a delivery stands."""
    return DeliveryState(
        delivery_id=row.delivery_id,
        channel=channel.name,
        notices=len(json.loads(row.notices)),
        created_at=row.created_at,
        attempts=row.attempts,
        next_at=row.not_before if row.settled_at is None else None,
        sent=row.sent,
        problem=row.problem,
    )


async def telling_records(session: AsyncSession, after: int, head: int, limit: int) -> Sequence[AuditRow]:
    """Links between two numbers that may tell of a case; groups of forwarded transactions do not."""
    tells = or_(
        col(AuditRow.kind) == AuditKind.DECISION.value,
        and_(col(AuditRow.kind) == AuditKind.SUBMISSION.value, col(AuditRow.detail).like('%"step":"hold"%')),
    )
    query = (
        select(AuditRow)
        .where(col(AuditRow.sequence) > after, col(AuditRow.sequence) <= head, tells)
        .order_by(col(AuditRow.sequence))
        .limit(limit)
    )
    return (await session.execute(query)).scalars().all()


async def notice_of(session: AsyncSession, record: AuditRow) -> Notice | None:
    """What a link tells, with the case as it stands now; None if it is nothing to tell."""
    kind = kind_of(json.loads(record.detail))
    if kind is None:
        return None
    row = (await session.execute(select(CaseRow).where(col(CaseRow.case_id) == record.subject))).scalar()
    if row is None:
        return None
    entry = entry_of(row)
    findings = sorted(entry.verdict.report.findings, key=lambda found: (-found.severity, -found.confidence))
    return Notice(
        kind=kind,
        case_id=entry.case_id,
        at=record.at,
        actor=record.actor,
        severity=findings[0].severity if findings else Severity.INFO,
        title=(findings[0].title if findings else entry.verdict.clause)[:200],
        detectors=tuple(sorted({found.detector_id for found in findings})),
        loss=entry.estimated_loss,
        sequence=record.sequence,
    )


def kind_of(detail: Mapping[str, Any]) -> NoticeKind | None:
    """The kind of notice that an audit record's detail makes."""
    match detail.get("step"):
        case "hold":
            return NoticeKind.HELD if detail.get("state") == "HELD" else None
        case "mark":
            return NoticeKind.ESCALATED if detail.get("mark") == "escalated" else None
        case "expiring":
            return NoticeKind.EXPIRING
        case "appeal":
            return NoticeKind.APPEAL
        case "first voice":
            return NoticeKind.SECOND_VOICE
        case "move":
            way = (str(detail.get("from")), str(detail.get("to")))
            return _MOVES.get(way) or _ENDS.get(way[1])
    return None


async def touches(session: AsyncSession, notice: Notice, rule: ChannelRule) -> bool:
    """True if the case touches one of the rule's contracts, as a protocol's account would see it."""
    query = select(col(TermRow.case_id)).where(
        col(TermRow.case_id) == notice.case_id, col(TermRow.term).in_(sorted(map(str, rule.contracts)))
    )
    return (await session.execute(query.limit(1))).first() is not None

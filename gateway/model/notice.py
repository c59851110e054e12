"""What is told to people away from the desk: notices, where they go, and which go where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import ip_address
from urllib.parse import urlsplit

from gateway.errors import ConfigurationError
from gateway.model.finding import Severity
from gateway.model.primitive import Address
from gateway.model.shift import ShiftHours

_LONGEST_GROUPING = timedelta(hours=1)

SERVICES = frozenset(
    {
        "apprise", "apprises", "discord", "gchat", "goalert", "goalerts", "gotify", "gotifys",
        "json", "jsons", "mailto", "mailtos", "matrix", "matrixs", "mattermost", "mmost",
        "mmosts", "msteams", "ntfy", "ntfys", "opsgenie", "pagerduty", "pover", "rocket",
        "rockets", "signal", "signals", "slack", "sns", "splunk", "squadcast", "tgram",
        "threema", "twilio", "victorops", "webex", "workflow", "workflows", "wxteams", "xmpp",
        "xmpps", "zulip",
    }
)  # fmt: skip
"""Schemes of apprise that a channel may use. Those that act on this machine, like dbus or syslog, are not here."""


class NoticeKind(StrEnum):
    """What happened."""

    HELD = "held"
    REOPENED = "reopened"
    """released, but the release simulation found something new"""
    SECOND_VOICE = "second-voice"
    """a release waits for another person"""
    ESCALATED = "escalated"
    EXPIRING = "expiring"
    """a held case is near its time limit, and nobody has decided"""
    APPEAL = "appeal"
    """the sender of a case appealed"""
    RELEASED = "released"
    REJECTED = "rejected"
    EXPIRED = "expired"
    TEST = "test"


class ChannelKind(StrEnum):
    """How a channel is spoken to."""

    WEBHOOK = "webhook"
    APPRISE = "apprise"


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that happened to one case. Nothing here was written by a stranger but addresses."""

    kind: NoticeKind
    case_id: str
    at: datetime
    actor: str
    severity: Severity
    title: str
    """the gravest finding's title, or the policy clause"""
    detectors: tuple[str, ...]
    loss: float | None
    sequence: int
    """the link of the audit chain that tells it; 0 for a test"""


@dataclass(frozen=True, slots=True)
class ChannelRule:
    """Which notices a channel gets."""

    kinds: frozenset[NoticeKind] = frozenset(
        {NoticeKind.HELD, NoticeKind.REOPENED, NoticeKind.ESCALATED, NoticeKind.EXPIRING}
    )
    severity: Severity = Severity.MEDIUM
    """the lowest"""
    contracts: frozenset[Address] = frozenset()
    """only cases that touch one of these; empty: every case"""
    hours: ShiftHours = field(default_factory=ShiftHours)
    grouping: timedelta = timedelta(seconds=60)
    """how long the first notice waits for others, to be told together"""

    def __post_init__(self) -> None:
        """Raises ConfigurationError: no kind, or a window that is no window."""
        if not self.kinds - {NoticeKind.TEST}:
            raise ConfigurationError("choose at least one kind of notice")
        if not timedelta(0) <= self.grouping <= _LONGEST_GROUPING:
            raise ConfigurationError("notices are grouped for 0 to 3600 seconds")

    def wants(self, notice: Notice, *, touches: bool) -> bool:
        """True if the notice goes here; `touches`: the case touches one of `contracts`."""
        return (
            notice.kind in self.kinds
            and notice.severity >= self.severity
            and (not self.contracts or touches)
            and self.hours.covers(notice.at)
        )


@dataclass(frozen=True, slots=True)
class Channel:
    """A place that notices go to."""

    id: int
    name: str
    kind: ChannelKind
    where: str
    """scheme and host of the target; the rest may be secret"""
    rule: ChannelRule
    enabled: bool
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """Notices that go to one channel together, at one attempt."""

    delivery_id: str
    """the same at every attempt"""
    channel: Channel
    target: str
    secret: str
    notices: tuple[Notice, ...]
    created_at: datetime
    attempts: int
    """this one included"""


@dataclass(frozen=True, slots=True)
class DeliveryState:
    """How a delivery stands, for the page."""

    delivery_id: str
    channel: str
    notices: int
    created_at: datetime
    attempts: int
    next_at: datetime | None
    """of the next attempt; None if there is none"""
    sent: bool
    problem: str


def check_target(kind: ChannelKind, target: str) -> None:
    """Refuse what notices must not be sent to.

    Raises:
        ConfigurationError: no URL, an unknown service, or a place that only this machine should reach.
    """
    parts = urlsplit(target)
    if kind is ChannelKind.APPRISE:
        if parts.scheme not in SERVICES:
            raise ConfigurationError(f"{parts.scheme[:20]!r} is none of the services: {', '.join(sorted(SERVICES))}")
        return
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host:
        raise ConfigurationError("a webhook's target is an https:// URL")
    if parts.scheme == "http" and not _is_near(host):
        raise ConfigurationError("a webhook outside your own network needs https://")
    if _is_link_local(host):
        raise ConfigurationError("link-local addresses serve a machine's own secrets; no webhook goes there")


def masked(target: str) -> str:
    """Scheme and host of a target; what follows may be a secret, and in some schemes the host itself is."""
    parts = urlsplit(target)
    if parts.scheme in ("http", "https", "json", "jsons", "ntfy", "ntfys", "gotify", "gotifys", "matrix", "matrixs"):
        return f"{parts.scheme}://{parts.hostname or ''}/…"
    return f"{parts.scheme}://…"


def link_of(notice: Notice, dashboard_url: str) -> str:
    """Where the desk shows it."""
    return f"{dashboard_url}/cases/{notice.case_id}" if notice.case_id else f"{dashboard_url}/notifications"


def summary(notices: tuple[Notice, ...]) -> str:
    """One line for all of them."""
    gravest = max(notice.severity for notice in notices)
    if len(notices) == 1:
        first = notices[0]
        return f"[{gravest.name.lower()}] {first.kind} {first.case_id}".rstrip()
    counts: Mapping[NoticeKind, int] = {
        kind: sum(notice.kind is kind for notice in notices) for kind in dict.fromkeys(n.kind for n in notices)
    }
    return f"[{gravest.name.lower()}] " + ", ".join(f"{number} {kind}" for kind, number in counts.items())


def _is_near(host: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return "." not in host or host.endswith(".internal")
    return address.is_loopback or address.is_private


def _is_link_local(host: str) -> bool:
    try:
        return ip_address(host).is_link_local
    except ValueError:
        return False

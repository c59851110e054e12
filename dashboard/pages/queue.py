"""The queue and what is decided from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gateway.model.account import Approval, CaseMark, SavedView
from gateway.model.case import CaseGroup, TokenInfo
from gateway.model.casework import Mention
from gateway.model.finding import Finding
from gateway.model.primitive import Address
from gateway.model.quarantine import QuarantineEntry


@dataclass(frozen=True, slots=True)
class Tab:
    """One link above a list."""

    label: str
    href: str
    count: int | None
    current: bool


@dataclass(frozen=True, slots=True)
class QueueRow:
    """One case of the queue."""

    entry: QuarantineEntry
    title: str
    """the gravest finding's, or the reason"""
    finding: Finding | None
    more: int
    """further findings"""
    marks: Sequence[CaseMark] = ()
    asked: Approval | None = None
    appealed: bool = False
    """the sender waits for an answer"""


@dataclass(frozen=True, slots=True)
class QueuePage:
    """The list of cases, a page at a time."""

    tabs: tuple[Tab, ...]
    rows: tuple[QueueRow, ...]
    groups: tuple[CaseGroup, ...]
    grouped: bool
    total: int
    first: int
    last: int
    previous: str
    """path of the page before; empty on the first"""
    following: str
    refresh: str
    """path of this same list, for the live update"""
    events: str
    """path of the event stream"""
    filters: Mapping[str, str]
    views: Sequence[SavedView]
    may_decide_many: bool
    total_is_least: bool = False
    state_words: tuple[str, ...] = ()
    mentions: Sequence[Mention] = ()
    """notes that name the visitor and were not opened since"""
    ending: int = 0
    """held cases that end soon; 0 where the list shows them first anyway"""
    tokens: Mapping[Address, TokenInfo] = field(default_factory=dict)
    """those that the sentences of the rows mention, as far as they are known"""
    live: bool = True
    """False: the live queue is silent; the record is shown, and the page says so"""


@dataclass(frozen=True, slots=True)
class MassPage:
    """What a mass decision would do, before it is done."""

    target: str
    rows: tuple[QueueRow, ...]
    skipped: int
    """chosen cases that wait no longer"""
    loss: str
    seconds: int
    """cases of which this would be the second voice"""
    firsts: int
    """cases for which this would be the first voice only"""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class MassDonePage:
    """What a mass decision did."""

    target: str
    results: tuple[tuple[str, str], ...]
    """(case id, what happened)"""

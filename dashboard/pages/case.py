"""One case: its page, its calls, its runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from dashboard.render.call_tree import FrameLine, TreeStep
from dashboard.render.difference import BalanceRow, FindingDifference
from dashboard.render.effects import Effects
from gateway.model.account import Account, Approval, CaseMark, CaseNote
from gateway.model.case import CaseDetail, CaseStep
from gateway.model.casework import Appeal, Attachment, CaseRun
from gateway.model.finding import DetectorOutcome, Finding
from gateway.model.quarantine import QuarantineEntry


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run in a list."""

    run: CaseRun
    words: str
    """how it ended"""
    differs: bool = False
    """it found other things than the verdict that holds the case"""


@dataclass(frozen=True, slots=True)
class CasePage:
    """The five questions: why held, what it would do, who asks, what can I do, until when."""

    entry: QuarantineEntry
    detail: CaseDetail | None
    why: tuple[str, str]
    findings: Sequence[Finding]
    incomplete: Sequence[DetectorOutcome]
    completed: int
    effects: Effects
    sender_cases: Sequence[QuarantineEntry]
    similar: Sequence[QuarantineEntry]
    similar_total: int
    history: Sequence[CaseStep]
    notes: Sequence[CaseNote]
    marks: Sequence[CaseMark]
    asked: Approval | None
    waiting: bool
    two_people: str
    """why a release needs two people; empty if it does not"""
    seen: str
    latest_expiry: datetime
    deciders: Sequence[Account]
    appeals: Sequence[Appeal] = ()
    attachments: Sequence[Attachment] = ()
    runs: Sequence[RunLine] = ()
    stale: RunLine | None = None
    """the latest run at the head, if there is one"""
    problem: str = ""
    show_client: bool = True


@dataclass(frozen=True, slots=True)
class RunPage:
    """A case as it was judged beside the same transaction run again."""

    entry: QuarantineEntry
    run: CaseRun
    first: CaseDetail | None
    after: CaseDetail | None
    findings: FindingDifference | None
    balances: tuple[BalanceRow, ...]
    waits: bool
    """the page asks again by itself"""
    still_held: bool


@dataclass(frozen=True, slots=True)
class TracePage:
    """The call tree alone: a subtree, or what a search found."""

    entry: QuarantineEntry
    tree: tuple[TreeStep, ...]
    found: tuple[FrameLine, ...]
    search: str
    root: int
    path: tuple[FrameLine, ...]
    frames: int

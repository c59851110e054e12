"""One frozen context type for each page: a template prints these fields and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from dashboard.render.call_tree import FrameLine, TreeStep
from dashboard.render.changes import AccountRow, AddressChanges
from dashboard.render.difference import BalanceRow, FindingDifference
from dashboard.render.flow import Flow
from gateway.model.account import (
    Account,
    ApiToken,
    Approval,
    CaseMark,
    CaseNote,
    Identity,
    Passkey,
    SavedView,
    Session,
)
from gateway.model.audit import AuditRecord
from gateway.model.case import CaseDetail, CaseGroup, CaseStep, ChainHead
from gateway.model.casework import Appeal, Attachment, CaseRun, Mention
from gateway.model.finding import DetectorOutcome, Finding
from gateway.model.quarantine import QuarantineEntry, TransactionStatus
from gateway.model.signature import KeptSignature
from gateway.model.trust import Reputation, TrustEntry
from gateway.store.desk import DetectorFigures, Figures


@dataclass(frozen=True, slots=True)
class LoginPage:
    """Name and password, or a one-time link."""

    next_path: str
    problem: str = ""
    token: str = ""
    """of a one-time link; then the page is one button"""
    code_wanted: bool = False
    name: str = ""


@dataclass(frozen=True, slots=True)
class StepUpPage:
    """The second factor, once more."""

    next_path: str
    by_code: bool
    by_passkey: bool
    by_password: bool
    """nothing stronger is set up"""
    by_provider: bool
    """the account is linked to the single sign-on, and nothing stronger is set up"""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class LinkPage:
    """The way to the provider, to link an account."""

    url: str


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


@dataclass(frozen=True, slots=True)
class CasePage:
    """The five questions: why held, what it would do, who asks, what can I do, until when."""

    entry: QuarantineEntry
    detail: CaseDetail | None
    why: tuple[str, str]
    findings: Sequence[Finding]
    incomplete: Sequence[DetectorOutcome]
    completed: int
    changes: tuple[AddressChanges, ...]
    flow: Flow | None
    tree: tuple[TreeStep, ...]
    frames: int
    accounts: tuple[AccountRow, ...]
    slots_left_out: int
    sender_cases: Sequence[QuarantineEntry]
    similar: Sequence[QuarantineEntry]
    similar_total: int
    history: Sequence[CaseStep]
    notes: Sequence[CaseNote]
    marks: Sequence[CaseMark]
    asked: Approval | None
    waiting: bool
    two_people: bool
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
class RunLine:
    """One run in a list."""

    run: CaseRun
    words: str
    """how it ended"""
    differs: bool = False
    """it found other things than the verdict that holds the case"""


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


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Links of the chain, the latest first."""

    records: Sequence[AuditRecord]
    head: ChainHead
    filters: Mapping[str, str]
    older: str


@dataclass(frozen=True, slots=True)
class OverviewPage:
    """The numbers of the last day."""

    figures: Figures
    counts: Mapping[str, int]
    series: Mapping[str, object]
    """what the chart draws"""
    detectors: Sequence[DetectorFigures]
    next_expiry: QuarantineEntry | None


@dataclass(frozen=True, slots=True)
class DetectorsPage:
    """What speaks, how often, how often overruled."""

    detectors: Sequence[DetectorFigures]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must work."""

    name: str
    ok: bool
    says: str


@dataclass(frozen=True, slots=True)
class GatewayPanel:
    """What one gateway process last told of itself."""

    name: str
    at: datetime
    silent: bool
    """True if that is too long ago"""
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class HealthPage:
    """What works and what does not."""

    checks: tuple[Check, ...]
    gateways: tuple[GatewayPanel, ...] = ()


@dataclass(frozen=True, slots=True)
class SignaturesPage:
    """Signatures of confirmed attacks."""

    signatures: Sequence[KeptSignature]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class TrustPage:
    """The allow list, and the addresses with the longest clean history."""

    entries: Sequence[TrustEntry]
    reputations: Sequence[Reputation]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class UsersPage:
    """Every account."""

    accounts: Sequence[Account]
    roles: tuple[str, ...]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ServicesPage:
    """Every service account with its tokens."""

    services: Sequence[tuple[Account, Sequence[ApiToken]]]
    roles: tuple[str, ...]
    scopes: Mapping[str, Sequence[str]]
    """role -> scopes that its tokens may have"""
    new_token: str = ""
    """shown once"""
    new_for: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class AccountPage:
    """The visitor's own account."""

    sessions: Sequence[Session]
    passkeys: Sequence[Passkey]
    identities: Sequence[Identity]
    tokens: Sequence[ApiToken]
    scopes: tuple[str, ...]
    secret: str = ""
    """of a second factor being enrolled"""
    uri: str = ""
    new_token: str = ""
    """shown once"""
    problem: str = ""
    done: str = ""


@dataclass(frozen=True, slots=True)
class StatusPage:
    """What anybody may learn of a transaction."""

    status: TransactionStatus
    sentence: str
    appeals: Sequence[Appeal] = ()
    may_appeal: bool = False
    sender: str = ""
    text: str = ""
    issued: str = ""
    message: str = ""
    """what the sender has to sign; empty before there are words"""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class MessagePage:
    """One message: an error, or that something is done."""

    title: str
    text: str
    back: str = "/"
    details: tuple[str, ...] = field(default=())

"""What is kept about a case, what may be asked about cases, and how a decision on one is spoken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from gateway.model.facts import Facts, TokenStandard, Transfer
from gateway.model.finding import InspectionReport, Severity
from gateway.model.primitive import Address, Hash32
from gateway.model.quarantine import CaseState, QuarantineEntry
from gateway.model.trace import SimulationResult
from gateway.model.transaction import Client, Transaction
from gateway.model.verdict import Action, ReasonClass


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """What a token says of itself. Hostile text: whoever prints it must clean it."""

    symbol: str
    decimals: int
    name: str = ""


class LossBasis(StrEnum):
    """Where the prices of an estimate come from, the surest first."""

    COIN = "coin"
    """the chain's own coin itself"""
    SETTINGS = "settings"
    """prices that the operator wrote down"""
    POOLS = "pools"
    """prices of pools that the transaction met, before it touched them"""


@dataclass(frozen=True, slots=True)
class LossEstimate:
    """What a transaction would take from others, and how far the figure can be trusted."""

    amount: float
    """in whole units of `unit`; without a unit, in the chain's own coin"""
    unit: str
    """the currency the settings name; empty: the chain's own coin"""
    basis: LossBasis
    """the least sure price in it"""
    unpriced: int = 0
    """lost assets that have no price here: with any, the figure is a lower bound"""


@dataclass(frozen=True, slots=True)
class CaseDetail:
    """Everything the case page prints, stored when the transaction was held: the chain moves on."""

    transaction: Transaction
    report: InspectionReport
    """findings with evidence, detector outcomes, hash of the rule set"""
    simulation: SimulationResult | None
    """call tree, logs, state diff, block and engine; storage opcodes are not kept. None if there was no simulation"""
    facts: Facts
    """transfers and approvals that stood at the end"""
    timings: Mapping[str, float] = field(default_factory=dict)
    """stage of the inspection -> seconds"""
    labels: Mapping[Address, str] = field(default_factory=dict)
    """names known when it was held"""
    tokens: Mapping[Address, TokenInfo] = field(default_factory=dict)
    sender_history: Mapping[str, str] = field(default_factory=dict)
    """named facts about the sender, already as text"""
    truncated: tuple[str, ...] = ()
    """what was cut to keep the document within bounds, one sentence each; empty if it is whole"""
    loss: LossEstimate | None = None
    """None: nothing is lost, or nothing of it has a price"""


@dataclass(frozen=True, slots=True)
class AssetChange:
    """Net change of one asset for one address over the whole transaction."""

    address: Address
    standard: TokenStandard
    token: Address
    """zero address for the chain's own coin"""
    token_id: int | None
    amount: int
    """smallest unit; negative for a loss, never zero"""


def asset_changes(transfers: Iterable[Transfer]) -> tuple[AssetChange, ...]:
    """Sum movements per address and asset; what nets out to zero is left out. In order of first appearance."""
    totals: dict[tuple[Address, TokenStandard, Address, int | None], int] = {}
    for transfer in transfers:
        asset = (transfer.standard, transfer.token, transfer.token_id)
        totals[(transfer.from_, *asset)] = totals.get((transfer.from_, *asset), 0) - transfer.amount
        totals[(transfer.to, *asset)] = totals.get((transfer.to, *asset), 0) + transfer.amount
    return tuple(AssetChange(*key, amount=amount) for key, amount in totals.items() if amount)


@dataclass(frozen=True, slots=True)
class SubmissionNote:
    """The record of one submission that was not held: forwarded, or rejected at once."""

    hash: Hash32
    sender: Address | None
    """None if the bytes could not be decoded"""
    nonce: int | None
    to: Address | None
    value: int | None
    """wei"""
    method: str
    client: Client
    received_at: datetime
    action: Action
    clause: str
    """policy clause, or the error's name if no verdict was reached"""
    reason_class: ReasonClass
    score: float
    findings: tuple[str, ...]
    """ids of the detectors that spoke"""
    incomplete: tuple[str, ...]
    """ids of the detectors that did not complete, each with its status: "price-impact timed-out" """
    ruleset_hash: str
    duration: float
    """seconds from receipt to the answer"""
    answer: str = ""
    """what the upstream said, cut to 200 characters; empty if it was not asked"""
    observed: bool = False
    """observe mode forwarded what `clause` would have held"""


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody wants done with a case, and why."""

    target: CaseState
    """RELEASED or REJECTED; EXPIRED and SUPERSEDED come from the gateway's own tasks"""
    actor: str
    """user name, service account, or "gateway" """
    reason: str
    """required; free text"""
    second_actor: str | None = None
    """who confirmed under the two-person rule"""
    seen_findings: frozenset[str] | None = None
    """`finding_key` of each finding the actor had before him; None means those stored with the case"""


@dataclass(frozen=True, slots=True)
class Conflict:
    """The case was no longer in a state that allows the step: somebody else was first, or it never existed."""

    case_id: str
    state: CaseState | None
    """where it stands now; None if there is no such case"""
    decided_by: str | None
    wanted: CaseState

    def __str__(self) -> str:
        if self.state is None:
            return f"there is no case {self.case_id}"
        by = f" by {self.decided_by}" if self.decided_by else ""
        return f"case {self.case_id} is already {self.state}{by}; it cannot become {self.wanted}"


class CaseOrder(StrEnum):
    """How a list of cases is sorted."""

    PRIORITY = "priority"
    """estimated loss x score, then the least time left"""
    EXPIRY = "expiry"
    NEWEST = "newest"
    OLDEST = "oldest"
    LOSS = "loss"


@dataclass(frozen=True, slots=True)
class CaseQuery:
    """A filter over cases; every part that is set must match."""

    states: frozenset[CaseState] = frozenset()
    """empty: any"""
    search: str = ""
    """whole hash, address, case id, detector id, clause, client address or key; a prefix of at least 4 characters
    also matches"""
    sender: Address | None = None
    to: Address | None = None
    touching: frozenset[Address] | None = None
    """only cases that touch one of these contracts (a protocol's own); empty: none at all"""
    detector: str = ""
    group: str = ""
    """look-alikes, see QuarantineEntry.group"""
    severity: Severity | None = None
    """at least this"""
    assigned_to: str | None = None
    """a user name; "" for unclaimed cases"""
    held_from: datetime | None = None
    held_until: datetime | None = None
    expires_before: datetime | None = None
    order: CaseOrder = CaseOrder.PRIORITY
    offset: int = 0
    limit: int = 50


MOST_COUNTED = 10_000
"""Searches stop counting here: nobody turns two hundred pages, and counting them all takes longer than showing one."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list, and how long the list is."""

    entries: tuple[QuarantineEntry, ...]
    total: int
    """cases that match, on all pages; counted up to `MOST_COUNTED`"""
    offset: int


@dataclass(frozen=True, slots=True)
class CaseGroup:
    """Cases that look alike: same clause, recipient, selector and detectors."""

    group: str
    count: int
    newest: QuarantineEntry


@dataclass(frozen=True, slots=True)
class CaseStep:
    """One step a case took."""

    from_state: CaseState | None
    """None for the hold itself"""
    to_state: CaseState
    actor: str
    second_actor: str | None
    reason: str
    at: datetime


class OutboxOutcome(StrEnum):
    """How a forwarding intent ended."""

    SENT = "sent"
    """the upstream took it, or is known to have it"""
    REOPENED = "reopened"
    """inspection at release found something the decider had not seen: back to HELD"""
    SUPERSEDED = "superseded"
    """its nonce was used by another transaction"""
    REFUSED = "refused"
    """the upstream refuses it and will go on to: the case is closed as REJECTED, never sent"""


@dataclass(frozen=True, slots=True)
class OutboxItem:
    """One intent to forward, taken by one releaser until `leased_until`."""

    id: int
    entry: QuarantineEntry
    seen_findings: frozenset[str]
    """`finding_key` of what the decider saw"""
    created_at: datetime
    attempts: int
    """how often it was taken, this time included"""
    send_started_at: datetime | None
    """set durably before the bytes leave; if set by an earlier attempt, ask by hash before anything else"""
    leased_until: datetime


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The last record of the audit chain."""

    sequence: int
    """0 for an empty chain"""
    hash: bytes
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ChainBreak:
    """The first record at which the audit chain does not hold, and what is wrong with it."""

    sequence: int
    problem: str

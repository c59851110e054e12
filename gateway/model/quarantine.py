"""Held transactions and the one table of legal transitions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.model.primitive import Address, Hash32
from gateway.model.transaction import Client, RawTransaction
from gateway.model.verdict import ReasonClass, Verdict


class CaseState(StrEnum):
    """Where a case stands; the words on screen, on the wire and in the database."""

    HELD = "HELD"
    DEFERRED = "DEFERRED"
    PARKED = "PARKED"
    RELEASED = "RELEASED"
    FORWARDED = "FORWARDED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    SUPERSEDED = "SUPERSEDED"


TRANSITIONS: dict[CaseState, frozenset[CaseState]] = {
    CaseState.HELD: frozenset({CaseState.RELEASED, CaseState.REJECTED, CaseState.EXPIRED, CaseState.SUPERSEDED}),
    CaseState.DEFERRED: frozenset(
        {CaseState.RELEASED, CaseState.HELD, CaseState.REJECTED, CaseState.EXPIRED, CaseState.SUPERSEDED}
    ),
    CaseState.PARKED: frozenset(
        {
            CaseState.RELEASED,
            CaseState.HELD,
            CaseState.DEFERRED,
            CaseState.REJECTED,
            CaseState.EXPIRED,
            CaseState.SUPERSEDED,
        }
    ),
    CaseState.RELEASED: frozenset({CaseState.FORWARDED, CaseState.HELD, CaseState.SUPERSEDED, CaseState.REJECTED}),
    CaseState.FORWARDED: frozenset(),
    CaseState.REJECTED: frozenset(),
    CaseState.EXPIRED: frozenset(),
    CaseState.SUPERSEDED: frozenset(),
}
"""state -> states it may become. RELEASED goes back to HELD when the release simulation finds something new."""

WAITING = frozenset({CaseState.HELD, CaseState.DEFERRED, CaseState.PARKED})
"""States in which nothing was sent yet and something may still be."""

FINAL = frozenset(state for state, targets in TRANSITIONS.items() if not targets)
"""States that no case leaves."""


def may_become(state: CaseState, target: CaseState) -> bool:
    """True if the table allows the step."""
    return target in TRANSITIONS[state]


@dataclass(frozen=True, slots=True)
class QuarantineEntry:
    """One case: the transaction, why it waits and until when."""

    case_id: str
    raw: RawTransaction
    sender: Address
    nonce: int
    to: Address | None
    value: int
    client: Client
    verdict: Verdict
    state: CaseState
    held_at: datetime
    expires_at: datetime
    estimated_loss: float | None = None
    """US dollars or native units as configured, if the findings state one"""
    decided_by: str | None = None
    decision_reason: str | None = None
    decided_at: datetime | None = None
    assigned_to: str | None = None
    """the analyst who claimed it"""
    group: str = ""
    """equal for look-alikes: digest of clause, recipient, selector and detectors; set by the record when held"""
    version: int = 0
    """how often the record changed this case; a copy with a lower number is older"""

    @property
    def hash(self) -> Hash32:
        """The transaction's hash."""
        return self.raw.hash

    @property
    def priority(self) -> float:
        """What the queue is sorted by: score times estimated loss; without an estimate the score alone."""
        return self.verdict.score * (1.0 + (self.estimated_loss or 0.0))


class PublicStatus(StrEnum):
    """What anybody may learn about a transaction by its hash."""

    RECEIVED = "RECEIVED"
    FORWARDED = "FORWARDED"
    DEFERRED = "DEFERRED"
    PARKED = "PARKED"
    HELD = "HELD"
    RELEASED = "RELEASED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    SUPERSEDED = "SUPERSEDED"
    INCLUDED = "INCLUDED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class TransactionStatus:
    """The public answer: state, class of reason, time limit; never the rule."""

    status: PublicStatus
    hash: Hash32
    case_id: str | None = None
    reason_class: ReasonClass | None = None
    expires_at: datetime | None = None

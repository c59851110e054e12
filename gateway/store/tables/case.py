"""The tables of the durable record: cases, their detail, the outbox and the audit chain."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, Text, text
from sqlmodel import Field, SQLModel

from gateway.store.tables.column import BYTE_ORDERED_TEXT, Uint, UtcTime

_ROW_ID = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only in a column declared INTEGER."""


class CaseRow(SQLModel, table=True):
    """One held transaction and where it stands. `version` counts changes."""

    __tablename__ = "cases"
    __table_args__ = (
        # severity comes along in the orders, so that a filter by it needs no look at the rows
        Index("ix_cases_queue", "state", "rank", "expires_at", "case_id", "severity"),
        Index("ix_cases_rank", "rank", "expires_at", "case_id"),
        Index("ix_cases_grave", "state", "severity"),
        Index("ix_cases_expiry", "state", "expires_at", "case_id", "severity"),
        Index("ix_cases_loss", "state", "loss_rank", "case_id", "severity"),
        Index("ix_cases_group", "state", "group_key", "held_at"),
        Index("ix_cases_alike", "group_key", "held_at"),
        Index("ix_cases_sender", "sender", "nonce"),
    )

    case_id: str = Field(primary_key=True)
    hash: str = Field(unique=True)
    raw: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    sender: str
    nonce: int = Field(sa_column=Column(Uint(64), nullable=False))
    to: str | None = Field(default=None, index=True)
    value: int = Field(sa_column=Column(Uint(256), nullable=False))
    client_address: str
    client_key: str
    verdict: str = Field(sa_column=Column(Text, nullable=False))
    """JSON, see store.document_report"""
    clause: str
    score: float
    severity: int = Field(index=True)
    """the highest among the findings; -1 without any"""
    state: str
    held_at: datetime = Field(sa_column=Column(UtcTime, nullable=False, index=True))
    expires_at: datetime = Field(sa_column=Column(UtcTime, nullable=False))
    estimated_loss: float | None = None
    rank: float
    """minus the priority, so that an ascending index is the order of the queue on both databases"""
    loss_rank: float
    """minus the estimated loss; 1 without an estimate, so that these come last"""
    decided_by: str | None = None
    decision_reason: str | None = Field(default=None, sa_column=Column(Text))
    decided_at: datetime | None = Field(default=None, sa_column=Column(UtcTime))
    assigned_to: str | None = None
    group_key: str
    version: int = 0


class DetailRow(SQLModel, table=True):
    """What the case page prints; a new revision for each inspection that replaced the last."""

    __tablename__ = "case_details"

    case_id: str = Field(primary_key=True, foreign_key="cases.case_id")
    revision: int = Field(primary_key=True)
    data: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    """see store.document"""
    digest: str
    """sha256 of `data`, also in the audit chain"""


class TermRow(SQLModel, table=True):
    """A word under which a case is found: hash, address, token, detector, clause, client."""

    __tablename__ = "case_terms"

    term: str = Field(sa_column=Column(BYTE_ORDERED_TEXT, primary_key=True))
    case_id: str = Field(primary_key=True, foreign_key="cases.case_id", index=True)


class DecisionRow(SQLModel, table=True):
    """One step of a case: who moved it, from where to where, and why."""

    __tablename__ = "decisions"

    id: int | None = Field(default=None, sa_column=Column(_ROW_ID, primary_key=True, autoincrement=True))
    case_id: str = Field(foreign_key="cases.case_id", index=True)
    from_state: str | None = None
    to_state: str
    actor: str
    second_actor: str | None = None
    reason: str = Field(sa_column=Column(Text, nullable=False))
    at: datetime = Field(sa_column=Column(UtcTime, nullable=False, index=True))


class OutboxRow(SQLModel, table=True):
    """The intention to forward a released transaction, written with the decision and settled once."""

    __tablename__ = "outbox"
    __table_args__ = (
        # at most one open intent for a case
        Index(
            "ux_outbox_open",
            "case_id",
            unique=True,
            sqlite_where=text("settled_at IS NULL"),
            postgresql_where=text("settled_at IS NULL"),
        ),
        Index("ix_outbox_due", "settled_at", "not_before"),
    )

    id: int | None = Field(default=None, sa_column=Column(_ROW_ID, primary_key=True, autoincrement=True))
    case_id: str = Field(sa_column=Column(Text, ForeignKey("cases.case_id"), nullable=False))
    seen_findings: str = Field(sa_column=Column(Text, nullable=False))
    """JSON list"""
    created_at: datetime = Field(sa_column=Column(UtcTime, nullable=False))
    not_before: datetime = Field(sa_column=Column(UtcTime, nullable=False))
    """when it may be taken: the end of the present lease, or of a pause"""
    attempts: int = 0
    send_started_at: datetime | None = Field(default=None, sa_column=Column(UtcTime))
    settled_at: datetime | None = Field(default=None, sa_column=Column(UtcTime))
    outcome: str | None = None
    problem: str | None = Field(default=None, sa_column=Column(Text))


class SubmissionRow(SQLModel, table=True):
    """One submission that was not held: forwarded, or rejected at once."""

    __tablename__ = "submissions"

    id: int | None = Field(default=None, sa_column=Column(_ROW_ID, primary_key=True, autoincrement=True))
    audit_sequence: int = Field(sa_column=Column(BigInteger, nullable=False, index=True))
    """the link of the audit chain whose digest covers `document`"""
    hash: str = Field(index=True)
    sender: str | None = Field(default=None, index=True)
    action: str
    reason_class: str
    received_at: datetime = Field(sa_column=Column(UtcTime, nullable=False, index=True))
    document: str = Field(sa_column=Column(Text, nullable=False))
    """the whole note as canonical JSON; the columns above are copies to search by"""


class AuditRow(SQLModel, table=True):
    """One link of the append-only hash chain."""

    __tablename__ = "audit"

    sequence: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    kind: str
    at: datetime = Field(sa_column=Column(UtcTime, nullable=False, index=True))
    actor: str = Field(index=True)
    subject: str = Field(index=True)
    detail: str = Field(sa_column=Column(Text, nullable=False))
    """canonical JSON"""
    previous_hash: str
    hash: str


class AuditHeadRow(SQLModel, table=True):
    """The one row whose lock orders the chain."""

    __tablename__ = "audit_head"
    ONLY: ClassVar[int] = 1

    id: int = Field(primary_key=True)
    sequence: int = Field(sa_column=Column(BigInteger, nullable=False))
    hash: str

"""The tables of work on cases: runs on demand, appeals, evidence, mentions, and what tokens say of themselves."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Column, Index, LargeBinary, Text, text
from sqlmodel import Field, SQLModel

from gateway.store.tables.column import UtcTime


class RunRow(SQLModel, table=True):
    """One simulation that an analyst asked for; the gateway carries it out."""

    __tablename__ = "case_runs"
    __table_args__ = (Index("ix_case_runs_due", "finished_at", "not_before"),)

    id: int | None = Field(default=None, primary_key=True)
    case_id: str = Field(foreign_key="cases.case_id", index=True)
    asked_by: str
    asked_at: datetime = Field(sa_column=Column(UtcTime, nullable=False))
    changes: str = Field(sa_column=Column(Text, nullable=False))
    """JSON: what is different in the block's environment"""
    not_before: datetime = Field(sa_column=Column(UtcTime, nullable=False))
    """when it may be taken: at once, or at the end of the present lease"""
    finished_at: datetime | None = Field(default=None, sa_column=Column(UtcTime))
    problem: str | None = Field(default=None, sa_column=Column(Text))
    """why there is no result"""
    verdict: str | None = Field(default=None, sa_column=Column(Text))
    detail: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    """as in case_details"""


class AppealRow(SQLModel, table=True):
    """What the sender says, proved by a signature of the sender's key."""

    __tablename__ = "appeals"
    __table_args__ = (
        Index(
            "ux_appeals_open",
            "case_id",
            unique=True,
            sqlite_where=text("answered_at IS NULL"),
            postgresql_where=text("answered_at IS NULL"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    case_id: str = Field(foreign_key="cases.case_id")
    sender: str
    at: datetime = Field(sa_column=Column(UtcTime, nullable=False))
    text: str = Field(sa_column=Column(Text, nullable=False))
    """hostile"""
    message: str = Field(sa_column=Column(Text, nullable=False))
    """the whole text that was signed"""
    signature: str
    answer: str | None = Field(default=None, sa_column=Column(Text))
    answered_by: str | None = None
    answered_at: datetime | None = Field(default=None, sa_column=Column(UtcTime))


class AttachmentRow(SQLModel, table=True):
    """A file that somebody put beside a case. Taken away means that its bytes are gone; the digest stays."""

    __tablename__ = "attachments"

    id: int | None = Field(default=None, primary_key=True)
    case_id: str = Field(foreign_key="cases.case_id", index=True)
    author: str
    at: datetime = Field(sa_column=Column(UtcTime, nullable=False))
    name: str
    media_type: str
    size: int
    """bytes"""
    digest: str
    """sha256 of the bytes, also in the audit chain"""
    data: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    removed_by: str | None = None


class ExpiryWarningRow(SQLModel, table=True):
    """It was told that a case ends at this moment; a case that was given more time has another."""

    __tablename__ = "expiry_warnings"

    case_id: str = Field(primary_key=True, foreign_key="cases.case_id")
    expires_at: datetime = Field(sa_column=Column(UtcTime, primary_key=True, nullable=False))
    at: datetime = Field(sa_column=Column(UtcTime, nullable=False))


class MentionRow(SQLModel, table=True):
    """Somebody was named in a note."""

    __tablename__ = "mentions"
    __table_args__ = (Index("ix_mentions_name", "name", "seen_at"),)

    id: int | None = Field(default=None, primary_key=True)
    note_id: int = Field(foreign_key="case_notes.id")
    case_id: str = Field(foreign_key="cases.case_id", index=True)
    name: str
    """of the account that is meant"""
    author: str
    at: datetime = Field(sa_column=Column(UtcTime, nullable=False))
    seen_at: datetime | None = Field(default=None, sa_column=Column(UtcTime))


class TokenRow(SQLModel, table=True):
    """What a token says of itself, read once. Hostile text."""

    __tablename__ = "tokens"

    address: str = Field(primary_key=True)
    symbol: str
    name: str
    decimals: int
    """-1: it does not say"""
    read_at: datetime = Field(sa_column=Column(UtcTime, nullable=False))

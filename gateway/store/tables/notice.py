"""The tables of notifications: where they go, what waits to be sent, and how far the audit chain was read."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from sqlalchemy import BigInteger, Column, Index, Text
from sqlmodel import Field, SQLModel

from gateway.store.tables.column import UtcTime


class ChannelRow(SQLModel, table=True):
    """A place that notifications go to, and which ones."""

    __tablename__ = "channels"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    kind: str
    """webhook or apprise"""
    target: str = Field(sa_column=Column(Text, nullable=False))
    """a URL; that of a service usually holds a secret, so it is never printed whole"""
    secret: str
    """what webhooks are signed with; empty for others"""
    rule: str = Field(sa_column=Column(Text, nullable=False))
    """JSON, see store.notices"""
    enabled: bool
    created_by: str
    created_at: datetime = Field(sa_column=Column(UtcTime, nullable=False))


class DeliveryRow(SQLModel, table=True):
    """One notification to one channel: collecting events until `not_before`, then sent until it is taken."""

    __tablename__ = "deliveries"
    __table_args__ = (Index("ix_deliveries_due", "settled_at", "not_before"),)

    id: int | None = Field(default=None, primary_key=True)
    delivery_id: str = Field(unique=True)
    """the same at every attempt: receivers know a repetition by it"""
    channel_id: int = Field(foreign_key="channels.id", index=True)
    notices: str = Field(sa_column=Column(Text, nullable=False))
    """JSON list"""
    created_at: datetime = Field(sa_column=Column(UtcTime, nullable=False))
    not_before: datetime = Field(sa_column=Column(UtcTime, nullable=False))
    """end of the grouping window, of a lease, or of a pause after a failure"""
    attempts: int = 0
    settled_at: datetime | None = Field(default=None, sa_column=Column(UtcTime))
    sent: bool = False
    problem: str = Field(sa_column=Column(Text, nullable=False))
    """of the last attempt; empty if it was taken"""


class NoticeCursorRow(SQLModel, table=True):
    """The one row that says up to which link of the audit chain notices were made."""

    __tablename__ = "notice_cursor"
    ONLY: ClassVar[int] = 1

    id: int = Field(primary_key=True)
    sequence: int = Field(sa_column=Column(BigInteger, nullable=False))

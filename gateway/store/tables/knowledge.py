"""The tables of what the gateway knows beside cases: signatures, trust, reputation, deployments."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Column, Index, Integer, Text
from sqlmodel import Field, SQLModel

from gateway.store.tables.column import UtcTime


class SignatureRow(SQLModel, table=True):
    """One digest of a confirmed case. Ended, never deleted."""

    __tablename__ = "signatures"
    __table_args__ = (Index("ux_signatures_mark", "mark_id", "kind", "digest", unique=True),)

    id: int | None = Field(default=None, primary_key=True)
    kind: str
    digest: str
    size: int
    case_id: str = Field(foreign_key="cases.case_id", index=True)
    mark_id: int
    """the mark that confirmed the case; undone, its signatures are withdrawn"""
    entry: str | None = None
    author: str
    created_at: datetime = Field(sa_column=Column(UtcTime, nullable=False))
    expires_at: datetime = Field(sa_column=Column(UtcTime, nullable=False))
    state: str
    hits: int = 0
    last_hit_at: datetime | None = Field(default=None, sa_column=Column(UtcTime))
    ended_by: str | None = None
    ended_at: datetime | None = Field(default=None, sa_column=Column(UtcTime))
    end_reason: str | None = Field(default=None, sa_column=Column(Text))


class TrustRow(SQLModel, table=True):
    """One line of the allow list. Ended, never deleted."""

    __tablename__ = "trust"

    id: int | None = Field(default=None, primary_key=True)
    sender: str | None = None
    contract: str | None = None
    selector: str | None = None
    detector: str | None = None
    reason: str = Field(sa_column=Column(Text, nullable=False))
    author: str
    created_at: datetime = Field(sa_column=Column(UtcTime, nullable=False))
    expires_at: datetime = Field(sa_column=Column(UtcTime, nullable=False))
    ended_by: str | None = None
    ended_at: datetime | None = Field(default=None, sa_column=Column(UtcTime))


class ReputationRow(SQLModel, table=True):
    """History of one address."""

    __tablename__ = "reputation"

    address: str = Field(primary_key=True)
    clean: int = Field(sa_column=Column(BigInteger, nullable=False))
    senders: int
    first_seen: datetime = Field(sa_column=Column(UtcTime, nullable=False))
    last_seen: datetime = Field(sa_column=Column(UtcTime, nullable=False, index=True))
    false_alarms: int = 0
    confirmed: int = 0


class ReputationSenderRow(SQLModel, table=True):
    """One of the first distinct senders that called a contract."""

    __tablename__ = "reputation_senders"

    contract: str = Field(primary_key=True)
    sender: str = Field(primary_key=True)


class DeploymentRow(SQLModel, table=True):
    """What was seen of a contract when it was deployed."""

    __tablename__ = "deployments"

    id: int | None = Field(
        default=None,
        sa_column=Column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    )
    address: str = Field(unique=True)
    creator: str = Field(index=True)
    hash: str
    at: datetime = Field(sa_column=Column(UtcTime, nullable=False))
    facts: str = Field(sa_column=Column(Text, nullable=False))
    """JSON: size, selectors, callbacks, embedded, effects"""


class RulesInForceRow(SQLModel, table=True):
    """What one gateway process last said of the rules that it goes by."""

    __tablename__ = "rules_in_force"

    replica: str = Field(primary_key=True)
    at: datetime = Field(sa_column=Column(UtcTime, nullable=False))
    document: str = Field(sa_column=Column(Text, nullable=False))
    """JSON, see store.rulebook"""


class RuleHitRow(SQLModel, table=True):
    """How often a rule spoke in one hour, over all gateways."""

    __tablename__ = "rule_hits"

    rule_id: str = Field(primary_key=True)
    hour: datetime = Field(sa_column=Column(UtcTime, primary_key=True, index=True))
    hits: int = Field(sa_column=Column(BigInteger, nullable=False))
    last_at: datetime = Field(sa_column=Column(UtcTime, nullable=False))

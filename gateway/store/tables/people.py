"""The tables of people and of what they add to cases."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Column, Text
from sqlmodel import Field, SQLModel

from gateway.store.tables.column import UtcTime


class UserRow(SQLModel, table=True):
    """An account: a person, or a service that has API tokens only."""

    __tablename__ = "users"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    """lower case; what the audit shows"""
    role: str
    """viewer, analyst, lead, operator or protocol"""
    password_hash: str | None = None
    """argon2id; None cannot sign in by password"""
    totp_secret: str | None = None
    """base32; None while there is no second factor"""
    totp_last_step: int = 0
    """the time step of the last code that was accepted: a code works once"""
    passkeys: int = 0
    """how many this account has; changed together with their rows"""
    contracts: str = Field(default="[]", sa_column=Column(Text, nullable=False))
    """JSON list of addresses a protocol account has proved"""
    service: bool = False
    created_at: datetime = Field(sa_column=Column(UtcTime, nullable=False))
    disabled_at: datetime | None = Field(default=None, sa_column=Column(UtcTime))


class SessionRow(SQLModel, table=True):
    """A signed-in browser. Only the sha256 of its id is kept."""

    __tablename__ = "sessions"

    id_hash: str = Field(primary_key=True)
    user_id: int = Field(foreign_key="users.id", index=True)
    csrf_token: str
    created_at: datetime = Field(sa_column=Column(UtcTime, nullable=False))
    last_seen_at: datetime = Field(sa_column=Column(UtcTime, nullable=False))
    ends_at: datetime = Field(sa_column=Column(UtcTime, nullable=False))
    """absolute, however much it is used"""
    stepped_up_at: datetime | None = Field(default=None, sa_column=Column(UtcTime))
    """when the second factor was last given"""
    revoked_at: datetime | None = Field(default=None, sa_column=Column(UtcTime))
    address: str = ""
    agent: str = ""


class LoginTokenRow(SQLModel, table=True):
    """A one-time sign-in link, as the demonstration prints it. Only its sha256 is kept."""

    __tablename__ = "login_tokens"

    token_hash: str = Field(primary_key=True)
    user_id: int = Field(foreign_key="users.id", index=True)
    expires_at: datetime = Field(sa_column=Column(UtcTime, nullable=False))
    used_at: datetime | None = Field(default=None, sa_column=Column(UtcTime))


class ApiTokenRow(SQLModel, table=True):
    """A token for the API, with scopes and an end. Only its sha256 is kept."""

    __tablename__ = "api_tokens"

    id: int | None = Field(default=None, primary_key=True)
    token_hash: str = Field(unique=True)
    user_id: int = Field(foreign_key="users.id", index=True)
    name: str
    scopes: str = Field(sa_column=Column(Text, nullable=False))
    """space-separated words"""
    created_at: datetime = Field(sa_column=Column(UtcTime, nullable=False))
    expires_at: datetime = Field(sa_column=Column(UtcTime, nullable=False))
    last_used_at: datetime | None = Field(default=None, sa_column=Column(UtcTime))
    revoked_at: datetime | None = Field(default=None, sa_column=Column(UtcTime))


class SignInFailureRow(SQLModel, table=True):
    """A failed sign-in; counted by account *and* address, so that nobody can lock somebody else out."""

    __tablename__ = "sign_in_failures"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(index=True)
    address: str = Field(index=True)
    at: datetime = Field(sa_column=Column(UtcTime, nullable=False, index=True))


class ApprovalRow(SQLModel, table=True):
    """One of the two voices that a large decision needs."""

    __tablename__ = "approvals"

    id: int | None = Field(default=None, primary_key=True)
    case_id: str = Field(foreign_key="cases.case_id", index=True)
    target: str
    """the state that is asked for"""
    actor: str
    reason: str = Field(sa_column=Column(Text, nullable=False))
    at: datetime = Field(sa_column=Column(UtcTime, nullable=False))
    closed_at: datetime | None = Field(default=None, sa_column=Column(UtcTime))
    """withdrawn, or used by the decision"""


class CaseNoteRow(SQLModel, table=True):
    """A remark on a case."""

    __tablename__ = "case_notes"

    id: int | None = Field(default=None, primary_key=True)
    case_id: str = Field(foreign_key="cases.case_id", index=True)
    author: str
    at: datetime = Field(sa_column=Column(UtcTime, nullable=False))
    text: str = Field(sa_column=Column(Text, nullable=False))


class CaseMarkRow(SQLModel, table=True):
    """What a case turned out to be: "false-alarm" or "confirmed-attack". Undone, not deleted."""

    __tablename__ = "case_marks"

    id: int | None = Field(default=None, primary_key=True)
    case_id: str = Field(foreign_key="cases.case_id", index=True)
    mark: str
    actor: str
    reason: str = Field(sa_column=Column(Text, nullable=False))
    at: datetime = Field(sa_column=Column(UtcTime, nullable=False))
    undone_by: str | None = None
    undone_at: datetime | None = Field(default=None, sa_column=Column(UtcTime))


class SavedViewRow(SQLModel, table=True):
    """A filter of the queue that somebody wants to keep."""

    __tablename__ = "saved_views"

    id: int | None = Field(default=None, primary_key=True)
    user_id: int = Field(foreign_key="users.id", index=True)
    name: str
    query: str = Field(sa_column=Column(Text, nullable=False))
    """the query string of its address"""


class LabelRow(SQLModel, table=True):
    """A name for an address, with its source and date; the kind "trusted" is the allow list."""

    __tablename__ = "labels"

    id: int | None = Field(default=None, primary_key=True)
    address: str = Field(index=True)
    kind: str
    """for example "exchange", "sanctioned", "trusted" """
    name: str
    source: str
    added_by: str
    added_at: datetime = Field(sa_column=Column(UtcTime, nullable=False))
    expires_at: datetime | None = Field(default=None, sa_column=Column(UtcTime))

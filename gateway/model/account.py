"""Accounts of the dashboard: who may do what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.model.primitive import Address


class Role(StrEnum):
    """What an account is for."""

    VIEWER = "viewer"
    ANALYST = "analyst"
    LEAD = "lead"
    OPERATOR = "operator"
    PROTOCOL = "protocol"
    """an engineer of a protocol: sees the cases that touch contracts he has proved, and nothing else"""


class Permission(StrEnum):
    """One thing that a role allows; also the scopes of API tokens."""

    READ = "read"
    """the cases that the account may see"""
    OVERSEE = "oversee"
    """figures over all cases, detectors, health"""
    NOTE = "note"
    DECIDE = "decide"
    """claim, release, reject, extend, escalate, mark"""
    MASS = "mass"
    """decide many cases at once"""
    TRUST = "trust"
    """write the allow list"""
    AUDIT = "audit"
    ADMINISTER = "administer"
    """accounts and their sessions"""


PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.VIEWER: frozenset({Permission.READ, Permission.OVERSEE}),
    Role.PROTOCOL: frozenset({Permission.READ, Permission.NOTE}),
    Role.ANALYST: frozenset(
        {Permission.READ, Permission.OVERSEE, Permission.NOTE, Permission.DECIDE, Permission.AUDIT}
    ),
    Role.LEAD: frozenset(Permission) - {Permission.ADMINISTER},
    Role.OPERATOR: frozenset(Permission),
}
"""role -> what it allows. The operator may do all: a small team has one account; the two-person rule still binds it."""


@dataclass(frozen=True, slots=True)
class Account:
    """A person, or a service that has API tokens only."""

    id: int
    name: str
    role: Role
    contracts: frozenset[Address]
    """what a protocol account has proved to own"""
    service: bool
    has_password: bool
    has_second_factor: bool
    """time-based codes"""
    created_at: datetime
    disabled_at: datetime | None
    passkeys: int = 0

    @property
    def needs_more_than_password(self) -> bool:
        """True if a password alone opens nothing: there is a second factor, or a passkey."""
        return self.has_second_factor or self.passkeys > 0

    def may(self, permission: Permission) -> bool:
        """True if the role allows it and the account is not disabled."""
        return self.disabled_at is None and permission in PERMISSIONS[self.role]


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a sign-in is checked against. Never printed."""

    account: Account
    password_hash: str | None
    totp_secret: str | None
    totp_last_step: int


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser."""

    id_hash: str
    account: Account
    csrf_token: str
    created_at: datetime
    last_seen_at: datetime
    ends_at: datetime
    stepped_up_at: datetime | None
    address: str
    agent: str


@dataclass(frozen=True, slots=True)
class Passkey:
    """A WebAuthn credential: what an authenticator proves to hold without showing it."""

    id: int
    user_id: int
    credential_id: str
    """base64url"""
    public_key: bytes
    """COSE key"""
    sign_count: int
    name: str
    created_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Identity:
    """Who an account is at an OIDC provider."""

    id: int
    user_id: int
    issuer: str
    subject: str
    managed: bool
    """the provider made the account and its claims say the role"""
    linked_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token for the API; its text is shown once and never kept."""

    id: int
    account: Account
    name: str
    scopes: frozenset[Permission]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class CaseNote:
    """A remark on a case."""

    id: int
    author: str
    at: datetime
    text: str


class Mark(StrEnum):
    """What somebody says of a case beside deciding it."""

    FALSE_ALARM = "false-alarm"
    CONFIRMED = "confirmed-attack"
    ESCALATED = "escalated"


@dataclass(frozen=True, slots=True)
class CaseMark:
    """One mark on a case; undone, never deleted."""

    id: int
    case_id: str
    mark: Mark
    actor: str
    reason: str
    at: datetime
    undone_by: str | None
    undone_at: datetime | None


@dataclass(frozen=True, slots=True)
class Approval:
    """The first of two voices: a decision that waits for a second person."""

    id: int
    case_id: str
    target: str
    actor: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class SavedView:
    """A filter of the queue that somebody keeps."""

    id: int
    name: str
    query: str

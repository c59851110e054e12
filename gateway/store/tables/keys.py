"""The tables of keys beside passwords: passkeys, identities of a single sign-on, and sign-ins that are half done."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Column, LargeBinary, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from gateway.store.tables.column import UtcTime


class PasskeyRow(SQLModel, table=True):
    """A WebAuthn credential of an account. Its public half; the private one never leaves the authenticator."""

    __tablename__ = "passkeys"

    id: int | None = Field(default=None, primary_key=True)
    credential_id: str = Field(unique=True)
    """base64url, as the browser names it"""
    user_id: int = Field(foreign_key="users.id", index=True)
    public_key: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    """COSE key"""
    sign_count: int = Field(sa_column=Column(BigInteger, nullable=False))
    """the authenticator's counter at its last use; a lower one means that somebody copied the key"""
    name: str
    created_at: datetime = Field(sa_column=Column(UtcTime, nullable=False))
    last_used_at: datetime | None = Field(default=None, sa_column=Column(UtcTime))


class IdentityRow(SQLModel, table=True):
    """Who an account is at an OIDC provider: issuer and subject, never a mail address."""

    __tablename__ = "identities"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    id: int | None = Field(default=None, primary_key=True)
    user_id: int = Field(foreign_key="users.id", index=True)
    issuer: str
    subject: str
    managed: bool = False
    """the provider made this account, so its claims say the role; a linked account keeps the role given here"""
    linked_at: datetime = Field(sa_column=Column(UtcTime, nullable=False))
    last_used_at: datetime | None = Field(default=None, sa_column=Column(UtcTime))


class SignInStepRow(SQLModel, table=True):
    """What this side must remember between the two halves of a passkey or OIDC exchange. Taken once, by one browser."""

    __tablename__ = "sign_in_steps"

    secret_hash: str = Field(primary_key=True)
    """sha256 of what the browser's short-lived cookie holds"""
    kind: str
    address: str = Field(index=True)
    data: str = Field(sa_column=Column(Text, nullable=False))
    """JSON: challenge, or state, nonce and code verifier"""
    expires_at: datetime = Field(sa_column=Column(UtcTime, nullable=False, index=True))

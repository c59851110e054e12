"""Signing in, one's own account, and what an operator looks after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.model.account import Account, ApiToken, Identity, Passkey, Session
from gateway.model.notice import Channel, DeliveryState


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
class ChannelsPage:
    """Where notices go, which ones, and what became of the latest."""

    channels: Sequence[Channel]
    deliveries: Sequence[DeliveryState]
    kinds: tuple[str, ...]
    severities: tuple[str, ...]
    secret: str = ""
    """of a new webhook, shown once"""
    new: str = ""
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

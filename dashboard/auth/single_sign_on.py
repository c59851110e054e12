"""Which account somebody at the provider opens.

An identity is issuer and subject. A mail address or a name never finds an account: whoever can choose theirs at the
provider could choose yours. An account is reached in one of two ways only. *Linked*: its owner, signed in and freshly
confirmed, linked the identity on the account page; it keeps the role that was given here. *Managed*: the first sign-in
made it, if the operator allows that; its role is what the provider's claim maps to, at every sign-in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from dashboard.auth.oidc import SignOnRefused
from dashboard.room import Room
from dashboard.settings import DashboardSettings
from gateway.errors import ConfigurationError
from gateway.model.account import PERMISSIONS, Account, Identity, Role

_ACTOR = "single-sign-on"
_NOT_A_NAME = re.compile(r"[^a-z0-9._@-]+")


def mapped_role(settings: DashboardSettings, claims: Mapping[str, Any]) -> Role | None:
    """The role that allows most among those that the claim's values map to; None if none does."""
    said = claims.get(settings.oidc_role_claim)
    values = said if isinstance(said, list) else [said]
    roles = {settings.oidc_roles[value] for value in values if isinstance(value, str) and value in settings.oidc_roles}
    return max(roles, key=lambda role: (len(PERMISSIONS[role]), role.value), default=None)


async def account_for(room: Room, claims: Mapping[str, Any]) -> Account:
    """The account to sign in.

    Raises:
        SignOnRefused: not-linked, no-role, name-taken, closed.
    """
    found = await room.keys.identity(claims["iss"], claims["sub"])
    if found is None:
        return await _made(room, claims)
    identity, account = found
    if account.disabled_at is not None or account.service:
        raise SignOnRefused("closed", "This account is closed.")
    if identity.managed:
        role = _role(room, claims)
        if role is not account.role:
            await room.people.set_role(account.name, role, actor=_ACTOR)
    await room.keys.use_identity(identity)
    return account


async def link(room: Room, account: Account, claims: Mapping[str, Any]) -> None:
    """Let this identity open the account from now on.

    Raises:
        SignOnRefused: linked-elsewhere.
    """
    try:
        await room.keys.link(account, claims["iss"], claims["sub"])
    except ConfigurationError as error:
        raise SignOnRefused("linked-elsewhere", "This identity opens an account already.") from error


async def confirmed(room: Room, account: Account, claims: Mapping[str, Any]) -> Identity:
    """The identity that confirmed a step, if it is one of this account's.

    Raises:
        SignOnRefused: other-account.
    """
    found = await room.keys.identity(claims["iss"], claims["sub"])
    if found is None or found[1].id != account.id:
        raise SignOnRefused("other-account", "You confirmed as somebody else.")
    return found[0]


async def _made(room: Room, claims: Mapping[str, Any]) -> Account:
    if not room.settings.oidc_create:
        raise SignOnRefused(
            "not-linked", "No account is linked to you. Sign in as before and link it on your account page."
        )
    role = _role(room, claims)
    said = claims.get("preferred_username")
    name = _NOT_A_NAME.sub("-", (said if isinstance(said, str) and said else claims["sub"]).lower()).strip("-._@")[:64]
    try:
        account = await room.people.add(name, role, actor=_ACTOR)
    except ConfigurationError as error:
        raise SignOnRefused(
            "name-taken", f"The name {name} is taken or is no name here. If it is yours, sign in and link it."
        ) from error
    await room.keys.link(account, claims["iss"], claims["sub"], managed=True)
    return account


def _role(room: Room, claims: Mapping[str, Any]) -> Role:
    role = mapped_role(room.settings, claims)
    if role is None:
        raise SignOnRefused("no-role", "The provider gives you no role here.")
    return role

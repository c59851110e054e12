"""Accounts: one's own, and for operators everybody's."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from dashboard.auth.passwords import TooManyFailures, WrongCredentials, check_password
from dashboard.auth.second_factor import enrolment_uri, matching_step, new_secret
from dashboard.auth.sessions import client_address
from dashboard.dependencies import Administrator, Me, Posted, RowId, TheRoom, field, require_step_up
from dashboard.pages.people import AccountPage, UsersPage
from dashboard.room import Room
from dashboard.templating import page
from gateway.errors import ConfigurationError
from gateway.model.account import PERMISSIONS, Account, Permission, Role
from gateway.model.primitive import Address
from gateway.store.people.password import hash_password

routes = APIRouter()
_LONGEST_TOKEN_DAYS = 365


@routes.get("/account")
async def account(request: Request, room: TheRoom, me: Me) -> Response:
    """One's own sessions, second factor, password and API tokens."""
    return page(request, "account.html", await _account_page(room, me.account))


@routes.post("/account/password")
async def change_password(request: Request, room: TheRoom, me: Me, form: Posted) -> Response:
    """Replace one's password; all sessions end, this one too."""
    try:
        if me.account.has_password:
            old = field(form, "old", most=1024)
            await check_password(room, me.account.name, old, client_address(request))
        async with room.hashing:
            hashed = await asyncio.to_thread(hash_password, field(form, "new", most=1024))
    except (WrongCredentials, TooManyFailures, ConfigurationError) as error:
        context = await _account_page(room, me.account, problem=f"The password was not changed: {error}.")
        return page(request, "account.html", context, status=422)
    await room.people.set_password(me.account.name, hashed, actor=me.account.name)
    return RedirectResponse("/login", 303)


@routes.post("/account/second-factor")
async def enrol(request: Request, room: TheRoom, me: Me, form: Posted) -> Response:
    """Show a new secret, then take it on when its first code is right."""
    if me.account.has_second_factor:
        require_step_up(room, me, "/account")
    secret, code = field(form, "secret", most=64), field(form, "code", most=10)
    if not secret or not code:
        secret = new_secret()
        context = await _account_page(room, me.account, secret=secret)
        return page(request, "account.html", context)
    if matching_step(secret, code, room.now().timestamp()) is None:
        context = await _account_page(room, me.account, secret=secret, problem="That code is not right; try the next.")
        return page(request, "account.html", context, status=422)
    await room.people.set_second_factor(me.account.name, secret, actor=me.account.name)
    return RedirectResponse("/account", 303)


@routes.post("/account/sessions/revoke")
async def revoke_session(room: TheRoom, me: Me, form: Posted) -> Response:
    """End one of one's own sessions."""
    await room.sign_in.revoke_session(field(form, "session", most=64), actor=me.account.name, of=me.account)
    return RedirectResponse("/account", 303)


@routes.post("/account/tokens")
async def issue_token(request: Request, room: TheRoom, me: Me, form: Posted) -> Response:
    """A new API token, shown once."""
    require_step_up(room, me, "/account")
    name, days = field(form, "name", most=64), field(form, "days", most=4)
    scopes = {Permission(word) for word in form.getlist("scope") if isinstance(word, str) and word in list(Permission)}
    scopes &= PERMISSIONS[me.account.role]
    if not name or not scopes:
        context = await _account_page(room, me.account, problem="A token needs a name and at least one scope.")
        return page(request, "account.html", context, status=422)
    lasts = token_span(days)
    token = await room.sign_in.issue_api_token(me.account, name, scopes, lasts=lasts, actor=me.account.name)
    return page(request, "account.html", await _account_page(room, me.account, new_token=token))


@routes.post("/account/tokens/{token_id}/revoke")
async def revoke_token(room: TheRoom, me: Me, form: Posted, token_id: RowId) -> Response:
    """End one of one's own tokens."""
    await room.sign_in.revoke_api_token(me.account, token_id, actor=me.account.name)
    return RedirectResponse("/account", 303)


@routes.get("/users")
async def users(request: Request, room: TheRoom, me: Administrator) -> Response:
    """Every account."""
    return page(request, "users.html", await _users_page(room))


@routes.post("/users")
async def add_user(request: Request, room: TheRoom, me: Administrator, form: Posted) -> Response:
    """Create an account with a first password."""
    require_step_up(room, me, "/users")
    try:
        role, contracts = chosen_role(field(form, "role")), named_contracts(field(form, "contracts", most=10_000))
        async with room.hashing:
            hashed = await asyncio.to_thread(hash_password, field(form, "password", most=1024))
        await room.people.add(
            field(form, "name", most=64), role, actor=me.account.name, password_hash=hashed, contracts=contracts
        )
    except ConfigurationError as error:
        problem = f"The account was not created: {error}."
        return page(request, "users.html", await _users_page(room, problem), status=422)
    return RedirectResponse("/users", 303)


@routes.post("/users/{name}")
async def change_user(request: Request, room: TheRoom, me: Administrator, form: Posted, name: str) -> Response:
    """Change role or contracts, disable, enable, or take off a lost second factor."""
    require_step_up(room, me, "/users")
    actor, people = me.account.name, room.people
    if name == actor:
        return page(
            request, "users.html", await _users_page(room, "Ask another operator to change your account."), status=422
        )
    try:
        match field(form, "step"):
            case "role":
                await people.set_role(name, chosen_role(field(form, "role")), actor=actor)
            case "contracts":
                contracts = named_contracts(field(form, "contracts", most=10_000))
                await people.set_contracts(name, contracts, actor=actor)
            case "disable":
                await people.disable(name, actor=actor)
            case "enable":
                await people.enable(name, actor=actor)
            case "drop-second-factor":
                await people.set_second_factor(name, None, actor=actor)
            case "drop-passkeys":
                known = await people.credentials(name)
                if known is None:
                    raise ConfigurationError(f"there is no account {name[:64]}")
                await room.keys.remove_passkeys(known.account, actor=actor)
            case step:
                raise HTTPException(422, f"There is no step {step[:40]!r}.")
    except ConfigurationError as error:
        return page(request, "users.html", await _users_page(room, f"Nothing was changed: {error}."), status=422)
    return RedirectResponse("/users", 303)


def token_span(days: str) -> timedelta:
    """How long a token of a form may live: 1 to 365 days, 30 if nothing sensible was said."""
    return timedelta(days=min(max(int(days), 1), _LONGEST_TOKEN_DAYS) if re.fullmatch("[0-9]{1,4}", days) else 30)


async def _users_page(room: Room, problem: str = "") -> UsersPage:
    people = [known for known in await room.people.accounts() if not known.service]
    return UsersPage(people, tuple(role.value for role in Role), problem)


async def _account_page(
    room: Room, account: Account, *, problem: str = "", secret: str = "", new_token: str = ""
) -> AccountPage:
    return AccountPage(
        sessions=await room.sign_in.sessions(account),
        passkeys=await room.keys.passkeys(account),
        identities=await room.keys.identities(account),
        tokens=await room.sign_in.api_tokens(account),
        scopes=tuple(sorted(scope.value for scope in PERMISSIONS[account.role])),
        secret=secret,
        uri=enrolment_uri(secret, account.name) if secret else "",
        new_token=new_token,
        problem=problem,
    )


def chosen_role(word: str) -> Role:
    """The role that a form names. Raises ConfigurationError."""
    if word not in list(Role):
        raise ConfigurationError("choose a role")
    return Role(word)


def named_contracts(text: str) -> list[Address]:
    """The addresses that a form names. Raises ConfigurationError."""
    try:
        return [Address.from_hex(word) for word in text.replace(",", " ").split()]
    except ValueError as error:
        raise ConfigurationError(f"contracts are addresses separated by spaces: {error}") from error

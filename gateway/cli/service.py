"""`stopgate service`: accounts of programs and their API tokens."""

from __future__ import annotations

import asyncio
import getpass
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.table import Table

from gateway.cli.administration import AsJson, DataDir, record_url
from gateway.cli.terminal import console
from gateway.errors import ConfigurationError
from gateway.model.account import PERMISSIONS, Account, ApiToken, Permission, Role
from gateway.store.database import Database
from gateway.store.migrate import migrate
from gateway.store.people.account import People
from gateway.store.people.sign_in import SignIn

service = typer.Typer(help="Accounts of programs: no password, only API tokens.", no_args_is_help=True)
T = TypeVar("T")
Days = Annotated[int, typer.Option(min=1, max=365, help="How long the token lives.")]


@service.command("add")
def add(
    name: str, role: Annotated[Role, typer.Option(help="What it may do.")] = Role.VIEWER, data_dir: DataDir = None
) -> None:
    """Add a service account."""

    async def run(people: People, tokens: SignIn) -> None:
        account = await people.add(name, role, actor=_actor(), service=True)
        console.print(f"service account {account.name} with role {account.role} is ready")

    _with_stores(data_dir, run)


@service.command("list")
def show(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Every service account and its tokens: scopes, end, last use."""

    async def run(people: People, tokens: SignIn) -> None:
        rows: list[tuple[Account, ApiToken | None]] = []
        for account in await people.accounts():
            if account.service:
                rows += [(account, token) for token in await tokens.api_tokens(account)] or [(account, None)]
        if as_json:
            lines = [
                {"service": account.name, "role": account.role, "disabled": account.disabled_at is not None}
                | ({} if token is None else {
                    "id": token.id, "token": token.name, "scopes": sorted(token.scopes),
                    "expires_at": token.expires_at.isoformat(), "revoked": token.revoked_at is not None,
                    "last_used_at": token.last_used_at and token.last_used_at.isoformat(),
                })
                for account, token in rows
            ]  # fmt: skip
            typer.echo(json.dumps(lines))
            return
        table = Table("service", "role", "id", "token", "scopes", "ends", "last used")
        for account, token in rows:
            role = f"{account.role} (disabled)" if account.disabled_at else account.role.value
            if token is None:
                table.add_row(account.name, role)
            else:
                used = f"{token.last_used_at:%Y-%m-%d %H:%M}" if token.last_used_at else "never"
                ends = "revoked" if token.revoked_at else f"{token.expires_at:%Y-%m-%d %H:%M}"
                scopes = " ".join(sorted(token.scopes))
                table.add_row(account.name, role, str(token.id), token.name, scopes, ends, used)
        console.print(table)

    _with_stores(data_dir, run)


@service.command("token")
def issue(
    name: str,
    label: str,
    scope: Annotated[list[Permission], typer.Option(help="May be given more than once.")],
    days: Days = 90,
    data_dir: DataDir = None,
) -> None:
    """Issue a token; it is printed this once."""

    async def run(people: People, tokens: SignIn) -> None:
        account = await _service(people, name)
        refused = set(scope) - PERMISSIONS[account.role]
        if refused:
            raise ConfigurationError(f"the role {account.role} does not have {', '.join(sorted(refused))}")
        typer.echo(await tokens.issue_api_token(account, label, scope, lasts=timedelta(days=days), actor=_actor()))

    _with_stores(data_dir, run)


@service.command("rotate")
def rotate(
    name: str,
    token_id: int,
    overlap_hours: Annotated[int, typer.Option(min=0, max=168, help="How long the old one still works.")] = 24,
    data_dir: DataDir = None,
) -> None:
    """Issue a successor with the same scopes and span; it is printed this once."""

    async def run(people: People, tokens: SignIn) -> None:
        account, overlap = await _service(people, name), timedelta(hours=overlap_hours)
        secret = await tokens.rotate_api_token(account, token_id, overlap=overlap, actor=_actor())
        if secret is None:
            raise ConfigurationError(f"{account.name} has no live token {token_id}; stopgate service list shows them")
        typer.echo(secret)

    _with_stores(data_dir, run)


@service.command("revoke")
def revoke(name: str, token_id: int, data_dir: DataDir = None) -> None:
    """End a token now."""

    async def run(people: People, tokens: SignIn) -> None:
        account = await _service(people, name)
        if not await tokens.revoke_api_token(account, token_id, actor=_actor()):
            raise ConfigurationError(f"{account.name} has no live token {token_id}; stopgate service list shows them")
        console.print(f"token {token_id} of {account.name} is revoked")

    _with_stores(data_dir, run)


async def _service(people: People, name: str) -> Account:
    known = await people.credentials(name)
    if known is None or not known.account.service:
        raise ConfigurationError(f"there is no service account {name[:64]}; stopgate service add makes one")
    return known.account


def _actor() -> str:
    return f"cli:{getpass.getuser()}"


def _with_stores(data_dir: Path | None, run: Callable[[People, SignIn], Awaitable[T]]) -> T:
    url = record_url(data_dir)
    migrate(url)

    async def opened() -> T:
        database = Database(url)
        try:
            return await run(People(database), SignIn(database))
        finally:
            await database.close()

    return asyncio.run(opened())

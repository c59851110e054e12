"""`stopgate migrate`, `user` and `audit`: care of the record."""

from __future__ import annotations

import asyncio
import getpass
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from gateway.app.stores import database_url
from gateway.cli.terminal import clean, console, problems
from gateway.model.account import Role
from gateway.model.case import ChainBreak
from gateway.settings import load_settings
from gateway.store.audit import AuditLog
from gateway.store.database import Database, make_data_dir
from gateway.store.migrate import migrate as run_migrations
from gateway.store.people.account import People
from gateway.store.people.password import hash_password

user = typer.Typer(help="Accounts of the dashboard.", no_args_is_help=True)
audit = typer.Typer(help="The hash-chained audit log.", no_args_is_help=True)

DataDir = Annotated[Path | None, typer.Option("--data-dir", "-d", help="Folder of the embedded stores.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def migrate(data_dir: DataDir = None, target: Annotated[str, typer.Option(help="Schema version.")] = "head") -> None:
    """Bring the database's schema to this program's version. `serve` does it by itself."""
    before, after = run_migrations(record_url(data_dir), target)
    console.print(f"schema {before or 'none'} → {after or 'none'}" if before != after else f"schema {after} is current")


@user.command("add")
def add(
    name: str,
    role: Annotated[Role, typer.Option(help="What the account may do.")] = Role.ANALYST,
    data_dir: DataDir = None,
    password_stdin: Annotated[bool, typer.Option(help="Read the password from standard input.")] = False,
) -> None:
    """Add an account. The password is asked for, never taken from the command line."""
    if password_stdin:
        password = sys.stdin.readline().rstrip("\n")
    else:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    url = record_url(data_dir)
    run_migrations(url)

    async def run() -> None:
        database = Database(url)
        try:
            account = await People(database).add(
                name, role, actor=f"cli:{getpass.getuser()}", password_hash=hash_password(password)
            )
        finally:
            await database.close()
        console.print(f"account {account.name} with role {account.role} is ready")

    asyncio.run(run())


@audit.command()
def verify(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Walk the whole chain and name the first record that does not hold. Exit code 1 if there is one."""

    async def run() -> int:
        database = Database(record_url(data_dir))
        try:
            found = await AuditLog(database).verify()
        finally:
            await database.close()
        if isinstance(found, ChainBreak):
            if as_json:
                typer.echo(json.dumps({"holds": False, "sequence": found.sequence, "problem": found.problem}))
            else:
                problems.print(
                    f"record {found.sequence} does not hold: {clean(found.problem)}", style="red", markup=False
                )
            return 1
        if as_json:
            typer.echo(json.dumps({"holds": True, "records": found.sequence, "head": found.hash.hex()}))
        else:
            console.print(f"{found.sequence:,} records hold; head {found.hash.hex()}", highlight=False)
        return 0

    raise typer.Exit(asyncio.run(run()))


def record_url(data_dir: Path | None) -> str:
    """The database that the options and the environment name."""
    settings = load_settings(**({} if data_dir is None else {"data_dir": data_dir}))
    make_data_dir(settings.data_dir)
    return database_url(settings.store, settings.data_dir)

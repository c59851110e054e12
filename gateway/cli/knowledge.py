"""`stopgate signatures` and `stopgate trust`: what the gateway knows of confirmed attacks, and whom it trusts."""

from __future__ import annotations

import asyncio
import getpass
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.table import Table

from gateway.app.stores import database_url
from gateway.cli.terminal import age, clean, complain, console, shortened
from gateway.model.primitive import Address
from gateway.model.signature import KeptSignature
from gateway.model.trust import Reputation, TrustEntry
from gateway.settings import load_settings
from gateway.store.database import Database, make_data_dir
from gateway.store.knowledge.signatures import Signatures
from gateway.store.knowledge.trust import TrustBook
from gateway.store.migrate import migrate

signatures = typer.Typer(help="Signatures of confirmed attacks, by which copies are held.", no_args_is_help=True)
trust = typer.Typer(help="The allow list, and what history says of an address.", no_args_is_help=True)

DataDir = Annotated[Path | None, typer.Option("--data-dir", "-d", help="Folder of the embedded stores.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Number = Annotated[int, typer.Argument(min=1, help="Its number in the list.")]
Reason = Annotated[str, typer.Option("--reason", "-m", help="Why; kept in the audit log.")]


@signatures.command("list")
def list_signatures(
    data_dir: DataDir = None,
    case: Annotated[str, typer.Option(help="Only those of this case.")] = "",
    as_json: AsJson = False,
) -> None:
    """List signatures, the newest first."""

    async def show(database: Database) -> None:
        found = await Signatures(database).listed(case_id=case)
        if as_json:
            typer.echo(json.dumps({"signatures": [signature_document(one) for one in found]}))
            return
        if not found:
            console.print("No signature. They are made when a case is marked as a confirmed attack.")
            return
        table = Table("number", "kind", "state", "case", "author", "expires", "hits", box=None, padding=(0, 2))
        for one in found:
            kept = one.signature
            expires = age(kept.expires_at, datetime.now(UTC))
            row = (str(kept.id), kept.kind, kept.state, kept.case_id, clean(kept.author), expires, str(one.hits))
            table.add_row(*row)
        console.print(table)

    _with_database(data_dir, show)


@signatures.command("show")
def show_signature(number: Number, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show one signature: where it comes from, and what it did."""

    async def show(database: Database) -> None:
        one = await Signatures(database).one(number)
        if one is None:
            _refuse(f"there is no signature {number}; see: stopgate signatures list")
        document = signature_document(one)
        if as_json:
            typer.echo(json.dumps(document))
        else:
            for name, value in document.items():
                console.print(f"{name:12} {clean(str(value))}", highlight=False)

    _with_database(data_dir, show)


@signatures.command("withdraw")
def withdraw_signature(number: Number, reason: Reason, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """End one signature for good: it matches nothing from now on, within a second in every replica."""

    async def withdraw(database: Database) -> None:
        if not await Signatures(database).withdraw(number, _actor(), _reason(reason)):
            _refuse(f"signature {number} is not there, or was withdrawn before")
        _done(f"signature {number} is withdrawn", as_json)

    _with_database(data_dir, withdraw)


@trust.command("list")
def list_trust(
    data_dir: DataDir = None,
    ended: Annotated[bool, typer.Option("--ended", help="Also what was withdrawn or has expired.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the lines of the allow list, the newest first."""

    async def show(database: Database) -> None:
        entries = await TrustBook(database).entries(ended=ended)
        if as_json:
            typer.echo(json.dumps({"entries": [trust_document(entry) for entry in entries]}))
            return
        if not entries:
            console.print("The allow list is empty.")
            return
        table = Table("number", "covers", "reason", "author", "expires", box=None, padding=(0, 2))
        for entry in entries:
            expires = "withdrawn" if entry.ended_at else age(entry.expires_at, datetime.now(UTC))
            table.add_row(str(entry.id), entry.scope, clean(entry.reason), clean(entry.author), expires)
        console.print(table)

    _with_database(data_dir, show)


@trust.command("add")
def add_trust(
    reason: Reason,
    sender: Annotated[str, typer.Option(help="Address that sends.")] = "",
    contract: Annotated[str, typer.Option(help="Contract that is called.")] = "",
    selector: Annotated[str, typer.Option(help="Function of the contract, 0x and 8 hex digits.")] = "",
    detector: Annotated[str, typer.Option(help="Only findings of this detector; they become low confidence.")] = "",
    days: Annotated[int, typer.Option(min=1, max=365, help="How long it lasts.")] = 30,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Trust a sender, a contract or both: findings count for less, up to severity high. Nothing skips inspection."""

    async def add(database: Database) -> None:
        try:
            number = await TrustBook(database).add(
                author=_actor(),
                reason=reason,
                expires_at=datetime.now(UTC) + timedelta(days=days),
                sender=Address.from_hex(sender) if sender else None,
                contract=Address.from_hex(contract) if contract else None,
                selector=bytes.fromhex(selector.removeprefix("0x")) if selector else None,
                detector=detector or None,
            )
        except ValueError as error:
            _refuse(f"nothing was added: {error}")
        _done(f"line {number} is on the allow list for {days} days", as_json, number=number)

    _with_database(data_dir, add)


@trust.command("withdraw")
def withdraw_trust(number: Number, reason: Reason, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """End one line of the allow list."""

    async def withdraw(database: Database) -> None:
        if not await TrustBook(database).withdraw(number, _actor(), _reason(reason)):
            _refuse(f"line {number} is not there, or was withdrawn before")
        _done(f"line {number} is withdrawn", as_json)

    _with_database(data_dir, withdraw)


@trust.command("reputation")
def reputation(
    address: Annotated[str, typer.Argument(help="One address; without it, those with the longest history.")] = "",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """What history says: clean, mined transactions and people's marks."""

    async def show(database: Database) -> None:
        book = TrustBook(database)
        try:
            one = await book.reputation(Address.from_hex(address)) if address else None
        except ValueError as error:
            _refuse(str(error))
        if address and one is None:
            _refuse(f"nothing is known of {clean(address)}")
        found = [one] if one is not None else await book.reputations(50)
        if as_json:
            typer.echo(json.dumps({"reputations": [reputation_document(entry) for entry in found]}))
            return
        table = Table("address", "standing", "clean", "senders", "false alarms", "confirmed", box=None, padding=(0, 2))
        for entry in found:
            figures = (entry.clean, entry.senders, entry.false_alarms, entry.confirmed)
            name = str(entry.address) if address else shortened(str(entry.address))
            table.add_row(name, entry.standing, *map(str, figures))
        console.print(table)

    _with_database(data_dir, show)


def signature_document(kept: KeptSignature) -> dict[str, object]:
    """A signature as plain JSON values."""
    one = kept.signature
    return {
        "id": one.id,
        "kind": one.kind.value,
        "state": one.state.value,
        "case": one.case_id,
        "entry": None if one.entry is None else str(one.entry),
        "digest": one.digest.hex(),
        "author": one.author,
        "created": one.created_at.isoformat(),
        "expires": one.expires_at.isoformat(),
        "hits": kept.hits,
        "lastHit": None if kept.last_hit_at is None else kept.last_hit_at.isoformat(),
        "endedBy": kept.ended_by,
        "endReason": kept.end_reason,
    }


def trust_document(entry: TrustEntry) -> dict[str, object]:
    """A line of the allow list as plain JSON values."""
    return {
        "id": entry.id,
        "sender": None if entry.sender is None else str(entry.sender),
        "contract": None if entry.contract is None else str(entry.contract),
        "selector": None if entry.selector is None else "0x" + entry.selector.hex(),
        "detector": entry.detector,
        "reason": entry.reason,
        "author": entry.author,
        "created": entry.created_at.isoformat(),
        "expires": entry.expires_at.isoformat(),
        "endedBy": entry.ended_by,
    }


def reputation_document(found: Reputation) -> dict[str, object]:
    """A reputation as plain JSON values."""
    return {
        "address": str(found.address),
        "standing": found.standing,
        "clean": found.clean,
        "senders": found.senders,
        "falseAlarms": found.false_alarms,
        "confirmed": found.confirmed,
        "firstSeen": found.first_seen.isoformat(),
        "lastSeen": found.last_seen.isoformat(),
    }


def _with_database(data_dir: Path | None, work: Callable[[Database], Awaitable[None]]) -> None:
    async def run() -> None:
        async with _database(data_dir) as database:
            await work(database)

    asyncio.run(run())


@asynccontextmanager
async def _database(data_dir: Path | None) -> AsyncIterator[Database]:
    settings = load_settings(**({} if data_dir is None else {"data_dir": data_dir}))
    make_data_dir(settings.data_dir)
    url = database_url(settings.store, settings.data_dir)
    await asyncio.to_thread(migrate, url)
    database = Database(url)
    try:
        yield database
    finally:
        await database.close()


def _actor() -> str:
    return f"cli:{getpass.getuser()}"


def _reason(text: str) -> str:
    if not text.strip():
        raise typer.BadParameter("say why; the audit log keeps it", param_hint="--reason")
    return text


def _refuse(text: str) -> NoReturn:
    complain(text)
    raise typer.Exit(1)


def _done(text: str, as_json: bool, **values: object) -> None:
    if as_json:
        typer.echo(json.dumps({"done": text, **values}))
    else:
        console.print(text, highlight=False)

"""`stopgate quarantine`: the queue in the terminal. Decisions are written as the dashboard writes them."""

from __future__ import annotations

import asyncio
import getpass
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer
from rich.table import Table
from rich.text import Text

from gateway.app.stores import OpenStores, open_stores
from gateway.cli.render import call_tree, changes_table, findings_table, sections, transaction_table, verdict_text
from gateway.cli.terminal import address_text, age, clean, complain, console, problems, shortened, state_text
from gateway.errors import QueueUnavailable
from gateway.model.case import CaseDetail, CaseQuery, Conflict, Decision
from gateway.model.primitive import Hash32
from gateway.model.quarantine import WAITING, CaseState, QuarantineEntry
from gateway.settings import Settings, load_settings

log = structlog.get_logger()

cli = typer.Typer(help="List, show, release and reject held transactions.", no_args_is_help=True)

DataDir = Annotated[Path | None, typer.Option("--data-dir", "-d", help="Folder of the embedded stores.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
CaseId = Annotated[str, typer.Argument(help="Case id or transaction hash.")]
Reason = Annotated[str, typer.Option("--reason", "-m", help="Why; kept in the audit log.")]


@cli.command("list")
def list_cases(
    data_dir: DataDir = None,
    state: Annotated[list[CaseState] | None, typer.Option(help="Only these states; default: waiting.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    as_json: AsJson = False,
) -> None:
    """List cases, the most pressing first."""
    query = CaseQuery(states=frozenset(state) if state else WAITING, limit=limit)

    async def run() -> None:
        async with open_stores(_settings(data_dir)) as stores:
            page = await stores.record.cases(query)
        if as_json:
            typer.echo(json.dumps({"total": page.total, "cases": [_document(entry) for entry in page.entries]}))
            return
        if not page.entries:
            console.print("No case is waiting." if not state else "No case in that state.")
            return
        table = Table("case", "state", "transaction", "sender", "clause", "held", "expires", box=None, padding=(0, 2))
        for entry in page.entries:
            table.add_row(
                entry.case_id,
                state_text(entry.state),
                shortened(str(entry.hash)),
                shortened(str(entry.sender)),
                entry.verdict.clause,
                age(entry.held_at),
                age(entry.expires_at),
            )
        console.print(table)
        console.print(f"{len(page.entries)} of {page.total}. Look at one: stopgate quarantine show CASE", style="dim")

    asyncio.run(run())


@cli.command()
def show(case: CaseId, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show why a case is held, what it would do, and until when."""

    async def run() -> None:
        async with open_stores(_settings(data_dir)) as stores:
            entry = await _find(stores, case)
            detail = await stores.record.detail(entry.case_id)
        if as_json:
            typer.echo(json.dumps(_document(entry)))
        else:
            _print_case(entry, detail)

    asyncio.run(run())


@cli.command()
def release(case: CaseId, reason: Reason, data_dir: DataDir = None) -> None:
    """Release a case: the gateway simulates it again at the head and forwards it once."""
    _decide(case, CaseState.RELEASED, reason, data_dir)


@cli.command()
def reject(case: CaseId, reason: Reason, data_dir: DataDir = None) -> None:
    """Reject a case for good; it is never forwarded."""
    _decide(case, CaseState.REJECTED, reason, data_dir)


def _decide(case: str, target: CaseState, reason: str, data_dir: Path | None) -> None:
    if not reason.strip():
        raise typer.BadParameter("say why; the audit log keeps it", param_hint="--reason")

    async def run() -> None:
        async with open_stores(_settings(data_dir)) as stores:
            entry = await _find(stores, case)
            decided = await stores.record.decide(entry.case_id, Decision(target, f"cli:{getpass.getuser()}", reason))
            if isinstance(decided, Conflict):
                complain(str(decided))
                raise typer.Exit(1)
            try:
                await stores.queue.move(decided)
            except QueueUnavailable as error:
                # SQL has decided; the live queue follows at its next rebuild.
                problems.print(f"the live queue did not follow: {error}", style="yellow")
        console.print(Text.assemble(f"case {decided.case_id} is ", state_text(decided.state)))
        if target is CaseState.RELEASED:
            console.print("A running gateway forwards it after one more look at the head.", style="dim")

    asyncio.run(run())


async def _find(stores: OpenStores, case: str) -> QuarantineEntry:
    entry = await stores.record.case(case)
    if entry is None:
        try:
            entry = await stores.record.by_hash(Hash32.from_hex(case))
        except ValueError:
            entry = None
    if entry is None:
        complain(f"there is no case {clean(case)}; see: stopgate quarantine list")
        raise typer.Exit(1)
    return entry


def _print_case(entry: QuarantineEntry, detail: CaseDetail | None) -> None:
    head = Text.assemble(f"case {entry.case_id}  ", state_text(entry.state), f"  held {age(entry.held_at)}")
    if entry.state in WAITING:
        head.append(f", expires {age(entry.expires_at, datetime.now(UTC))}")
    if entry.decided_by:
        head.append(f", decided by {clean(entry.decided_by)}: {clean(entry.decision_reason or '')}")
    console.print(head)
    parts: list[tuple[str, Any]] = [
        ("Why", verdict_text(entry.verdict)),
        ("Findings", findings_table(entry.verdict.report)),
    ]
    if detail is not None:
        parts.insert(0, ("Transaction", transaction_table(detail.transaction)))
        parts.append(("What it would change", changes_table(detail.facts)))
        if detail.simulation is not None:
            parts.append(("Calls", call_tree(detail.simulation)))
    console.print(sections(parts))


def _document(entry: QuarantineEntry) -> dict[str, object]:
    return {
        "caseId": entry.case_id,
        "state": entry.state,
        "hash": str(entry.hash),
        "sender": str(entry.sender),
        "to": address_text(entry.to),
        "nonce": entry.nonce,
        "value": str(entry.value),
        "clause": entry.verdict.clause,
        "reason": entry.verdict.reason,
        "score": entry.verdict.score,
        "findings": [
            {
                "detector": finding.detector_id,
                "severity": finding.severity.name.lower(),
                "confidence": finding.confidence.name.lower(),
                "summary": finding.summary,
            }
            for finding in entry.verdict.report.findings
        ],
        "heldAt": entry.held_at.isoformat(),
        "expiresAt": entry.expires_at.isoformat(),
        "decidedBy": entry.decided_by,
        "decisionReason": entry.decision_reason,
    }


def _settings(data_dir: Path | None) -> Settings:
    return load_settings(**({} if data_dir is None else {"data_dir": data_dir}))

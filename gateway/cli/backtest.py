"""`stopgate backtest`: the rule set over blocks that a chain has already made."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from gateway.app.chain import chain_profile, open_upstream
from gateway.app.judging import policy_of
from gateway.cli.terminal import clean, shortened
from gateway.errors import UpstreamNonsense
from gateway.evaluate.backtest import (
    Backtest,
    BlockReport,
    Journal,
    all_held,
    block_range,
    default_journal,
    summary,
)
from gateway.evaluate.command import make_simulator
from gateway.evaluate.past import PacedReader
from gateway.inspection import registry
from gateway.settings import Settings, load_settings


def backtest(
    upstream: Annotated[str | None, typer.Option("--upstream", "-u", help="RPC of a node with old state.")] = None,
    first: Annotated[int | None, typer.Option("--from", min=1, help="First block.")] = None,
    last: Annotated[int | None, typer.Option("--to", min=1, help="Last block; default: the newest.")] = None,
    latest: Annotated[int | None, typer.Option("--last", min=1, help="Instead: so many of the newest blocks.")] = None,
    rate: Annotated[float, typer.Option(min=0, help="Calls a second at the most; 0: no limit.")] = 0.0,
    journal: Annotated[Path | None, typer.Option(help="Where finished blocks are kept, to resume.")] = None,
    engine: Annotated[str, typer.Option("--engine", "-e", help="auto, revm or py-evm.")] = "auto",
    rules: Annotated[
        list[Path] | None, typer.Option("--rules", help="Rule files or folders; those in shadow count too.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")] = False,
) -> None:
    """Run the rule set over past blocks and print what it would have held.

    Each transaction is executed again on the state after the parent block, fetched from the node, and compared with
    its receipt. Nothing is sent and nothing is written but the journal.
    """
    overrides: dict[str, object] = {"upstream": {"urls": (upstream,)}} if upstream else {}
    if rules:
        overrides["inspection"] = {"rules": rules}
    settings = load_settings(**overrides)
    console = Console(stderr=as_json, markup=False)
    reports, document = asyncio.run(_run(settings, (first, last, latest), rate, journal, engine, console, bool(rules)))
    _show(console, reports, document)
    if as_json:
        typer.echo(json.dumps(document))


async def _run(
    settings: Settings,
    wanted: tuple[int | None, int | None, int | None],
    rate: float,
    journal: Path | None,
    engine: str,
    console: Console,
    binding: bool,
) -> tuple[list[BlockReport], dict[str, object]]:
    ruleset = registry.load(
        disabled=settings.inspection.disabled_detectors, rules=settings.inspection.rules, binding=binding
    )
    async with AsyncExitStack() as stack:
        node = open_upstream(settings.upstream)
        stack.push_async_callback(node.close)
        chain_id = _number(await node.call("eth_chainId"), "chain id")
        begin, end = block_range(_number(await node.call("eth_blockNumber"), "block number"), *wanted)
        simulator = make_simulator(engine)
        stack.push_async_callback(simulator.close)
        path = journal or default_journal(settings.data_dir, chain_id, begin, end)
        kept = Journal(path, ruleset.hash, chain_id)
        test = Backtest(
            PacedReader(node, rate),
            chain_profile(chain_id, settings.upstream.profile),
            simulator,
            ruleset,
            policy_of(settings.policy),
            kept,
        )
        columns = (TextColumn("blocks"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, TextColumn("{task.description}"), console=console) as progress:
            bar, held = progress.add_task("", total=end - begin + 1), 0

            def done(report: BlockReport) -> None:
                nonlocal held
                held += len(report.held)
                progress.update(bar, advance=1, description=f"{held} held")

            reports = await test.run(begin, end, done)
        return reports, summary(reports, ruleset.hash, simulator.name)


def _number(answer: object, what: str) -> int:
    try:
        return int(str(answer), 16)
    except ValueError as error:
        raise UpstreamNonsense(f"the upstream's {what} is no number: {str(answer)[:80]}") from error


def _show(console: Console, reports: list[BlockReport], document: dict[str, object]) -> None:
    table = Table("block", "transaction", "sender", "to", "clause", "detectors", box=None, padding=(0, 2))
    for held in all_held(reports):
        to = "creation" if held.to is None else shortened(held.to)
        names = ", ".join(held.detectors)
        table.add_row(str(held.block), shortened(held.hash), shortened(held.sender), to, held.clause, clean(names))
    if table.row_count:
        console.print(table)
    unfaithful = document["unfaithful"]
    count = len(unfaithful) if isinstance(unfaithful, list) else 0
    console.print(
        f"{document['transactions']} transactions of {document['blocks']} blocks: {table.row_count} would be held; "
        f"{count} came out otherwise than on the chain, {document['incomplete']} were not inspected whole, "
        f"{document['leftOut']} were left out. Engine {document['engine']}, rule set {document['ruleset']}.",
        highlight=False,
    )

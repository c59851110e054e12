"""`stopgate inspect` and `evaluate`: look at one transaction, or at many whose truth is known."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.app.chain import Chain, open_chain, open_upstream
from gateway.app.judging import build_pipeline, policy_of
from gateway.cli.render import call_tree, changes_table, findings_table, sections, transaction_table, verdict_text
from gateway.cli.terminal import console
from gateway.errors import DecodingError, UpstreamError
from gateway.evaluate.command import evaluate as run_evaluation
from gateway.inspection import registry
from gateway.model.primitive import Hash32
from gateway.pipeline import Judgement
from gateway.settings import Settings, load_settings
from gateway.store.shared.pending import MemoryPendingLog
from gateway.upstream.client import Upstream

_HASH_CHARACTERS = 66
_SECONDS = 30.0


def inspect(
    transaction: Annotated[str, typer.Argument(help="Raw signed bytes as 0x hex, or the hash of a known transaction.")],
    upstream: Annotated[str | None, typer.Option("--upstream", "-u", help="RPC to simulate on.")] = None,
    engine: Annotated[str | None, typer.Option("--engine", "-e", help="auto, revm or py-evm.")] = None,
    rules: Annotated[
        list[Path] | None, typer.Option("--rules", help="Rule files or folders; those in shadow count too.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Judge one transaction at the present head and print verdict, call tree and changes. Nothing is sent.

    Exit code 0 if it would be forwarded, 1 if not.
    """
    overrides: dict[str, Any] = {}
    if upstream:
        overrides["upstream"] = {"urls": (upstream,)}
    inspection = {name: value for name, value in (("engine", engine), ("rules", rules)) if value}
    if inspection:
        overrides["inspection"] = inspection
    judgement = asyncio.run(_judge(transaction, load_settings(**overrides), bool(rules)))
    if as_json:
        typer.echo(json.dumps(_document(judgement)))
    else:
        parts: list[tuple[str, Any]] = [
            ("Verdict", verdict_text(judgement.verdict)),
            ("Transaction", transaction_table(judgement.transaction)),
            ("Findings", findings_table(judgement.verdict.report)),
            ("What it would change", changes_table(judgement.facts)),
        ]
        if judgement.simulation is not None:
            parts.append(("Calls", call_tree(judgement.simulation)))
        console.print(sections(parts))
    raise typer.Exit(0 if judgement.verdict.action == "forward" else 1)


def evaluate(
    paths: Annotated[list[Path], typer.Argument(help="Folders or files of recorded cases.")],
    benign: Annotated[Path | None, typer.Option("--benign", help="Folder or file of recorded honest blocks.")] = None,
    engine: Annotated[str, typer.Option("--engine", "-e", help="auto, revm or py-evm.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")] = False,
    write: Annotated[Path | None, typer.Option("--write", help="Also store the scoreboard as a page.")] = None,
    vary: Annotated[
        bool, typer.Option("--vary", help="Run everything in other guises; say where verdicts change.")
    ] = False,
    margins: Annotated[
        bool, typer.Option("--margins", help="Say how far honest acts and exploits are from every limit.")
    ] = False,
    rules: Annotated[
        list[Path] | None, typer.Option("--rules", help="Rule files or folders; those in shadow count too.")
    ] = None,
) -> None:
    """Measure detection: recall by class, false alarms with their bound, times by size of transaction."""
    raise typer.Exit(run_evaluation(paths, benign, engine, as_json, write, vary, margins, rules or ()))


async def _judge(text: str, settings: Settings, binding: bool) -> Judgement:
    upstream = open_upstream(settings.upstream)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(upstream.close)
        number = int(str(await upstream.call("eth_chainId")), 16)
        raw = await _raw(text, upstream)
        chain = await open_chain(settings, upstream, number, MemoryPendingLog(), stack, alone=True)
        await chain.follower.refresh()
        return await _look(chain, raw, settings, binding)


async def _look(chain: Chain, raw: bytes, settings: Settings, binding: bool) -> Judgement:
    ruleset = registry.load(
        disabled=settings.inspection.disabled_detectors, rules=settings.inspection.rules, binding=binding
    )
    pipeline = build_pipeline(chain, ruleset, policy_of(settings.policy))
    return await pipeline.judge(chain.decode(raw), time.monotonic() + _SECONDS)


async def _raw(text: str, upstream: Upstream) -> bytes:
    """The signed bytes; a hash is looked up at the upstream."""
    if len(text) == _HASH_CHARACTERS:
        found = await upstream.call("eth_getRawTransactionByHash", [str(Hash32.from_hex(text))])
        if not isinstance(found, str) or len(found) < 4:
            raise UpstreamError(f"the upstream does not know {text}; give the raw signed bytes instead")
        text = found
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError as error:
        raise DecodingError(f"{text[:80]} is neither 0x hex nor a transaction hash") from error


def _document(judgement: Judgement) -> dict[str, object]:
    verdict = judgement.verdict
    return {
        "hash": str(judgement.transaction.hash),
        "action": verdict.action,
        "clause": verdict.clause,
        "reason": verdict.reason,
        "score": verdict.score,
        "engine": judgement.simulation.engine if judgement.simulation else None,
        "gasUsed": judgement.simulation.gas_used if judgement.simulation else None,
        "frames": len(judgement.simulation.trace.frames) if judgement.simulation else 0,
        "milliseconds": {stage: round(seconds * 1000, 3) for stage, seconds in judgement.timings.items()},
        "findings": [
            {"detector": finding.detector_id, "severity": finding.severity.name.lower(), "summary": finding.summary}
            for finding in verdict.report.findings
        ],
    }

"""`stopgate evaluate`: the yardstick."""

from __future__ import annotations

import asyncio
import json as json_format
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from gateway.errors import ConfigurationError
from gateway.evaluate.board import Board
from gateway.evaluate.case import find_cases, read_case
from gateway.evaluate.guise import GuiseBoard
from gateway.evaluate.recorded import judge_recording
from gateway.evaluate.run import CaseResult, HonestResult, find_blocks, run_block, run_case
from gateway.evaluate.vary import Comparison, vary_block, vary_case
from gateway.evm.local import LocalPyEvm
from gateway.evm.simulator import Simulator
from gateway.inspection.registry import Ruleset, load


def evaluate(
    paths: Sequence[Path],
    benign: Path | None = None,
    engine: str = "auto",
    json: bool = False,
    write: Path | None = None,
    vary: bool = False,
    rules: Sequence[Path] = (),
) -> int:
    """Run cases and honest blocks, print the scoreboard, return the exit code.

    `json` prints one object as the last line of standard output; everything else then goes to standard error.
    `write` also stores the scoreboard as a page. `vary` runs everything in other guises instead, and prints where
    verdicts change. `rules` are files and folders of protocols' rules, to judge by beside the detectors.

    Raises:
        ConfigurationError: a path holds no cases, or the engine is not there.
    """
    console = Console(stderr=json)
    board: Board | GuiseBoard
    if vary:
        board = asyncio.run(compare(paths, benign, engine, console, rules))
    else:
        board = asyncio.run(measure(paths, benign, engine, console, rules))
    board.show(console)
    if write is not None:
        write.parent.mkdir(parents=True, exist_ok=True)
        write.write_text(board.page(), encoding="utf-8")
    if json:
        Console(soft_wrap=True, highlight=False, markup=False).print(json_format.dumps(board.document()))
    return 0


async def measure(
    paths: Sequence[Path], benign: Path | None, engine: str, console: Console, rules: Sequence[Path] = ()
) -> Board:
    """Run everything and gather the board."""
    started = time.monotonic()
    simulator, ruleset = make_simulator(engine), load(rules=rules, binding=True)
    try:
        with _progress(console) as progress:
            results, recorded, skipped = await _run_cases(simulator, ruleset, paths, progress)
            honest = await _run_blocks(simulator, ruleset, benign, progress)
    finally:
        await simulator.close()
    return Board(
        exploits=tuple(result for result in results if not result.case.honest),
        acts=tuple(result for result in results if result.case.honest),
        honest=tuple(honest),
        skipped=tuple(skipped),
        recorded=tuple(recorded),
        engine=simulator.name,
        ruleset_hash=ruleset.hash,
        seconds=time.monotonic() - started,
    )


async def compare(
    paths: Sequence[Path], benign: Path | None, engine: str, console: Console, rules: Sequence[Path] = ()
) -> GuiseBoard:
    """Run everything in every guise and gather where verdicts change."""
    simulator, ruleset = make_simulator(engine), load(rules=rules, binding=True)
    compared: list[tuple[bool, Comparison]] = []
    try:
        with _progress(console) as progress:
            files = find_cases(paths)
            task = progress.add_task("cases", total=len(files))
            for file in files:
                case = read_case(file)
                if case.moves:
                    compared += [(case.honest, row) for row in await vary_case(simulator, ruleset, case)]
                progress.advance(task)
            task = progress.add_task("honest transactions", total=None)
            for block in find_blocks(benign) if benign is not None else ():
                rows = await vary_block(simulator, ruleset, block, lambda: progress.advance(task))
                compared += [(True, row) for row in rows]
    finally:
        await simulator.close()
    return GuiseBoard(
        strikes=tuple(row for honest, row in compared if not honest),
        honest=tuple(row for honest, row in compared if honest),
        engine=simulator.name,
        ruleset_hash=ruleset.hash,
    )


def make_simulator(engine: str) -> Simulator:
    """The engine by name: "revm", "py-evm", or "auto" for the first of these that is installed.

    Raises:
        ConfigurationError: there is no such engine here.
    """
    if engine not in ("auto", "revm", "py-evm"):
        raise ConfigurationError(f"unknown engine {engine}; choose auto, revm or py-evm")
    if engine != "py-evm":
        try:
            from gateway.evm.revm import RevmSimulator

            return RevmSimulator()
        except ImportError as error:
            if engine == "revm":
                raise ConfigurationError("the native engine is not installed; run make engine") from error
    return LocalPyEvm()


async def _run_cases(
    simulator: Simulator, ruleset: Ruleset, paths: Sequence[Path], progress: Progress
) -> tuple[list[CaseResult], list[CaseResult], list[str]]:
    files = find_cases(paths)
    task = progress.add_task("cases", total=len(files))
    results, recorded, skipped = [], [], []
    for file in files:
        case = read_case(file)
        if case.moves:
            results.append(await run_case(simulator, ruleset, case))
        elif (result := judge_recording(file, case, ruleset)) is not None:
            recorded.append(result)
        else:
            skipped.append(case.id)
        progress.advance(task)
    return results, recorded, skipped


async def _run_blocks(
    simulator: Simulator, ruleset: Ruleset, benign: Path | None, progress: Progress
) -> list[HonestResult]:
    if benign is None:
        return []
    results: list[HonestResult] = []
    task = progress.add_task("honest transactions", total=None)
    for block in find_blocks(benign):
        results += await run_block(simulator, ruleset, block, lambda: progress.advance(task))
    progress.update(task, total=progress.tasks[-1].completed)
    return results


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
    )

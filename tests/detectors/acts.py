"""Runs recorded acts of fixtures/cases and tells what each detector found."""

from __future__ import annotations

import asyncio
from functools import cache
from pathlib import Path

import fixtures
from gateway.evaluate.case import read_case
from gateway.evaluate.command import make_simulator
from gateway.evaluate.run import CaseResult, run_case
from gateway.inspection.registry import load
from gateway.model.finding import Finding, OutcomeStatus

FOLDER = Path(fixtures.__file__).parent / "cases"


registry = cache(load)
"""the detectors, which keep nothing between transactions, are made once"""


@cache
def act(name: str, folder: Path = FOLDER) -> CaseResult:
    """The recorded act run by the engine that is installed, with all detectors and the default policy."""

    async def run() -> CaseResult:
        simulator = make_simulator("auto")
        try:
            return await run_case(simulator, registry(), read_case(folder / f"{name}.json.zst"))
        finally:
            await simulator.close()

    result = asyncio.run(run())
    for judged in result.judged:
        report = judged.verdict.report
        assert {outcome.status for outcome in report.outcomes} == {OutcomeStatus.COMPLETED}
    return result


def findings(name: str, detector_id: str) -> list[Finding]:
    """What one detector found in an act, over all of its transactions."""
    return [
        finding
        for judged in act(name).judged
        for finding in judged.verdict.report.findings
        if finding.detector_id == detector_id
    ]


def first_held(name: str) -> int | None:
    """Position of the first transaction that is held; None if all pass."""
    return next((at for at, judged in enumerate(act(name).judged) if judged.held), None)

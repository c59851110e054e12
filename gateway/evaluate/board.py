"""The scoreboard: as tables on the terminal, as one JSON object, as a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from gateway.evaluate.figure import (
    OUT_OF_SAMPLE,
    Alarms,
    Recall,
    by_detector,
    clusters,
    incomplete,
    precision,
    recall_by_class,
    recall_of,
    times,
)
from gateway.evaluate.page import markdown, table
from gateway.evaluate.run import CaseResult, HonestResult

BASE_RATES = (1e-6, 1e-5)


@dataclass(frozen=True, slots=True)
class Board:
    """Everything that one run measured."""

    exploits: tuple[CaseResult, ...]
    acts: tuple[CaseResult, ...]
    """cases labelled honest"""
    honest: tuple[HonestResult, ...]
    skipped: tuple[str, ...]
    """cases with nothing to execute"""
    engine: str
    ruleset_hash: str
    seconds: float
    recorded: tuple[CaseResult, ...] = ()
    """cases that cannot be executed, judged from their recording; in no other figure"""

    @property
    def verified(self) -> tuple[CaseResult, ...]:
        """Exploits whose replay is known to be faithful."""
        return tuple(result for result in self.exploits if result.case.verified)

    @property
    def recalls(self) -> Mapping[str, Recall]:
        """The headline rows."""
        old = [result for result in self.verified if result.case.date and result.case.date[:4] < OUT_OF_SAMPLE]
        new = [result for result in self.verified if result.case.date[:4] >= OUT_OF_SAMPLE]
        rows = {"all": recall_of(self.exploits), "verified": recall_of(self.verified)}
        if old:
            rows[f"verified, before {OUT_OF_SAMPLE} (tuned on)"] = recall_of(old)
        if new:
            rows[f"verified, {OUT_OF_SAMPLE} on (validation)"] = recall_of(new)
        if self.recorded:
            rows["not executable, from the recording (in no other row)"] = recall_of(self.recorded)
        return rows

    @property
    def alarms(self) -> Mapping[str, Alarms]:
        """The false alarms, over transactions, contract calls, clusters and honest acts."""
        calls = [result for result in self.honest if result.kind != "transfer"]
        rows = {}
        if self.honest:
            rows["honest transactions"] = Alarms(sum(r.judged.held for r in self.honest), len(self.honest))
            rows["of these, calls and creations"] = Alarms(sum(r.judged.held for r in calls), len(calls))
            rows["distinct (contract, selector)"] = clusters(self.honest)
        if self.acts:
            rows["honest acts of cases"] = Alarms(sum(r.held for r in self.acts), len(self.acts))
        return rows

    def document(self) -> dict[str, Any]:
        """The JSON object of `--json`."""
        judged = [one for result in (*self.exploits, *self.acts) for one in result.judged]
        judged += [result.judged for result in self.honest]
        total = recall_of(self.exploits)
        alarmed = [f"{r.block}/{r.index}" for r in self.honest if r.judged.held]
        alarmed += [r.case.id for r in self.acts if r.held]
        return {
            "recall": total.rate,
            "caught": total.caught,
            "exploits": total.tried,
            "recalls": {name: [row.caught, row.tried] for name, row in self.recalls.items()},
            "false_alarms": len(alarmed),
            "false_alarm_list": alarmed,
            "benign": len(self.honest) + len(self.acts),
            "bounds": {name: row.bound for name, row in self.alarms.items()},
            "by_class": {name: [row.caught, row.tried] for name, row in recall_by_class(self.exploits).items()},
            "by_detector": dict(by_detector(self.exploits)),
            "missed": [result.case.id for result in self.exploits if not result.held],
            "incomplete": dict(incomplete(judged)),
            "skipped": list(self.skipped),
            "missed_recordings": [result.case.id for result in self.recorded if not result.held],
            "times": times(judged),
            "engine": self.engine,
            "ruleset": self.ruleset_hash,
            "seconds": round(self.seconds, 1),
        }

    def tables(self) -> list[Table]:
        """All tables, in reading order."""
        document = self.document()
        rows: list[tuple[str, ...]]
        tables = [table("Recall", ("cases", "caught"), [(k, str(v)) for k, v in self.recalls.items()])]
        if self.alarms:
            tables.append(table("False alarms", ("looks", "alarms"), [(k, str(v)) for k, v in self.alarms.items()]))
            tables.append(table("Precision", ("attacks among transactions", "precision"), self._precisions()))
        rows = [(name, str(row)) for name, row in recall_by_class(self.exploits).items()]
        tables.append(table("Recall by class", ("class", "caught"), rows))
        rows = [(name, str(count)) for name, count in by_detector(self.exploits).most_common()]
        tables.append(table("Caught with", ("detector", "cases"), rows))
        rows = [(name, *(str(value) for value in row.values())) for name, row in document["times"].items()]
        tables.append(table("Inspection beside simulation, ms", ("gas", "n", "p50", "p95", "p99", "max"), rows))
        rows = [(reason, str(count)) for reason, count in document["incomplete"].items()] or [("none", "0")]
        tables.append(table("Not inspected whole", ("reason", "transactions"), rows))
        return tables

    def _precisions(self) -> list[tuple[str, str]]:
        recall = recall_of(self.exploits).rate
        alarms = next(iter(self.alarms.values()))
        if recall is None or alarms.bound is None:
            return []
        return [
            (f"{rate:g}", f"at least {precision(recall, alarms.bound, rate):.2%} (at the upper bound of false alarms)")
            for rate in BASE_RATES
        ]

    def show(self, console: Console) -> None:
        """Print everything."""
        for made in self.tables():
            console.print(made)
        for result in self.exploits:
            if not result.held:
                console.print(
                    f"missed  {result.case.id}  {', '.join(result.case.classes[:3])}", highlight=False, soft_wrap=True
                )
        for honest in self.honest:
            if honest.judged.held:
                reason = honest.judged.verdict.reason
                console.print(
                    f"alarm   block {honest.block} index {honest.index}: {reason}", highlight=False, soft_wrap=True
                )
        for act in self.acts:
            if act.held:
                reason = next(judged.verdict.reason for judged in act.judged if judged.held)
                console.print(f"alarm   {act.case.id}: {reason}", highlight=False, soft_wrap=True)
        console.print(
            f"engine {self.engine}, rule set {self.ruleset_hash}, {self.seconds:.0f} s", highlight=False, soft_wrap=True
        )

    def page(self) -> str:
        """The scoreboard as a page; times are left out, for they differ from machine to machine."""
        parts = [
            "# Scoreboard\n",
            "Made by `stopgate evaluate ../shared/corpus --benign ../shared/benign --write docs/scoreboard.md`.",
            f"Engine {self.engine}, rule set `{self.ruleset_hash}`. Intervals are 95 % Wilson; bounds of false alarms",
            "are one-sided 95 % (rule of three). The attack contracts of the corpus are replays, and the blocks are",
            "honest by presumption: see the README of each set.\n",
        ]
        for made in self.tables():
            if not str(made.title).startswith("Inspection"):
                parts.append(markdown(made))
        missed = [f"- {r.case.id}: {', '.join(r.case.classes)}" for r in self.exploits if not r.held]
        parts += ["## Missed\n", *(missed or ["none"]), ""]
        unseen = [f"- {r.case.id}: {', '.join(r.case.classes)}" for r in self.recorded if not r.held]
        if self.recorded:
            parts += ["## Missed of the recordings\n", *(unseen or ["none"]), ""]
        if self.skipped:
            parts += ["## Not judged, for nothing was recorded\n", *(f"- {name}" for name in self.skipped), ""]
        return "\n".join(parts)

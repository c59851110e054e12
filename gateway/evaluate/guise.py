"""How verdicts fare under variation: as tables, as one JSON object, as a page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from gateway.evaluate.page import markdown, table
from gateway.evaluate.repertoire import HONEST, STRIKES
from gateway.evaluate.variation import Variation
from gateway.evaluate.vary import Comparison


@dataclass(frozen=True, slots=True)
class GuiseBoard:
    """What all variations of all acts gave."""

    strikes: tuple[Comparison, ...]
    honest: tuple[Comparison, ...]
    engine: str
    ruleset_hash: str

    def document(self) -> dict[str, Any]:
        """The JSON object of `--json`."""
        return {
            "exploits": _counts(self.strikes),
            "honest": _counts(self.honest),
            "by_detector": {variation: dict(_lost(rows)) for variation, rows in _by_variation(self.strikes).items()},
            "changed": [
                [row.act, row.variation, row.held_before, row.held_after]
                for row in (*self.strikes, *self.honest)
                if row.changed
            ],
            "engine": self.engine,
            "ruleset": self.ruleset_hash,
        }

    def tables(self) -> list[Table]:
        """All tables, in reading order."""
        tables = []
        for title, rows, described in (
            ("Exploits in other guises", self.strikes, STRIKES),
            ("Honest acts in other guises", self.honest, HONEST),
        ):
            if rows:
                tables.append(_variations(title, rows, described))
        lost = [
            (name, variation, str(count))
            for variation, rows in _by_variation(self.strikes).items()
            for name, count in _lost(rows).most_common()
        ]
        if lost:
            tables.append(table("Detectors that fell silent", ("detector", "variation", "cases"), lost))
        return tables

    def show(self, console: Console) -> None:
        """Print everything."""
        for made in self.tables():
            console.print(made)
        for row in (*self.strikes, *self.honest):
            if row.changed:
                console.print(_changed(row), highlight=False, soft_wrap=True)
        console.print(f"engine {self.engine}, rule set {self.ruleset_hash}", highlight=False, soft_wrap=True)

    def page(self) -> str:
        """The same as a page."""
        benign = "--benign ../shared/benign " if self.honest else ""
        parts = [
            "# The same acts in other guises\n",
            f"Made by `stopgate evaluate ../shared/corpus {benign}--vary --write docs/guises.md`.",
            f"Engine {self.engine}, rule set `{self.ruleset_hash}`. Every act is run as recorded and once more in each",
            "guise; only guises that did the same to everybody else count as fit. A case is held if any of its",
            "transactions is. Unfit are, for example, honest calls through a wrapper that holds no allowance.\n",
        ]
        parts += [markdown(made) for made in self.tables()]
        parts += ["## Verdicts that changed\n"]
        parts += [f"- {_changed(row)}" for row in (*self.strikes, *self.honest) if row.changed] or ["none"]
        return "\n".join([*parts, ""])


def _by_variation(rows: Sequence[Comparison]) -> dict[str, list[Comparison]]:
    found: dict[str, list[Comparison]] = {}
    for row in rows:
        found.setdefault(row.variation, []).append(row)
    return found


def _counts(rows: Sequence[Comparison]) -> dict[str, dict[str, int]]:
    """Per variation: acts tried, fit, held as recorded, held in the guise, and verdicts that changed."""
    return {
        name: {
            "tried": len(group),
            "fit": sum(not row.unfit for row in group),
            "held_before": sum(row.held_before for row in group if not row.unfit),
            "held_after": sum(row.held_after for row in group if not row.unfit),
            "lost": sum(row.changed and row.held_before for row in group),
            "new": sum(row.changed and row.held_after for row in group),
        }
        for name, group in _by_variation(rows).items()
    }


def _lost(rows: Sequence[Comparison]) -> Counter[str]:
    """Detector -> acts in which it spoke as recorded and not in the guise."""
    return Counter(name for row in rows if not row.unfit for name in row.before - row.after)


def _variations(title: str, rows: Sequence[Comparison], described: Mapping[str, Variation]) -> Table:
    lines = []
    for name, count in _counts(rows).items():
        what = (described[name].__doc__ or "").strip().rstrip(".")
        figures = (count["tried"], count["fit"], count["held_before"], count["held_after"], count["lost"], count["new"])
        lines.append((name, what, *map(str, figures)))
    return table(title, ("guise", "what is other", "acts", "fit", "held before", "held after", "lost", "new"), lines)


def _changed(row: Comparison) -> str:
    fell = ", ".join(sorted(row.before - row.after)) or "nobody"
    spoke = ", ".join(sorted(row.after - row.before)) or "nobody"
    way = "held no more" if row.held_before else "now held"
    return f"{row.act}, {row.variation}: {way}; fell silent: {fell}; newly spoke: {spoke}"

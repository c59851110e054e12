"""The margins of all detectors: as tables, as one JSON object, as a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from gateway.evaluate.margin import CONDITIONS, Leaning
from gateway.evaluate.page import markdown, table

NAMED = 3
"""acts that are named beside a count"""


@dataclass(frozen=True, slots=True)
class MarginBoard:
    """Everything that leans, and what was looked at."""

    leanings: tuple[Leaning, ...]
    honest: int
    """honest transactions that no detector holds"""
    exploits: int
    """transactions of exploits that are held; those that one detector alone holds can lean"""
    engine: str
    ruleset_hash: str

    def document(self) -> dict[str, Any]:
        """The JSON object of `--json`."""
        return {
            "honest": self.honest,
            "exploits": self.exploits,
            "thresholds": [_threshold(*row) for row in self._by_threshold()],
            "conditions": [
                {"detector": detector, "condition": knob, "honest": [row.act for row in rows]}
                for detector, knob, rows in self._by_condition()
            ],
            "engine": self.engine,
            "ruleset": self.ruleset_hash,
        }

    def tables(self) -> list[Table]:
        """All tables, in reading order."""
        near: list[tuple[str, ...]] = []
        weak: list[tuple[str, ...]] = []
        for detector, knob, rows in self._by_threshold():
            for into, honest in ((near, True), (weak, False)):
                found = sorted((row for row in rows if row.honest is honest), key=_order)
                if found:
                    into.append((detector, knob, f"{found[0].limit:.4g}", str(len(found)), _valued(found)))
        conditions = [(detector, knob, str(len(rows)), _names(rows)) for detector, knob, rows in self._by_condition()]
        columns = (
            "detector",
            "threshold",
            "limit",
            "acts within four times",
            "nearest, and the limit that turns them",
        )
        return [
            table("Honest acts that a moved threshold would hold", columns, near),
            table("Exploits that a moved threshold would lose", columns, weak),
            table(
                "Honest acts that one condition alone keeps from being held",
                ("detector", "condition", "acts", "for example"),
                conditions,
            ),
        ]

    def show(self, console: Console) -> None:
        """Print everything."""
        for made in self.tables():
            console.print(made)
        console.print(self._basis(), highlight=False, soft_wrap=True)

    def page(self) -> str:
        """The same as a page."""
        told = [f"- **{name}**: {(take.__doc__ or '').strip()}" for name, take in CONDITIONS.items()]
        parts = [
            "# Margins\n",
            "Made by `stopgate evaluate fixtures/cases ../shared/corpus --benign ../shared/benign --margins",
            "--write docs/margins.md`. Every detector looks at every subject again, with each of its thresholds scaled",
            "by up to four times (of a limit from 0.9 to 1 the part that is missing), and with each kind of answer",
            "that speaks for a sender turned against him, one at a time.",
            "Acts near a limit are where the next false alarm, or the next miss, comes from.\n",
            f"{self._basis()}\n",
            *(markdown(made) for made in self.tables()),
            "## The conditions, taken away\n",
            *told,
        ]
        return "\n".join([*parts, ""])

    def _basis(self) -> str:
        return (
            f"{self.honest} honest transactions that pass; {self.exploits} transactions of exploits that are held, of "
            f"which those count that one detector alone holds. Engine {self.engine}, rule set {self.ruleset_hash}."
        )

    def _by_threshold(self) -> list[tuple[str, str, list[Leaning]]]:
        return _grouped(row for row in self.leanings if row.limit is not None)

    def _by_condition(self) -> list[tuple[str, str, list[Leaning]]]:
        return _grouped(row for row in self.leanings if row.limit is None)


def _grouped(rows: Iterable[Leaning]) -> list[tuple[str, str, list[Leaning]]]:
    found: dict[tuple[str, str], list[Leaning]] = {}
    for row in rows:
        found.setdefault((row.detector, row.knob), []).append(row)
    return [(*key, found[key]) for key in sorted(found)]


def _threshold(detector: str, knob: str, rows: Sequence[Leaning]) -> dict[str, Any]:
    return {
        "detector": detector,
        "threshold": knob,
        "limit": rows[0].limit,
        "honest": [[row.act, row.value] for row in sorted(rows, key=_order) if row.honest],
        "exploits": [[row.act, row.value] for row in sorted(rows, key=_order) if not row.honest],
    }


def _order(row: Leaning) -> tuple[float, str]:
    return row.distance, row.act


def _valued(rows: Sequence[Leaning]) -> str:
    return _listed([f"{row.act} ({row.value:.3g})" for row in rows])


def _names(rows: Sequence[Leaning]) -> str:
    return _listed([row.act for row in rows])


def _listed(texts: Sequence[str]) -> str:
    names = list(dict.fromkeys(texts))
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")

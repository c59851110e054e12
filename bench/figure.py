"""Figures and tables of the measuring programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table


def at(values: Sequence[float], share: float) -> float:
    return round(sorted(values)[min(len(values) - 1, int(share * len(values)))], 3)


def table(title: str, rows: Sequence[dict[str, Any]]) -> Table:
    made = Table(title=title, title_justify="left")
    for name in rows[0]:
        made.add_column(name.replace("_", " "), justify="left" if isinstance(rows[0][name], str) else "right")
    for row in rows:
        made.add_row(*(str(value) for value in row.values()))
    return made

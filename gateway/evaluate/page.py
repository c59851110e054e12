"""One table for the terminal and for a page."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A table with its rows."""
    made = Table(*columns, title=title, title_justify="left")
    for row in rows:
        made.add_row(*row)
    return made


def markdown(made: Table) -> str:
    """The same table as Markdown under a heading."""
    columns = [str(column.header) for column in made.columns]
    lines = [f"## {made.title}\n", "| " + " | ".join(columns) + " |", "| " + " | ".join("---" for _ in columns) + " |"]
    cells = [list(column.cells) for column in made.columns]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in zip(*cells, strict=True)]
    return "\n".join(lines) + "\n"

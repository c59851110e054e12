"""The demonstration on a terminal, and its summary for machines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from gateway.demo.player import Answered, Event, Finished, Outcome, Prepared, Sending

_STYLE = {
    Outcome.MINED: "green",
    Outcome.FAILED: "red",
    Outcome.HELD: "bold yellow",
    Outcome.DEFERRED: "yellow",
    Outcome.PARKED: "yellow",
    Outcome.REFUSED: "red",
    Outcome.LOST: "red",
}


@dataclass(slots=True)
class Summary:
    """What the whole play came to."""

    finished: list[Finished] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Something was played, every honest transaction was mined and every exploit held."""
        return bool(self.finished) and all(item.expected for item in self.finished)

    def count(self, *, honest: bool, expected: bool | None = None) -> int:
        """Acts of one kind; `expected` picks those that went as they should, or those that did not."""
        acts = (item for item in self.finished if item.act.honest is honest)
        return sum(1 for item in acts if expected is None or item.expected is expected)

    def json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "ok": self.ok,
            "honest": self.count(honest=True),
            "honest_mined": self.count(honest=True, expected=True),
            "exploits": self.count(honest=False),
            "exploits_held": self.count(honest=False, expected=True),
            "acts": [_act(item) for item in self.finished],
        }


def _act(item: Finished) -> dict[str, Any]:
    return {
        "name": item.act.name,
        "family": item.act.family,
        "label": "honest" if item.act.honest else "exploit",
        "story": item.act.story,
        "expected": item.expected,
        "transactions": [
            {
                "hash": answer.line.hash,
                "note": answer.line.note,
                "outcome": answer.outcome.value,
                "reason": answer.reason,
                "case_id": answer.case_id,
                "status_url": answer.status_url,
                "milliseconds": round(answer.seconds * 1000, 1),
            }
            for answer in item.answers
        ],
    }


async def show(events: AsyncIterator[Event], console: Console, total: int) -> Summary:
    """Print each event as it comes; the summary at the end.

    Args:
        events: from `play`.
        console: where to print; a quiet one prints nothing.
        total: acts to come, for the progress figure.
    """
    summary = Summary()
    status = console.status("deploying contracts on the chain")
    with status:
        async for event in events:
            match event:
                case Prepared(transactions=number):
                    console.print(f"{number} deployments and payments mined on the chain itself", style="dim")
                case Sending(act=act, line=line):
                    place = f"act {len(summary.finished) + 1} of {total}"
                    status.update(f"{place}: {act.name}, {line.note}, waiting for the gateway")
                case Answered():
                    pass
                case Finished():
                    summary.finished.append(event)
                    console.print(_lines(event))
    console.print(_verdict(summary))
    return summary


def _lines(item: Finished) -> Text:
    honest = item.act.honest
    text = Text("\n")
    text.append("honest  " if honest else "exploit ", style="green" if honest else "bold red")
    text.append(item.act.name, style="bold")
    text.append(f"  {item.act.story}\n")
    for answer in item.answers:
        text.append(f"  {answer.outcome.value:<9}", style=_STYLE[answer.outcome])
        text.append(f"{answer.line.hash[:10]}…{answer.line.hash[-4:]}", style="dim")
        text.append(f"  {answer.seconds * 1000:7.1f} ms  {answer.line.note}")
        if answer.reason:
            text.append(f"\n           {answer.reason}", style="yellow")
        if answer.case_id:
            text.append(f"  case {answer.case_id}", style="yellow")
        text.append("\n")
    if not item.expected:
        text.append("  not as it should be\n", style="bold red")
    return text


def _verdict(summary: Summary) -> Panel:
    text = Text()
    for honest, noun, done in ((True, "honest acts", "mined"), (False, "exploits", "held")):
        right, every = summary.count(honest=honest, expected=True), summary.count(honest=honest)
        text.append(f"{right} of {every} {noun} {done}\n", style="green" if right == every else "bold red")
    return Panel(text, title="all as it should be" if summary.ok else "something went wrong", expand=False)

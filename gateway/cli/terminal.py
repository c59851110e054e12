"""What the commands share on the terminal: two consoles, and how values look."""

from __future__ import annotations

from datetime import UTC, datetime

from rich.console import Console
from rich.text import Text

from gateway.model.primitive import Address
from gateway.model.quarantine import CaseState

console = Console(markup=False)
problems = Console(stderr=True, markup=False)
"""Neither reads markup: much of what is printed was written by strangers, and rules and addresses hold brackets."""

_STATE_STYLE = {
    CaseState.HELD: "bold yellow",
    CaseState.DEFERRED: "yellow",
    CaseState.PARKED: "yellow",
    CaseState.RELEASED: "cyan",
    CaseState.FORWARDED: "green",
    CaseState.REJECTED: "red",
}
_TEXT_LIMIT = 300


def complain(text: str, word: str = "stopgate:") -> None:
    """One line on standard error, never broken, so that it can be searched for."""
    problems.print(Text.assemble((word, "bold red"), f" {text}"), soft_wrap=True)


def state_text(state: CaseState) -> Text:
    """A case's state in its colour; the word is always there."""
    return Text(state, style=_STATE_STYLE.get(state, "dim"))


def shortened(value: bytes | str) -> str:
    """A hash or address with its middle left out."""
    text = str(value)
    return text if len(text) <= 14 else f"{text[:8]}…{text[-4:]}"


def address_text(address: Address | None) -> str:
    """An address in full, or what None means."""
    return "contract creation" if address is None else str(address)


def age(then: datetime, now: datetime | None = None) -> str:
    """How long ago, or how long until: "5 min ago", "in 2 h"."""
    seconds = ((now or datetime.now(UTC)) - then).total_seconds()
    distance = abs(seconds)
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if distance >= size:
            amount = f"{distance / size:.0f} {unit}"
            break
    else:
        amount = f"{distance:.0f} s"
    return f"{amount} ago" if seconds >= 0 else f"in {amount}"


def ether(wei: int) -> str:
    """An amount of the chain's coin with its unit."""
    return f"{wei / 10**18:,.6g} ETH" if wei else "0"


def clean(text: str) -> str:
    """Hostile text made printable: no control or direction characters, bounded length."""
    kept = "".join(character if character.isprintable() else "·" for character in text[:_TEXT_LIMIT])
    return kept + ("…" if len(text) > _TEXT_LIMIT else "")

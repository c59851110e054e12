"""When somebody is there: hours of the week in a time zone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gateway.errors import ConfigurationError

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SPAN = re.compile(r"(?:([a-z]{3})(?:-([a-z]{3}))? )?([0-2]\d):([0-5]\d)-([0-2]\d):([0-5]\d)", re.ASCII)


def _spans(text: str) -> list[tuple[frozenset[int], time, time]]:
    if text == "always":
        return []
    spans = []
    for part in text.split(";"):
        found = _SPAN.fullmatch(part.strip())
        if found is None or any(day and day not in _DAYS for day in found.groups()[:2]):
            raise ConfigurationError(f"{part.strip()[:40]!r} is no shift; write mon-fri 08:00-18:00, or always")
        try:
            begins, ends = (time(int(found[at]), int(found[at + 1])) for at in (3, 5))
        except ValueError as error:
            raise ConfigurationError(f"{part.strip()[:40]!r} has no such hour; the last is 23:59") from error
        spans.append((_days(found[1], found[2]), begins, ends))
    return spans


def _days(first: str | None, last: str | None) -> frozenset[int]:
    if first is None:
        return frozenset(range(7))
    begin = _DAYS.index(first)
    length = (_DAYS.index(last) - begin) % 7 if last else 0
    return frozenset((begin + step) % 7 for step in range(length + 1))


def _in_span(span: tuple[frozenset[int], time, time], day: int, clock: time) -> bool:
    days, begins, ends = span
    if begins < ends:
        return day in days and begins <= clock < ends
    return (day in days and clock >= begins) or ((day - 1) % 7 in days and clock < ends)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigurationError(f"{name[:40]!r} is no time zone; write one like Europe/Berlin, or UTC") from error


@dataclass(frozen=True, slots=True)
class ShiftHours:
    """When a channel's people are there: "mon-fri 08:00-18:00; sat 10:00-14:00", or "always"."""

    text: str = "always"
    zone: str = "UTC"

    def __post_init__(self) -> None:
        """Raises ConfigurationError: it cannot be read."""
        _spans(self.text)
        _zone(self.zone)

    def covers(self, moment: datetime) -> bool:
        """True if somebody is there. A span whose end is not after its start goes on into the next day."""
        if self.text == "always":
            return True
        local = moment.astimezone(_zone(self.zone))
        day, clock = local.weekday(), local.time()
        return any(_in_span(span, day, clock) for span in _spans(self.text))

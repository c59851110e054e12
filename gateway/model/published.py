"""Figures that anybody may see: so coarse that they say nothing of one person, one case or one day's work."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

SMALLEST = 10
"""Counts below this are all told as the same, and larger ones in steps of it."""
DAYS = 30
_STEPS = tuple(
    timedelta(minutes=minutes) for minutes in (5, 15, 30, 60, 2 * 60, 4 * 60, 8 * 60, 12 * 60, 24 * 60, 7 * 24 * 60)
)


@dataclass(frozen=True, slots=True)
class Counted:
    """What happened in a span of whole days, exactly. Never shown."""

    since: date
    until: date
    """the first day that is not counted"""
    held: int
    released: int
    rejected: int
    expired: int
    appeals: int
    decisions: int
    median: timedelta | None


@dataclass(frozen=True, slots=True)
class Published:
    """The same, coarse. None: fewer than ten, which may be none at all."""

    since: date
    until: date
    held: int | None
    released: int | None
    rejected: int | None
    expired: int | None
    appeals: int | None
    median_within: timedelta | None
    """the next step above the median time to a decision; None below ten decisions"""


def coarse(count: int) -> int | None:
    """Rounded down to tens; None below ten."""
    return None if count < SMALLEST else count - count % SMALLEST


def publish(counted: Counted) -> Published:
    """What may be shown of it."""
    within = None
    if counted.decisions >= SMALLEST and counted.median is not None:
        within = next((step for step in _STEPS if counted.median <= step), _STEPS[-1])
    return Published(
        since=counted.since,
        until=counted.until,
        held=coarse(counted.held),
        released=coarse(counted.released),
        rejected=coarse(counted.rejected),
        expired=coarse(counted.expired),
        appeals=coarse(counted.appeals),
        median_within=within,
    )

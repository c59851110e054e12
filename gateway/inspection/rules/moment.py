"""One rule at one transaction: what was read and counted so far. The work of a rule is bounded by a count of steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.errors import StopgateError
from gateway.inspection.rules.vocabulary import Collection
from gateway.inspection.subject import Inspection

STEPS = 100_000
"""items that one rule may look at in one transaction"""
MATCHES = 16
"""frames of matching items that are kept as evidence"""


class OutOfSteps(StopgateError):
    """The rule would look at more than it may; the run counts as failed, never as silent."""


class Moment:
    """One rule at one transaction: what was read and counted so far."""

    def __init__(self, subject: Inspection, steps: int = STEPS) -> None:
        self.subject, self.steps = subject, steps
        self.outer: Any = None
        """the item of the quantifier around the present one"""
        self.known: dict[str, Any] = {}
        """selections that were asked for"""
        self.frames: dict[int, None] = {}
        """frames of matching items, in the order they were found"""
        self._items: dict[str, Sequence[Any]] = {}

    def items(self, name: str, collection: Collection) -> Sequence[Any]:
        """The collection's items, read once."""
        found = self._items.get(name)
        if found is None:
            found = self._items[name] = collection.items(self.subject)
        return found

    def spend(self) -> None:
        """Count one item; raises OutOfSteps."""
        self.steps -= 1
        if self.steps < 0:
            raise OutOfSteps(f"the rule looks at more than {STEPS:,} things; ask for fewer, or narrow its scope")

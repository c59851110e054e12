"""Quantifiers of rules: the items of a collection that fit a condition, counted and kept as evidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.inspection.rules.expression import Run
from gateway.inspection.rules.moment import MATCHES, Moment
from gateway.inspection.rules.vocabulary import Collection


@dataclass(frozen=True, slots=True)
class Level:
    """The quantifier that a part stands in."""

    collection: Collection
    name: str


NOTHING = object()


def matching(level: Level, condition: Run | None, *, kept: bool = True) -> Callable[[Moment, Any], Any]:
    """The items that fit; the frames they belong to are kept as evidence."""
    collection, name = level.collection, level.name
    place = collection.frame if kept and condition is not None else None

    def search(moment: Moment, item: Any) -> Any:
        for one in moment.items(name, collection):
            moment.spend()
            if condition is not None:
                before, moment.outer = moment.outer, item
                fits = condition(moment, one)
                moment.outer = before
                if not fits:
                    continue
            if place is not None and len(moment.frames) < MATCHES:
                moment.frames[place(one)] = None
            yield one

    return search


def values(items: Callable[[Moment, Any], Any], value: Run) -> Callable[[Moment, Any], Sequence[int]]:
    """A number of each of the items."""

    def run(moment: Moment, item: Any) -> Sequence[int]:
        found = []
        for one in items(moment, item):
            before, moment.outer = moment.outer, item
            found.append(value(moment, one))
            moment.outer = before
        return found

    return run

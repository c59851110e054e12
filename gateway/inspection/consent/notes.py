"""What contracts had written down about addresses: words that hold them, lists that say yes of them."""

from __future__ import annotations

from collections.abc import Set

from gateway.model.fold import named
from gateway.model.primitive import Address


def matched(value: int, known: Set[Address]) -> set[Address]:
    """Which of `known` the word `value` holds, at any place."""
    return set(named(value, known))


def holds_party(value: int, known: Set[Address]) -> bool:
    """True if the word `value` holds the address of one of `known` at any place."""
    return any(True for _ in named(value, known))

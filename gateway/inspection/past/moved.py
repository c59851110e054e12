"""Prices that a sender has moved lately, and not yet moved back: what they were before."""

from __future__ import annotations

from typing import NamedTuple

from gateway.model.primitive import Address

POOLS_LIMIT = 16
"""pools remembered for one sender"""
BENT = 1.5
"""times (either way) that a price must have moved; an honest trade of that size costs its owner a fifth"""
SAME = 1.1
"""times (either way) that a price may differ from where the sender left it to count as left there"""


class Moved(NamedTuple):
    """What one pool held, or the square root of its price, before a sender traded there and after."""

    tokens: tuple[Address, Address]
    before: tuple[int, int]
    """of each token; of concentrated liquidity the square root of the price times 2**96, and 0"""
    after: tuple[int, int]

    @property
    def factor(self) -> float:
        """How far the price went, at least 1."""
        return apart(self.before, self.after)

    def followed_by(self, later: Moved) -> Moved:
        """Both as one if the second began where the first had ended; else the second alone."""
        return self._replace(after=later.after) if apart(self.after, later.before) <= SAME else later


def apart(one: tuple[int, int], other: tuple[int, int]) -> float:
    """How far two states of a pool are from one another, as a factor of the price, at least 1."""
    if not one[1] or not other[1]:
        first, second = one[0] ** 2, other[0] ** 2
    else:
        first, second = one[0] * other[1], other[0] * one[1]
    return max(first / second, second / first) if first and second else 1.0

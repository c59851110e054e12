"""What went between a sender's side and contracts lately: pure values and their sums."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from gateway.model.primitive import Address

DEALS_LIMIT = 32
"""(contract, asset) pairs remembered for one sender"""


class Deal(NamedTuple):
    """What went between one side and one contract, in units of one asset."""

    put: int
    taken: int
    stock: int
    """what the contract held before the first of it; of its own units, or made at its word, 0"""
    new: bool
    """True if it kept no record of that side before"""


Dealings = Mapping[tuple[Address, Address, int | None], Deal]
"""(contract, token, item) -> what went between"""


def joined_deals(one: Dealings, other: Dealings) -> Dealings:
    """Both as one, the first to begin with."""
    found = dict(one)
    for key, deal in other.items():
        before = found.get(key)
        if before is not None:
            found[key] = _sum(before, deal)
        elif len(found) < DEALS_LIMIT:
            found[key] = deal
    return found


def deals_beyond(before: Dealings, after: Dealings) -> Dealings:
    """What `after` has and `before` has not."""
    return {
        key: deal
        if (was := before.get(key)) is None
        else deal._replace(put=deal.put - was.put, taken=deal.taken - was.taken)
        for key, deal in after.items()
        if before.get(key) != deal
    }


def _sum(first: Deal, then: Deal) -> Deal:
    return first._replace(put=first.put + then.put, taken=first.taken + then.taken)

"""What one transaction leaves behind for the judgement of later ones: pure values, small enough to be sent around."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from gateway.inspection.past.deal import Dealings, deals_beyond, joined_deals
from gateway.inspection.past.hearsay import Hearsay
from gateway.inspection.past.memory import CLAIMED_LIMIT, CREATED_LIMIT, EMPTY_MEMORY, SIGNATURES_LIMIT, Memory
from gateway.inspection.past.moved import POOLS_LIMIT, Moved
from gateway.model.primitive import Address

Entry = TypeVar("Entry")

ACQUAINTED_LIMIT = 512
"""records of new acquaintances kept for one key; beyond it new ones count as old, which errs on the side of trust"""
DEALT_LIMIT = 64
TAKINGS_LIMIT = 16
"""losses that one transaction leaves in memory: the largest"""


@dataclass(frozen=True, slots=True)
class Taking:
    """A part of one holder's stock that went to somebody whom nothing entitles to it."""

    holder: Address
    token: Address
    """zero address for the chain's own coin"""
    amount: int
    """smallest unit"""
    stock: int
    """what the holder had before"""


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken of one holder's asset within the memory's lifetime, without the transaction that is judged."""

    stock: int
    """what the holder had before the first of these takings"""
    amount: int
    times: int
    takers: frozenset[Address]
    """the senders"""


@dataclass(frozen=True, slots=True)
class Effects:
    """What one transaction adds to memory."""

    added: Memory = EMPTY_MEMORY
    """to what is remembered of its sender"""
    takings: tuple[Taking, ...] = ()
    heirs: Mapping[Address, Dealings] = field(default_factory=dict)
    """to whom contracts booked over what the sender has there, and his dealings with these"""
    hearsay: tuple[Hearsay, ...] = ()
    """records that others are not to rely on, for the sender had them written in contracts that did not know it"""

    @property
    def empty(self) -> bool:
        """True if there is nothing to keep."""
        return self.added == EMPTY_MEMORY and not self.takings and not self.hearsay and not self.heirs


NO_EFFECTS = Effects()

TakenFrom = Mapping[tuple[Address, Address], Taken]
"""(holder, token) -> what was taken there lately"""


def difference(before: Memory, after: Memory) -> Memory:
    """What `after` holds and `before` does not; joined with `before` it has all of `after`."""
    if after is before or after == before:
        return EMPTY_MEMORY
    dealt = {
        asset: amount - before.dealt.get(asset, 0)
        for asset, amount in after.dealt.items()
        if amount != before.dealt.get(asset, 0) or asset not in before.dealt
    }
    return Memory(
        created=_without(after.created, before.created),
        acquainted=after.acquainted - before.acquainted,
        dealt=dealt,
        codes=_without(after.codes, before.codes),
        claimed=_without(after.claimed, before.claimed),
        moved={pool: move for pool, move in after.moved.items() if before.moved.get(pool) != move},
        signatures=_without(after.signatures, before.signatures),
        deals=deals_beyond(before.deals, after.deals),
    )


def joined(one: Memory, other: Memory) -> Memory:
    """Both memories as one; what is too much is dropped from the old end, new acquaintances from the new end."""
    if other == EMPTY_MEMORY:
        return one
    if one == EMPTY_MEMORY:
        return other
    dealt = dict(one.dealt)
    for asset, amount in other.dealt.items():
        if asset in dealt or len(dealt) < DEALT_LIMIT:
            dealt[asset] = dealt.get(asset, 0) + amount
    acquainted = one.acquainted | other.acquainted
    return Memory(
        created=_both(one.created, other.created, CREATED_LIMIT),
        acquainted=acquainted if len(acquainted) <= ACQUAINTED_LIMIT else one.acquainted,
        dealt=dealt,
        codes=_both(one.codes, other.codes, CREATED_LIMIT),
        claimed=_both(one.claimed, other.claimed, CLAIMED_LIMIT),
        moved=chained(one.moved, other.moved) if other.moved else one.moved,
        signatures=_both(one.signatures, other.signatures, SIGNATURES_LIMIT),
        deals=joined_deals(one.deals, other.deals),
    )


def of_an_ally(memory: Memory) -> Memory:
    """What of somebody's memory holds for another who calls the same fresh contract: not what he owns."""
    return replace(memory, created=(), codes=())


def chained(one: Mapping[Address, Moved], other: Mapping[Address, Moved]) -> Mapping[Address, Moved]:
    """What two transactions in a row made of pools."""
    moved = dict(one)
    for pool, move in other.items():
        earlier = moved.pop(pool, None)
        moved[pool] = move if earlier is None else earlier.followed_by(move)
    return dict(list(moved.items())[-POOLS_LIMIT:])


def _without(more: tuple[Entry, ...], known: tuple[Entry, ...]) -> tuple[Entry, ...]:
    there = set(known)
    return tuple(entry for entry in more if entry not in there)


def _both(one: tuple[Entry, ...], other: tuple[Entry, ...], limit: int) -> tuple[Entry, ...]:
    return tuple(dict.fromkeys((*one, *other)))[-limit:]

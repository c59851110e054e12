"""Which of the things that the ordering side gave were payment: those that went where its gains came from.

Who throws a worthless coin at a bystander, or tips somebody, has paid nothing for what it takes from others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set

from gateway.inspection.ledger import NATIVE, Asset, Ledger
from gateway.inspection.roles import Roles
from gateway.model.facts import Facts
from gateway.model.primitive import ZERO_ADDRESS, Address
from gateway.model.trace import FrameKind, SimulationResult


def payments(
    facts: Facts, ledger: Ledger, roles: Roles, wrapped: Set[Asset], simulation: SimulationResult
) -> Mapping[Asset, int]:
    """`roles.gave` without what reached only outsiders that had no dealings with those who lost; linear.

    Two outsiders deal with each other if one calls or pays the other.
    """
    if not roles.gave or not roles.gained:
        return roles.gave
    groups = _groups(facts, roles.cluster | {ZERO_ADDRESS}, simulation)
    sources = {groups.of(holder) for holder in _sources(ledger, roles, wrapped)}
    reached: dict[Asset, int] = {}
    for holder, changes in ledger.net.items():
        handed = holder in roles.cluster and holder != roles.origin  # to the contract it calls
        if handed or (holder not in roles.cluster and groups.of(holder) in sources):
            for asset, amount in changes.items():
                if amount > 0:
                    plain = NATIVE if asset in wrapped else asset
                    reached[plain] = reached.get(plain, 0) + amount
    for asset, made in ledger.minted.items():
        if made < 0 and groups.of(asset.token) in sources:
            reached[asset] = reached.get(asset, 0) - made
    paid = {asset: min(amount, reached.get(asset, 0)) for asset, amount in roles.gave.items()}
    return {asset: amount for asset, amount in paid.items() if amount > 0}


def _groups(facts: Facts, inside: Set[Address], simulation: SimulationResult) -> _Groups:
    groups = _Groups()
    for frame in simulation.trace.frames:
        if (
            frame.kind is FrameKind.CALL
            and frame.to is not None
            and frame.from_ not in inside
            and frame.to not in inside
        ):
            groups.join(frame.from_, frame.to)
    for move in facts.transfers:
        if move.from_ not in inside and move.to not in inside:
            groups.join(move.from_, move.to)
        elif ZERO_ADDRESS in (move.from_, move.to):
            other = move.to if move.from_ == ZERO_ADDRESS else move.from_
            if other not in inside and move.token not in inside:
                groups.join(move.token, other)  # who makes or burns a token deals with its contract
    return groups


def _sources(ledger: Ledger, roles: Roles, wrapped: Set[Asset]) -> Iterable[Address]:
    """Outsiders that have less of what the ordering side gained, and makers of it."""
    for holder, changes in ledger.net.items():
        if holder not in roles.cluster and any(
            amount < 0 and (NATIVE if asset in wrapped else asset) in roles.gained for asset, amount in changes.items()
        ):
            yield holder
    for asset, made in ledger.minted.items():
        if made > 0 and asset in roles.gained:
            yield asset.token


class _Groups:
    """Accounts that deal with each other, directly or through others."""

    def __init__(self) -> None:
        self._above: dict[Address, Address] = {}

    def of(self, account: Address) -> Address:
        """One account that stands for the whole group."""
        top = account
        while (above := self._above.get(top, top)) != top:
            top = above
        while (above := self._above.get(account, account)) != top:
            self._above[account], account = top, above
        return top

    def join(self, one: Address, other: Address) -> None:
        """They deal with each other."""
        first, second = self.of(one), self.of(other)
        if first != second:
            self._above[first] = second

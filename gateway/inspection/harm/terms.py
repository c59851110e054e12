"""What the ways on which value left show of agreement to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.inspection.consent.given import Bond
from gateway.inspection.harm.ways import Way, Ways
from gateway.model.lazy import cached_property
from gateway.model.primitive import Address

SETTLED = 0.95
"""part of the outflow that must go to receivers fixed beforehand; the rest may be a keeper's fee"""


class Terms(Protocol):
    """What the contracts on the way to a loss show of agreement to it."""

    @property
    def agreed(self) -> bool:
        """True if all contracts on the way knew their callers before, or had promised it to the receiver.

        From the ordering side on, for nearly all that left.
        """

    @property
    def settled(self) -> bool:
        """True if nearly all went to receivers that were written into a contract on the way before this transaction."""

    @property
    def signed(self) -> bool:
        """True if a signature was checked on the way."""

    @property
    def bonds(self) -> tuple[str, ...]:
        """The evidence behind `agreed`, as text."""


@dataclass(frozen=True, slots=True)
class _Known:
    """Terms that need not be read."""

    agreed: bool
    settled: bool
    signed: bool
    bonds: tuple[str, ...]


NO_TERMS: Terms = _Known(agreed=False, settled=False, signed=False, bonds=())


def terms(ways: Ways, taken: Sequence[Way], holder: Address) -> Terms:
    """What the contracts on these ways show of the agreement of `holder`; read when it is asked for."""
    return _Read(ways, taken, holder)


@dataclass(frozen=True)
class _Read:
    """Terms that are read out of the trace, each part when it is asked for: most questions end at the first step."""

    ways: Ways
    taken: Sequence[Way]
    holder: Address

    @cached_property
    def agreed(self) -> bool:
        """See `Terms`."""
        possible = sum(move.amount for move, _, _ in self.taken)
        most = SETTLED * possible
        for way, silent in zip(self.taken, self._silent, strict=True):
            move, caller, _ = way
            allowed = silent is not None and (
                self.ways.may_spend(move, self.holder, caller) or self.ways.is_drawn(move, self.holder)
            )
            if not (allowed or self.ways.are_bound(way, silent)):
                possible -= move.amount
                if possible < most:
                    return False
        return bool(self.taken) and possible >= most

    @cached_property
    def settled(self) -> bool:
        """See `Terms`."""
        ways, settled = self.ways, 0
        for move, _, chain in self.taken:
            if move.to not in ways.roles.cluster and any(ways.consent.knows(account, move.to) for account, _ in chain):
                settled += move.amount
        return settled >= SETTLED * sum(move.amount for move, _, _ in self.taken)

    @cached_property
    def signed(self) -> bool:
        """See `Terms`."""
        return any((move.token, self.holder) in self.ways.permitted for move, _, _ in self.taken) or any(
            Bond.SIGNATURE in bonds for links in self._links for bonds in links
        )

    @cached_property
    def bonds(self) -> tuple[str, ...]:
        """See `Terms`."""
        texts = [
            f"{account} {bond}"
            for (_, _, chain), links in zip(self.taken, self._links, strict=True)
            for (account, _), bonds in zip(chain, links, strict=True)
            for bond in bonds
        ]
        return tuple(dict.fromkeys(texts))[:8]

    @cached_property
    def _links(self) -> Sequence[list[tuple[Bond, ...]]]:
        return [self.ways.bonds(way, silent) for way, silent in zip(self.taken, self._silent, strict=True)]

    @cached_property
    def _silent(self) -> Sequence[Address | None]:
        """The holder, for each way up to the first on which it acted."""
        silent: Address | None = self.holder
        found = []
        for _, _, chain in self.taken:
            if silent is not None and any(account == silent for account, _ in chain):
                silent = None
            found.append(silent)
        return found

"""Checks of signatures and proofs: who signed, who had known the signer before, and for whom the answer speaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from gateway.model.frame import CallFrame
from gateway.model.primitive import Address

Knows = Callable[[Address, Address], bool]


class Check(NamedTuple):
    """One good answer of a precompile, as a contract saw it that asked for it or had somebody else ask."""

    entered: int
    """sequence number at which the precompile was called"""
    asked: Address | None
    """the first on the way to the precompile whom the asker had not known; what it says binds nobody but itself"""
    askers: tuple[Address, ...]
    """the contract and those between it and the precompile, the contract first"""
    signer: Address | None
    """who was recovered; None where the precompile recovers nobody"""

    def binds(self, holder: Address, token: Address) -> bool:
        """True if the answer can speak for what `holder` pays in `token`."""
        return self.asked is None or self.asked in (holder, token)


def checks(
    frame: CallFrame, asking: Sequence[Address], signer: Address | None, knows: Knows
) -> Iterator[tuple[Address, Check]]:
    """(contract, check) for each of `asking`, the accounts on the way to `frame`, outermost first.

    A contract that calls a stranger back may be made to look as if it had checked what the stranger had checked. So
    each step must lead to one whom the contract above had known; from there on the answer is the stranger's own word.
    A settlement that asks an unknown wallet (ERC-1271) gets such a word: it is enough for what the wallet pays.
    """
    asked: Address | None = None
    for at in range(len(asking) - 1, -1, -1):
        below = asking[at + 1] if at + 1 < len(asking) else None
        if below is not None and not knows(asking[at], below):
            asked = below
        yield asking[at], Check(frame.entered, asked, tuple(asking[at:]), signer)

"""What the ordering side put into a contract and got back larger within one transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gateway.inspection.harm.loss import Loss
from gateway.inspection.parties.roles import Roles
from gateway.inspection.trace.ledger import NATIVE
from gateway.inspection.trace.visit import visit
from gateway.model.facts import Facts, Transfer
from gateway.model.primitive import ZERO_ADDRESS, Address
from gateway.model.trace import CallFrame

ODDS = 40
"""times its stake that a bet may win; who pays more pays for something else"""
MOSTLY = 0.5
"""part of a holder's loss that the difference must explain"""


@dataclass(frozen=True, slots=True)
class Growth:
    """One asset of which a contract paid the ordering side more than it had taken in."""

    loss: Loss
    paid_in: int
    paid_back: int
    repeated: bool
    """one call was enough: the contract called itself several times, and each time paid for the same coin"""

    @property
    def rate(self) -> float:
        """What came back beyond what went in, as a part of what went in."""
        return (self.paid_back - self.paid_in) / self.paid_in


def growths(facts: Facts, frames: Sequence[CallFrame], roles: Roles, losses: Sequence[Loss]) -> Iterator[Growth]:
    """Losses of contracts that took the same asset in first and paid more of it back later; linear in transfers.

    Coming and going within one call does not count, for that is how bets and swaps are settled, unless the contract
    called itself several times on the way and each of these calls paid out of the one payment.
    """
    lost = {(loss.holder, loss.asset): loss for loss in losses if loss.acted and loss.asset.item is None}
    if not lost:
        return
    tokens = {(holder, asset.token): (holder, asset) for holder, asset in lost}
    taken: dict[tuple[Address, Address], list[Transfer]] = defaultdict(list)
    paid: dict[tuple[Address, Address], list[Transfer]] = defaultdict(list)
    for move, inward in facts.crossings(roles.cluster):
        if move.token_id is not None:
            continue
        if not inward and (move.to, move.token) in tokens:
            taken[move.to, move.token].append(move)
        elif inward and (move.from_, move.token) in tokens:
            paid[move.from_, move.token].append(move)
    for key, ins in taken.items():
        outs, loss = paid.get(key, []), lost[tokens[key]]
        paid_in, paid_back = sum(move.amount for move in ins), sum(move.amount for move in outs)
        if not paid_in or paid_back - paid_in < MOSTLY * loss.amount:
            continue
        first = _visit(frames, ins[0], roles)
        later = any(move.sequence > ins[0].sequence and _visit(frames, move, roles) != first for move in outs)
        repeated = not later and _repeats(frames, outs, key[0], paid_in)
        if later or repeated:
            yield Growth(loss, paid_in, paid_back, repeated)


def wagers(facts: Facts, frames: Sequence[CallFrame], roles: Roles, losses: Sequence[Loss]) -> frozenset[Address]:
    """Contracts that took coin with one call and paid a small multiple of it back before that call was over.

    That is a bet which was won at once: what was paid in was at stake. Linear in transfers.
    """
    lost = {loss.holder for loss in losses if loss.asset == NATIVE and loss.acted}
    stakes: dict[tuple[Address, int], int] = {}
    prizes: dict[tuple[Address, int], int] = defaultdict(int)
    strange: set[Address] = set()
    for move in facts.transfers if lost else ():
        if move.token != ZERO_ADDRESS:
            continue
        if move.to in lost and move.from_ in roles.cluster:
            stakes[move.to, _visit(frames, move, roles)] = move.amount
        elif move.from_ in lost:
            visit = _visit(frames, move, roles)
            prizes[move.from_, visit] += move.amount
            if (move.from_, visit) not in stakes or visit == move.frame:
                strange.add(move.from_)
    return frozenset(
        holder
        for holder in {holder for holder, _ in prizes} - strange
        if all(amount <= ODDS * stakes[key] for key, amount in prizes.items() if key[0] == holder)
    )


def _visit(frames: Sequence[CallFrame], move: Transfer, roles: Roles) -> int:
    """The call out of the ordering side under which a movement happened (index of its frame)."""
    frame = frames[move.frame]
    arrived = frame.context in roles.cluster  # coin that arrives is a call of its own
    return visit(frames, frame.parent if arrived else frame.index, roles.cluster)


def _repeats(frames: Sequence[CallFrame], outs: Sequence[Transfer], holder: Address, paid_in: int) -> bool:
    """True if several calls of `holder` to itself paid out, none of them more than what had been paid in."""
    rounds: dict[int, int] = defaultdict(int)
    for move in outs:
        index, own = move.frame, -1
        while index >= 0:
            frame = frames[index]
            if frame.from_ == holder and frame.to == holder:
                own = index
            index = frame.parent
        if own >= 0:
            rounds[own] += move.amount
    return len(rounds) > 1 and max(rounds.values()) <= paid_in

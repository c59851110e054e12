"""What the ordering side put into a contract and took out of it again within one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.inspection.harm.loss import Loss
from gateway.inspection.parties.roles import Roles
from gateway.inspection.trace.ledger import Asset, Ledger
from gateway.model.facts import Facts
from gateway.model.primitive import Address
from gateway.model.trace import SimulationResult

RETURNED = 0.9
"""who took out at least this part of a deposit did not leave it there as payment"""
KEPT = 0.01
"""what the contract may keep of a deposit that came and went: fees and rounding"""


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """One asset that went in and came back, beside another that only went out."""

    holder: Address
    loss: Loss
    """what the contract has less of in the end"""
    asset: Asset
    """what came and went"""
    paid_in: int
    returned: int
    donated: int
    """part of `paid_in` that was sent without the contract's own code asking for it"""
    depositors: frozenset[Address]


def round_trips(
    facts: Facts, ledger: Ledger, roles: Roles, losses: Sequence[Loss], simulation: SimulationResult
) -> tuple[RoundTrip, ...]:
    """Deposits that came back whole while the same contract lost something else; linear in transfers."""
    lost = {loss.holder: loss for loss in reversed(losses) if loss.acted and loss.asset.item is None}
    if not lost:
        return ()
    sums: dict[tuple[Address, Asset], list[int]] = {}
    depositors: dict[tuple[Address, Asset], set[Address]] = {}
    for move, inward in facts.crossings(roles.cluster):
        if (move.from_ if inward else move.to) not in lost:
            continue
        asset = Asset(move.token, move.token_id)
        if not inward:
            row = sums.setdefault((move.to, asset), [0, 0, 0])
            row[0] += move.amount
            if simulation.trace.asker(move.frame, move.token) in roles.cluster:
                row[2] += move.amount
            depositors.setdefault((move.to, asset), set()).add(move.from_)
        elif (move.from_, asset) in sums:
            sums[move.from_, asset][1] += move.amount
    found = []
    for (holder, asset), (paid_in, returned, donated) in sums.items():
        loss = lost[holder]
        if asset == loss.asset or returned < RETURNED * paid_in:
            continue
        kept = {other: amount for other, amount in ledger.net.get(holder, {}).items() if amount > 0}
        if any(amount > KEPT * sums.get((holder, other), (0,))[0] for other, amount in kept.items()):
            continue
        who = frozenset(depositors[holder, asset])
        found.append(RoundTrip(holder, loss, asset, paid_in, returned, donated, who))
    return tuple(found)

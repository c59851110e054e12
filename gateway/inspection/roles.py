"""Who is who: the origin, what acts for it, and what it ended with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.inspection.ledger import NATIVE, Asset, Ledger
from gateway.inspection.memory import Memory
from gateway.inspection.pool import wrappers
from gateway.model.facts import Facts
from gateway.model.primitive import Address
from gateway.model.trace import FrameKind, SimulationResult
from gateway.model.transaction import Transaction

DUST = 10**14
"""wei of the chain's own coin below which a payment is no consideration"""
ROUNDING = 10_000
"""a net payment below this part of what passed through is rounding, not consideration"""


@dataclass(frozen=True, slots=True)
class Roles:
    """The side that ordered the transaction, and its balance sheet."""

    origin: Address
    cluster: frozenset[Address]
    """origin, contracts that it made now or earlier, and the contract it calls unless that one pays the origin"""
    gained: Mapping[Asset, int]
    """what the cluster has more of; a wrapped coin counts as the coin where this transaction shows that it is one"""
    gave: Mapping[Asset, int]
    """what the cluster has less of, as positive amounts; dust and rounding left out"""


def assign(
    transaction: Transaction, simulation: SimulationResult, facts: Facts, ledger: Ledger, memory: Memory
) -> Roles:
    """Decide the roles of one transaction; linear in frames and transfers."""
    cluster = {transaction.sender, *memory.created}
    for frame in simulation.trace.frames:
        if frame.kind in (FrameKind.CREATE, FrameKind.CREATE2) and not frame.reverted and frame.to is not None:
            creator = simulation.trace.frames[frame.parent].context if frame.parent >= 0 else frame.from_
            if frame.from_ in cluster or creator in cluster or frame.depth <= 1:
                cluster.add(frame.to)
    entry = transaction.to
    if entry is not None and not _pays(entry, cluster, ledger):
        cluster.add(entry)
        _adopt_created(simulation, cluster)
    wrapped = wrappers(facts)
    sums: dict[Asset, int] = defaultdict(int)
    for member in cluster:
        for asset, amount in ledger.net.get(member, {}).items():
            sums[NATIVE if asset in wrapped else asset] += amount
    inflow: dict[Asset, int] = defaultdict(int)
    for transfer in facts.transfers:
        if transfer.to in cluster:
            asset = Asset(transfer.token, transfer.token_id)
            inflow[NATIVE if asset in wrapped else asset] += transfer.amount
    gained = {asset: amount for asset, amount in sums.items() if amount > 0}
    gave = {
        asset: -amount
        for asset, amount in sums.items()
        if amount < 0 and -amount * ROUNDING > inflow[asset] and not (asset == NATIVE and -amount < DUST)
    }
    return Roles(transaction.sender, frozenset(cluster), gained, gave)


def _pays(entry: Address, cluster: set[Address], ledger: Ledger) -> bool:
    """True if the called contract ends with less of something that the origin's side ends with more of."""
    lost = [asset for asset, amount in ledger.net.get(entry, {}).items() if amount < 0]
    return any(ledger.net.get(member, {}).get(asset, 0) > 0 for asset in lost for member in cluster)


def _adopt_created(simulation: SimulationResult, cluster: set[Address]) -> None:
    for frame in simulation.trace.frames:
        created = frame.kind in (FrameKind.CREATE, FrameKind.CREATE2) and not frame.reverted
        if created and frame.to is not None and frame.from_ in cluster:
            cluster.add(frame.to)

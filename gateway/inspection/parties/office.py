"""The contract that is called: the origin's own tool, or one that serves many."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence, Set

from gateway.inspection.consent.given import Consent
from gateway.inspection.parties.door import PAYING
from gateway.inspection.trace.ledger import BURN_ADDRESSES, NATIVE, Asset, Ledger
from gateway.model.facts import Facts
from gateway.model.primitive import ZERO_ADDRESS, Address
from gateway.model.trace import CallFrame, SimulationResult

MOST = 0.5
"""part of an outsider's stock that no claim or fee takes"""
NAMES_READ = 4096
"""bytes of call data searched for a payee's address"""


def serves_others(
    entry: Address, cluster: Set[Address], simulation: SimulationResult, facts: Facts, ledger: Ledger
) -> bool:
    """True if the called contract pays the origin, or accounts that it was told of, or robs others for the origin."""
    if _pays(entry, cluster, ledger) or _pays(entry, _named_accounts(simulation, ledger, entry), ledger):
        return True
    return _robs(entry, cluster, facts, ledger, simulation.trace.frames)


def _named_accounts(simulation: SimulationResult, ledger: Ledger, entry: Address) -> set[Address]:
    """Accounts without code that ended with more and stand in the data the transaction brings."""
    data = simulation.trace.frames[0].input[:NAMES_READ]
    active = simulation.trace.active
    return {
        holder
        for holder, changes in ledger.net.items()
        if holder not in active
        and holder not in BURN_ADDRESSES
        and all(amount > 0 for amount in changes.values())
        and data.find(holder) >= 0
    }


def _pays(entry: Address, cluster: Set[Address], ledger: Ledger) -> bool:
    """True if the called contract pays a good part of what the origin's side ends with more of."""
    for asset, amount in ledger.net.get(entry, {}).items():
        got = sum(max(0, ledger.net.get(member, {}).get(asset, 0)) for member in cluster) if amount < 0 else 0
        if got and -amount * PAYING >= got:
            return True
    return False


def _robs(entry: Address, cluster: Set[Address], facts: Facts, ledger: Ledger, frames: Sequence[CallFrame]) -> bool:
    """True if the called contract spent allowances of others, took most of what they own, and the origin has more.

    Whoever holds allowances of outsiders is a servant of many, not the origin's own tool.
    """
    kept = {asset for member in cluster for asset, amount in ledger.net.get(member, {}).items() if amount > 0}
    for move in facts.transfers if kept else ():
        if move.token == ZERO_ADDRESS or move.from_ in cluster or move.from_ in (entry, ZERO_ADDRESS):
            continue
        asset = Asset(move.token, move.token_id)
        if asset not in kept or (ledger.share_lost(move.from_, asset) or 0.0) < MOST:
            continue
        frame = frames[move.frame]
        while frame.parent >= 0 and frames[frame.parent].context == move.token:
            frame = frames[frame.parent]
        if frame.from_ == entry:
            return True
    return False


def is_till(entry: Address, cluster: Set[Address], facts: Facts, ledger: Ledger, consent: Consent) -> bool:
    """True if the called contract has more only of what the origin's side paid it, and who gave something up knows it.

    It sells what is not its own, as a registrar does; a holder, or the token of what he lost, let it in before.
    """
    kept = ledger.net.get(entry)
    if not kept or any(amount < 0 for amount in kept.values()):
        return False
    paid: dict[Asset, int] = defaultdict(int)
    for move in facts.transfers:
        if move.to == entry and move.from_ in cluster:
            paid[Asset(move.token, move.token_id)] += move.amount
    if any(paid[asset] < amount for asset, amount in kept.items()):
        return False
    sellers = {
        account
        for holder, changes in ledger.net.items()
        if holder != entry and holder not in cluster
        for asset, amount in changes.items()
        if amount < 0 and asset != NATIVE
        for account in (holder, asset.token)
    }
    return any(
        consent.knows(seller, entry)
        or consent.keeps_account(seller, frozenset((entry,)), ledger.balance_places.get(seller, frozenset()))
        for seller in sellers
    )

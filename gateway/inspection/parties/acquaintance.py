"""Who got to know the ordering side only lately: entries and owner records that its own transactions wrote."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import replace

from gateway.inspection.consent.given import Consent
from gateway.inspection.consent.notes import holds_party
from gateway.inspection.parties.roles import Roles
from gateway.inspection.past.memory import Memory, remember
from gateway.inspection.trace.ledger import Ledger
from gateway.model.fold import STRUCT_SPAN
from gateway.model.primitive import Address
from gateway.model.trace import SimulationResult
from gateway.model.transaction import Transaction

SLOTS_LIMIT = 512
"""records remembered per sender; beyond it new ones count as old, which errs on the side of trust"""
ASSETS_LIMIT = 64
SLOTS_EXAMINED = 4096
"""changed slots looked at in one transaction"""


def learn(
    memory: Memory,
    transaction: Transaction,
    simulation: SimulationResult,
    roles: Roles,
    consent: Consent,
    ledger: Ledger | None = None,
) -> Memory:
    """`memory` after `transaction`: what was created, who was met for the first time, and what was given meanwhile.

    A contract that had a record of the ordering side before is an old acquaintance; new records there do not count,
    for a withdrawal request or a claim made from an old deposit is no new acquaintance. Linear in changed slots.
    """
    memory = remember(memory, transaction, simulation)
    if not simulation.succeeded:
        return memory
    own: set[Address | None] = {transaction.sender, *memory.created}
    if roles.gave or transaction.value:
        # who pays for being written down bets, insures himself or buys; by an own call, or one of his account's code
        own.update(link.to for link in simulation.trace.links if link.from_ == transaction.sender)
    met = _met(simulation, roles, consent, ledger, {contract for contract, _ in memory.acquainted}, own)
    acquainted = memory.acquainted
    if len(acquainted) + len(met) <= SLOTS_LIMIT:
        acquainted |= met
    if not any(contract in simulation.state_diff for contract in {contract for contract, _ in acquainted}):
        return memory
    dealt = dict(memory.dealt)
    for asset, amount in (*roles.gained.items(), *((asset, -amount) for asset, amount in roles.gave.items())):
        if asset in dealt or len(dealt) < ASSETS_LIMIT:
            dealt[asset] = dealt.get(asset, 0) + amount
    return replace(memory, acquainted=acquainted, dealt=dealt)


def _met(
    simulation: SimulationResult,
    roles: Roles,
    consent: Consent,
    ledger: Ledger | None,
    lately: Set[Address],
    own: Set[Address | None],
) -> frozenset[tuple[Address, int]]:
    preimages = simulation.trace.preimages or {}
    found: set[tuple[Address, int]] = set()
    examined = 0
    for contract, diff in simulation.state_diff.items():
        if contract in own or (contract not in lately and is_old(contract, roles, consent, ledger)):
            continue
        for slot, (before, after) in diff.storage.items():
            examined += 1
            if examined > SLOTS_EXAMINED:
                return frozenset(found)
            if not after:
                continue
            names = after >> 80 and holds_party(after, roles.cluster) and not holds_party(before, roles.cluster)
            if names or (not before and _is_keyed(slot, preimages, roles.cluster)):
                found.add((contract, slot))
    return frozenset(found)


def is_old(contract: Address, roles: Roles, consent: Consent, ledger: Ledger | None) -> bool:
    """True if `contract` knew the ordering side; a token knows everybody who holds it or approved, which is nothing."""
    known = (consent.stored, consent.embedded)
    if any(not roles.cluster.isdisjoint(kind.get(contract, ())) for kind in known):
        return True
    if roles.cluster.isdisjoint(consent.entries.get(contract, ())):
        return not roles.cluster.isdisjoint(consent.chained_terms.get(contract, ()))
    if ledger is None or not (places := ledger.balance_places.get(contract)):
        return True
    return consent.keeps_account(contract, roles.cluster, places)


def _is_keyed(slot: int, preimages: Mapping[int, bytes], parties: Set[Address]) -> bool:
    for offset in range(STRUCT_SPAN):
        preimage = preimages.get(slot - offset)
        if preimage is not None:
            outer = (preimages.get(int.from_bytes(word, "big"), b"") for word in _words(preimage))
            return any(
                not any(word[:12]) and Address(word[12:]) in parties
                for key in (preimage, *outer)
                for word in _words(key)
            )
    return False


def _words(preimage: bytes) -> list[bytes]:
    return [preimage[at : at + 32] for at in range(0, len(preimage) - 31, 32)]

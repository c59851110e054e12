"""Contracts that only pass a call on, and who stands behind them: a striker may put any number of them in front."""

from __future__ import annotations

from collections.abc import Set

from gateway.inspection.consent.given import Consent
from gateway.inspection.consent.notes import holds_party
from gateway.inspection.trace.ledger import BURN_ADDRESSES, Ledger
from gateway.model.facts import Facts
from gateway.model.primitive import Address
from gateway.model.trace import SimulationResult

PAYING = 10
"""who loses at least one part in so many of what another gains is who pays it; less was lying about"""


def behind(
    entry: Address, simulation: SimulationResult, facts: Facts, ledger: Ledger, cluster: Set[Address]
) -> Address | None:
    """The one contract for which `entry` is but a door: it does all that moves value and never calls back.

    What `entry` itself gives away or asks of a token on the way is no part of it. A door keeps nothing.
    """
    if any(amount > 0 for amount in ledger.net.get(entry, {}).values()):
        return None
    return simulation.trace.sole_room(entry, cluster, facts.transfers)


def feeds_accounts(room: Address, simulation: SimulationResult, ledger: Ledger) -> bool:
    """True if `room` only lost, or one account without code has a good part of what it lost.

    Who pays a plain account out of its own stock is no agent of whoever knocks.
    """
    changes = ledger.net.get(room, {})
    lost = {asset: -amount for asset, amount in changes.items() if amount < 0}
    if not lost or len(lost) == len(changes):
        return bool(lost)
    active = simulation.trace.active
    return any(
        lost[asset] <= changes.get(asset, 0) * PAYING <= lost[asset] * PAYING
        for holder, changes in ledger.net.items()
        if holder not in active and holder not in BURN_ADDRESSES
        for asset in lost
    )


def is_unknown(
    contract: Address, simulation: SimulationResult, ledger: Ledger, consent: Consent, circle: Set[Address]
) -> bool:
    """True if nobody outside the `circle` who pays here trusts `contract`, and it keeps no record of its caller."""
    payers = {holder for holder, changes in ledger.net.items() if any(amount < 0 for amount in changes.values())}
    payers = (payers or set(consent.codes)) - circle - {contract}
    if any(contract in consent.stored.get(holder, ()) for holder in payers):
        return False
    if any(spender == contract and owner not in circle for _, owner, spender in consent.allowances):
        return False
    if any(simulation.trace.names(holder, contract) for holder in payers):
        return False
    preimages = simulation.trace.preimages or {}
    diff = simulation.state_diff.get(contract)
    for slot, (_, after) in diff.storage.items() if diff is not None else ():
        preimage = preimages.get(slot, b"")
        if any(preimage.find(member) >= 0 for member in circle) or holds_party(after, circle):
            return False
    return True

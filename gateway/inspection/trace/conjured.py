"""Balances that grew without anybody paying: transfers to oneself that add, and amounts that nobody can have had."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Set
from dataclasses import dataclass

from gateway.inspection.trace.ledger import NATIVE, Asset, Ledger
from gateway.model.facts import Facts, TokenStandard
from gateway.model.primitive import ZERO_ADDRESS, Address
from gateway.model.trace import SimulationResult

ABSURD_AMOUNT = 1 << 240
"""units beyond which an amount is an overflow, or a token without meaning"""
OVERSPENT = 2
"""times what it had; rebases and reflections add far less"""
OVERSPENT_UNITS = 10**6


@dataclass(frozen=True, slots=True)
class Conjured:
    """A balance that grew out of nothing."""

    token: Address
    holder: Address
    """who has more than the transfers explain, or who is said to have sent what it never had"""
    amount: int
    frame: int
    to_itself: bool
    """True: by a transfer to oneself; False: by a transfer of more than the sender had"""


def conjured(facts: Facts, ledger: Ledger, simulation: SimulationResult) -> tuple[Conjured, ...]:
    """Find them; linear in transfers and in the changed slots of the tokens concerned."""
    own: dict[tuple[Address, Address], list[int]] = defaultdict(list)
    sent: dict[tuple[Address, Address], int] = defaultdict(int)
    frames: dict[tuple[Address, Address], int] = {}
    enough = sum([move.amount for move in facts.transfers]) >= ABSURD_AMOUNT
    for move in facts.transfers:
        if move.from_ != move.to and not enough:
            continue
        if move.standard is not TokenStandard.ERC20 or move.from_ == ZERO_ADDRESS or not move.amount:
            continue
        key = (move.token, move.from_)
        if move.from_ == move.to:
            own[key].append(move.amount)
            frames.setdefault(key, move.frame)
        else:
            sent[key] += move.amount
            if sent[key] >= ABSURD_AMOUNT:
                frames.setdefault(key, move.frame)
    found = []
    for (token, holder), amounts in own.items():
        grown = _growth(simulation, token, holder) | _unchanged(simulation, ledger, token, holder)
        net = ledger.net.get(holder, {}).get(Asset(token), 0)
        made = sum(amounts)
        if net + made in grown or any(net + amount in grown for amount in amounts):
            found.append(Conjured(token, holder, made, frames[token, holder], to_itself=True))
    for (token, holder), amount in sent.items():
        net = ledger.net.get(holder, {}).get(Asset(token), 0)
        if amount >= ABSURD_AMOUNT and _growth(simulation, token, holder).isdisjoint((-amount, net)):
            found.append(Conjured(token, holder, amount, frames[token, holder], to_itself=False))
    return tuple(found)


def overspent(ledger: Ledger, cluster: Set[Address]) -> frozenset[Asset]:
    """Tokens of which a member of the ordering side gave away much more than it had and got: it made them itself."""
    return frozenset(
        asset
        for member in cluster
        for asset, amount in ledger.net.get(member, {}).items()
        if asset != NATIVE
        and asset.item is None
        and (stock := ledger.before.get((member, asset))) is not None
        and -amount > OVERSPENT * stock + OVERSPENT_UNITS
    )


def _growth(simulation: SimulationResult, token: Address, holder: Address) -> set[int]:
    """By how much each changed mapping entry of the token keyed by the holder grew; a wrap-around is growth too."""
    diff = simulation.state_diff.get(token)
    preimages: Mapping[int, bytes] = simulation.trace.preimages or {}
    grown = set()
    for slot, (before, after) in diff.storage.items() if diff is not None else ():
        preimage = preimages.get(slot)
        if preimage is not None and holder in (preimage[12:32], preimage[44:64]):
            grown.add(after - before)
    return grown


def _unchanged(simulation: SimulationResult, ledger: Ledger, token: Address, holder: Address) -> set[int]:
    """{0} if the holder's balance was written and is what it was: all that it made of nothing is gone again."""
    diff = simulation.state_diff.get(token)
    changed = diff.storage if diff is not None else {}
    preimages: Mapping[int, bytes] = simulation.trace.preimages or {}
    places = ledger.balance_places.get(token, frozenset())
    keys = {bytes(12) + holder + place for place in places} | {place + bytes(12) + holder for place in places}
    same = any(
        use.address == token and use.slot not in changed and preimages.get(use.slot) in keys
        for use in simulation.trace.written
    )
    return {0} if same else set()

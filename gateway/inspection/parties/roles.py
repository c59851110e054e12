"""Who is who: the origin, what acts for it, and what it ended with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Set
from dataclasses import dataclass
from enum import Enum

from gateway.inspection.consent.given import Consent
from gateway.inspection.parties.door import behind, feeds_accounts, is_unknown
from gateway.inspection.parties.office import NAMES_READ, is_till, serves_others
from gateway.inspection.past.memory import Memory
from gateway.inspection.trace.ledger import BURN_ADDRESSES, NATIVE, Asset, Ledger
from gateway.model.facts import Facts
from gateway.model.primitive import ZERO_ADDRESS, Address
from gateway.model.trace import FrameKind, SimulationResult
from gateway.model.transaction import Transaction

DUST = 10**14
"""wei of the chain's own coin below which a payment is no consideration"""
ROUNDING = 10_000
"""a net payment below this part of what passed through is rounding, not consideration"""

DOORS = 8
"""doors one behind the other that are looked through"""
KEEPERS_EXAMINED = 16
PAYEES_EXAMINED = 32
_CALLS = frozenset({FrameKind.CALL})


class Reading(Enum):
    """How to answer where it is open whether a contract acts for the origin or serves it."""

    COMMON = "by what it knows, keeps and pays"
    BOLD = "whatever was called, or stands behind a door, acts for the origin"
    SHY = "what stands behind a door acts for itself"


@dataclass(frozen=True, slots=True)
class Roles:
    """The side that ordered the transaction, and its balance sheet."""

    origin: Address
    cluster: frozenset[Address]
    """origin, contracts that it made now or earlier, the contract it calls (not a token, nor one that pays the
    origin or robs others for it) and the one behind it if that is but a door, contracts that only these know and that
    keep what outsiders pay them, and accounts without code that these pay or name"""
    gained: Mapping[Asset, int]
    """what the cluster has more of; a wrapped coin counts as the coin where this transaction shows that it is one"""
    gave: Mapping[Asset, int]
    """what the cluster has less of, as positive amounts; dust, rounding, and tokens that it made itself left out"""
    own: frozenset[Address] = frozenset()
    """of the cluster, the origin and the contracts that it made now or earlier"""
    reading: Reading = Reading.COMMON
    """how these roles were decided"""
    others: frozenset[Reading] = frozenset()
    """the other readings that come to another answer"""


def assign(
    transaction: Transaction,
    simulation: SimulationResult,
    facts: Facts,
    ledger: Ledger,
    memory: Memory,
    wrapped: Set[Asset],
    consent: Consent | None = None,
    *,
    reading: Reading = Reading.COMMON,
    outside: Set[Address] = frozenset(),
) -> Roles:
    """Decide the roles of one transaction; linear in frames and transfers.

    `wrapped`: tokens that are the chain's coin in another form. `outside`: contracts that are not the origin's tool,
    even if it calls them and nobody else.
    """
    cluster = {transaction.sender, *memory.created}
    for frame in simulation.trace.creations:
        if not frame.reverted and frame.to is not None:
            creator = simulation.trace.frames[frame.parent].context if frame.parent >= 0 else frame.from_
            if frame.from_ in cluster or creator in cluster or frame.depth <= 1:
                cluster.add(frame.to)
    own = frozenset(cluster)
    others = _adopt_entry(transaction, simulation, facts, ledger, memory, consent, cluster, reading, outside)
    if consent is not None:
        _adopt_servants(simulation, facts, ledger, consent, cluster)
        _adopt_keepers(simulation, facts, ledger, consent, cluster)
    _adopt_payees(simulation, facts, ledger, cluster)
    sums: dict[Asset, int] = defaultdict(int)
    for member in cluster:
        for asset, amount in ledger.net.get(member, {}).items():
            sums[NATIVE if asset in wrapped else asset] += amount
    # coin sent to the zero address is thrown away, and pays nobody
    for move, inward in facts.crossings(cluster):
        if not inward and move.to == move.token == ZERO_ADDRESS:
            sums[NATIVE] += move.amount
    gained = {asset: amount for asset, amount in sums.items() if amount > 0}
    # what the origin handed to the contract it calls is given, not kept; so is what a wallet handed on for it
    called = transaction.to
    for giver in (transaction.sender,) if called is None or called not in cluster else (transaction.sender, called):
        for asset, amount in ledger.net.get(giver, {}).items():
            if amount < 0 and asset != NATIVE and asset not in wrapped and sums[asset] >= 0:
                sums[asset] = amount
    inflow = _inflow(facts, cluster, wrapped) if any(amount < 0 for amount in sums.values()) else {}
    gave = {
        asset: -amount
        for asset, amount in sums.items()
        if amount < 0 and -amount * ROUNDING > inflow.get(asset, 0) and not (asset == NATIVE and -amount < DUST)
        if asset.token not in own
    }
    return Roles(transaction.sender, frozenset(cluster), gained, gave, own, reading, others)


def _inflow(facts: Facts, cluster: Set[Address], wrapped: Set[Asset]) -> Mapping[Asset, int]:
    """What came to the cluster by every single transfer, its own included; wrapped coin counts as coin."""
    inflow: dict[Asset, int] = defaultdict(int)
    for move in facts.transfers:
        if move.to in cluster:
            asset = Asset(move.token, move.token_id)
            inflow[NATIVE if asset in wrapped else asset] += move.amount
    return inflow


def _adopt_entry(
    transaction: Transaction,
    simulation: SimulationResult,
    facts: Facts,
    ledger: Ledger,
    memory: Memory,
    consent: Consent | None,
    cluster: set[Address],
    reading: Reading,
    outside: Set[Address],
) -> frozenset[Reading]:
    """Take in the contract that is called, what it creates, and what lies behind it if it is but a door.

    Returns the readings that would have taken in others.
    """
    tokens, bold = facts.tokens, reading is Reading.BOLD
    lately = {contract for contract, _ in memory.acquainted}
    entry = transaction.to or simulation.trace.frames[0].to
    others: frozenset[Reading] = frozenset()
    for doors in range(DOORS):
        if entry is None or entry in tokens or entry in outside:
            break
        if not bold and entry not in cluster and serves_others(entry, cluster, simulation, facts, ledger):
            return others | {Reading.BOLD}
        if entry not in cluster and consent is not None and is_till(entry, cluster, facts, ledger, consent):
            return others
        others |= {Reading.SHY} if doors else frozenset()
        cluster.add(entry)
        _adopt_created(simulation, cluster)
        entry = behind(entry, simulation, facts, ledger, cluster)
        if entry is None or bold:
            continue
        if reading is Reading.SHY or feeds_accounts(entry, simulation, ledger):
            return others | {Reading.BOLD}
        if consent is not None and not is_unknown(entry, simulation, ledger, consent, cluster | lately):
            return others | {Reading.BOLD}
    return others


def _adopt_created(simulation: SimulationResult, cluster: set[Address]) -> None:
    for frame in simulation.trace.creations:
        if not frame.reverted and frame.to is not None and frame.from_ in cluster:
            cluster.add(frame.to)


def _adopt_servants(
    simulation: SimulationResult, facts: Facts, ledger: Ledger, consent: Consent, cluster: set[Address]
) -> None:
    """Take in contracts that knew the member who calls them, keep nothing, and hand what they get to the cluster."""
    payers = {move.from_ for move, inward in facts.crossings(cluster) if inward}
    payers = {payer for payer in payers if not ledger.net.get(payer)}
    for frame in simulation.trace.select(kinds=_CALLS, to=payers) if payers else ():
        servant = frame.to
        if servant is None or frame.from_ not in cluster or servant in cluster or ledger.net.get(servant):
            continue
        if consent.knows(servant, frame.from_):
            cluster.add(servant)


def _adopt_keepers(
    simulation: SimulationResult, facts: Facts, ledger: Ledger, consent: Consent, cluster: set[Address]
) -> None:
    """Take in contracts that act on the word of the cluster alone, and keep what outsiders pay them.

    The cluster calls them, or names them to the outsider who does; they lose nothing, nobody who pays or calls them
    had their address before, and nobody lets them spend. Attackers keep helpers of that kind, often made days before.
    """
    tokens = facts.tokens
    if not any(
        holder not in cluster and holder not in tokens and all(amount > 0 for amount in changes.values())
        for holder, changes in ledger.net.items()
    ):
        return  # nobody keeps anything
    payers: dict[Address, set[Address]] = defaultdict(set)
    for move in facts.transfers:
        if move.from_ not in cluster and move.from_ != move.to and move.from_ != ZERO_ADDRESS:
            payers[move.to].add(move.from_)
    callers: dict[Address, set[Address]] = defaultdict(set)
    called: dict[Address, int] = {}
    for link in simulation.trace.links:
        keeper = link.to
        if keeper not in payers or keeper in tokens or keeper in cluster:
            continue
        if link.kind is FrameKind.CALL and link.code_hash is not None:
            called.setdefault(keeper, link.first)
            callers[keeper].add(link.from_)
    spenders = {spender for _, owner, spender in consent.allowances if owner not in cluster and any(owner[:12])}
    for keeper, first in list(called.items())[:KEEPERS_EXAMINED]:
        kept = ledger.net.get(keeper)
        if not kept or any(amount < 0 for amount in kept.values()) or keeper in spenders:
            continue
        if callers[keeper].isdisjoint(cluster) and not simulation.trace.told(first, keeper, cluster, NAMES_READ):
            continue
        if not any(consent.knows(other, keeper) for other in (payers[keeper] | callers[keeper]) - cluster):
            cluster.add(keeper)


def _adopt_payees(simulation: SimulationResult, facts: Facts, ledger: Ledger, cluster: set[Address]) -> None:
    """Take in the plain accounts that the cluster pays, or tells others to pay."""
    active = simulation.trace.active
    asked: set[Address] = set()
    for move in facts.transfers:
        payee = move.to
        if payee in cluster or payee in active or payee in BURN_ADDRESSES or payee in asked:
            continue
        if any(amount < 0 for amount in ledger.net.get(payee, {}).values()):
            continue
        if move.from_ in cluster and simulation.trace.asker(move.frame, move.token) in cluster:
            cluster.add(payee)
        elif move.from_ not in cluster and len(asked) < PAYEES_EXAMINED:
            asked.add(payee)
            if simulation.trace.told(move.frame, payee, cluster, NAMES_READ):
                cluster.add(payee)

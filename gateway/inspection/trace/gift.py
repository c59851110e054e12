"""What the ordering side gave away that paid for nothing: a gift must not make a theft look like a trade."""

from __future__ import annotations

from collections.abc import Set

from gateway.inspection.trace.ledger import BALANCE_OF, Asset, Ledger
from gateway.model.facts import Facts
from gateway.model.primitive import ZERO_ADDRESS, Address
from gateway.model.trace import SimulationResult

_QUERIES = frozenset({BALANCE_OF})

Holding = tuple[Address, Asset]


def unseen(facts: Facts, ledger: Ledger, cluster: Set[Address], simulation: SimulationResult) -> frozenset[Holding]:
    """Tokens that the ordering side pushed to contracts which never looked at them: nobody there took them as payment.

    A contract that takes pushed tokens as payment asks the token for its balance, is asked for it by another, or is
    told by a hook. An account without code looks at nothing and counts as paid. Linear in transfers and links.
    """
    trace, net = simulation.trace, ledger.net
    pushed: dict[Holding, bool] = {}
    gave = {(move.to, move.token) for move, inward in facts.crossings(cluster) if not inward}
    for move in facts.transfers if gave else ():
        if (move.to, move.token) not in gave or move.token == ZERO_ADDRESS or move.to == move.from_:
            continue
        asset = Asset(move.token, move.token_id)
        if net.get(move.to, {}).get(asset, 0) <= 0:
            continue
        holding = (move.to, asset)
        if pushed.get(holding, True):
            pushed[holding] = move.from_ in cluster and trace.asker(move.frame, move.token) in cluster
    found = {holding for holding, only in pushed.items() if only}
    if not found:
        return frozenset()
    active: set[Address] = set()
    met: set[tuple[Address, Address]] = set()
    for link in trace.links:
        if link.code_hash is not None and link.context is not None:
            active.add(link.context)
        if link.to is not None:
            met.update(((link.from_, link.to), (link.to, link.from_)))
    found = {(holder, asset) for holder, asset in found if holder in active and (holder, asset.token) not in met}
    if not found:
        return frozenset()
    for frame in trace.select(selectors=_QUERIES, about={holder for holder, _ in found}):
        if frame.from_ not in cluster and frame.to is not None:
            met.add((Address(frame.input[16:36]), frame.to))
    return frozenset((holder, asset) for holder, asset in found if (holder, asset.token) not in met)


def unrelated(
    assets: Set[Asset], facts: Facts, ledger: Ledger, cluster: Set[Address], simulation: SimulationResult
) -> frozenset[Asset]:
    """Of `assets`, those that the ordering side gave in calls which have nothing to do with what others lost.

    A call out of the ordering side has to do with a loss if an account that acts there, or receives there, also acts
    in a call during which an outsider paid, or pays itself. Linear in frames and transfers.
    """
    frames = simulation.trace.frames
    found = simulation.trace.visits(cluster)
    payers = {
        holder
        for holder, changes in ledger.net.items()
        if holder not in cluster and any(amount < 0 for amount in changes.values())
    }
    paying = set()
    for move in facts.transfers:
        made = move.from_ == ZERO_ADDRESS and move.to in cluster
        paid = move.from_ in payers and ledger.net[move.from_].get(Asset(move.token, move.token_id), 0) < 0
        if made or paid:
            frame = frames[move.frame]
            paying.add(found[frame.parent if frame.context in cluster else frame.index])
    acting = simulation.trace.acting(cluster)
    busy = payers.union(*(acting.get(top, ()) for top in paying)) - cluster
    if not busy:
        return frozenset()
    related: set[Asset] = set()
    for move in facts.transfers:
        asset = Asset(move.token, move.token_id)
        if asset not in assets or asset in related or move.from_ not in cluster or move.to in cluster:
            continue
        if not busy.isdisjoint(acting.get(found[move.frame], ())) or move.to in busy or move.token in busy:
            related.add(asset)
    return frozenset(assets - related)

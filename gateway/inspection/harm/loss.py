"""Who lost what outside the ordering side, and whether anything shows that they agreed to it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field

from gateway.inspection.consent.given import Consent
from gateway.inspection.harm.terms import Terms, terms
from gateway.inspection.harm.ways import Ways
from gateway.inspection.market.pool import Market
from gateway.inspection.parties.roles import DUST, Roles
from gateway.inspection.trace.gift import unseen
from gateway.inspection.trace.ledger import NATIVE, Asset, Ledger
from gateway.model.facts import Facts, Transfer
from gateway.model.lazy import cached_property
from gateway.model.primitive import ZERO_ADDRESS, Address
from gateway.model.trace import SimulationResult

LOSSES_EXAMINED = 64
NEXT_TO_NOTHING = 10**9
"""times what came in that was there before, from which on it is no payment: somebody mistook the unit"""
MANY_ITEMS = 50
"""items made at once, from which on it is no mint for oneself"""
FAIR = 0.995
"""a pair whose liquidity token is worth at least this part of before kept its promise"""


@dataclass(frozen=True)
class Loss:
    """One asset that one outsider has less of; whether anybody agreed to it is read out of the trace when asked."""

    holder: Address
    asset: Asset
    amount: int
    share: float | None
    """part of the holder's stock that left, 0 to 1; None if the stock is unknown"""
    compensated: bool
    """the same holder has more of something else, and it was not pushed upon it unseen"""
    acted: bool
    """the holder's own code ran on the way to the outflow; False: someone used an allowance"""
    to_cluster: bool
    """the largest outflow went straight to the ordering side"""
    frames: tuple[int, ...]
    may_be_signed: bool
    """False: no signature was checked in the whole transaction, so that its terms need not be read for one"""
    read_terms: Callable[[], Terms] = field(repr=False, compare=False)
    """most losses are explained by less, and nobody asks for their terms"""

    @cached_property
    def _terms(self) -> Terms:
        return self.read_terms()

    @property
    def agreed(self) -> bool:
        """True if every contract on the way agreed; see `Terms`."""
        return self._terms.agreed

    @property
    def settled(self) -> bool:
        """True if it went where it had been written down before that it goes; see `Terms`."""
        return self._terms.settled

    @property
    def signed(self) -> bool:
        """True if a signature was checked on the way."""
        return self.may_be_signed and self._terms.signed

    @property
    def bonds(self) -> tuple[str, ...]:
        """The evidence behind `agreed`, as text."""
        return self._terms.bonds


def describe_loss(loss: Loss) -> str:
    """The loss in words: amount in smallest units, token, share of the stock."""
    what = "of the chain's own coin" if loss.asset == NATIVE else f"of {loss.asset.token}"
    if loss.asset.item is not None:
        return f"item {loss.asset.item} {what}"
    share = "an unknown part of its stock" if loss.share is None else f"{loss.share:.1%} of its stock"
    return f"{loss.amount} units {what} ({share})"


def losses(
    facts: Facts,
    ledger: Ledger,
    consent: Consent,
    roles: Roles,
    market: Market,
    simulation: SimulationResult,
    wrapped: Set[Asset] = frozenset(),
) -> tuple[Loss, ...]:
    """Losses outside the cluster, the largest share first; plain swap pools that kept their promise are left out."""
    tokens = facts.tokens
    gifts = unseen(facts, ledger, roles.cluster, simulation)
    found = []
    for holder, changes in ledger.net.items():
        if holder in roles.cluster or (Asset(holder) in wrapped and changes.keys() <= {NATIVE}):
            continue
        lost = [asset for asset, amount in changes.items() if amount < 0]
        if not lost or _is_fair(holder, lost, market):
            continue
        compensated = any(
            amount > (DUST if asset == NATIVE else 0)
            and (holder, asset) not in gifts
            and not _is_worthless(holder, asset, amount, ledger, roles)
            for asset, amount in changes.items()
        )
        for asset in lost:
            found.append((ledger.share_lost(holder, asset), holder, asset, -changes[asset], compensated))
    found.sort(key=lambda row: (-(row[0] or 0.0), -row[3]))
    permitted = frozenset(
        (set_.token, set_.owner)
        for set_ in (facts.approvals if consent.signatures else ())
        if consent.has_signed(set_.token, set_.owner)
    )
    trace = simulation.trace
    ways = Ways(trace, trace.frames, consent, roles, tokens, ledger, permitted)
    return tuple(
        _loss(ways, ledger.outflows[holder, asset], holder, asset, amount, share, compensated)
        for share, holder, asset, amount, compensated in found[:LOSSES_EXAMINED]
    )


def _is_worthless(holder: Address, asset: Asset, amount: int, ledger: Ledger, roles: Roles) -> bool:
    """True if `asset` is coin of the ordering side's own making, or next to nothing beside what the holder had."""
    if asset.item is not None:
        return False
    own = asset.token in roles.own
    return own or amount * NEXT_TO_NOTHING < ledger.before.get((holder, asset), 0)


def _is_fair(holder: Address, lost: Sequence[Asset], market: Market) -> bool:
    pair = market.pairs.get(holder)
    if pair is not None and set(lost) <= set(pair.tokens):
        return pair.worth_kept is None or pair.worth_kept >= FAIR
    return holder in market.concentrated


def issues(
    facts: Facts,
    ledger: Ledger,
    consent: Consent,
    roles: Roles,
    simulation: SimulationResult,
    wrapped: Set[Asset],
) -> tuple[Loss, ...]:
    """Tokens that came into being for the ordering side, each as a loss of all who hold that token.

    `share` is the part that the new units add to the supply before; it may be far above 1. Items count by their number,
    if there are many.
    """
    tokens = facts.tokens
    ways = Ways(simulation.trace, simulation.trace.frames, consent, roles, tokens, ledger)
    found = []
    mints: dict[Address, list[Transfer]] = defaultdict(list)
    for move in facts.transfers:
        if move.from_ == ZERO_ADDRESS and move.to != ZERO_ADDRESS:
            mints[move.token].append(move)
    for asset, amount in ledger.minted.items():
        if amount <= 0 or asset in wrapped or asset.item is not None or asset.token in roles.cluster:
            continue
        moves = tuple(mints.get(asset.token, ()))
        if not moves:
            continue
        supply = ledger.supply.get(asset)
        share = amount / supply if supply else None
        backed = ways.backed(moves)
        found.append(_loss(ways, moves, asset.token, asset, amount, share, backed))
    for token, amount in _collections(ledger).items():
        if token in roles.cluster:
            continue
        moves = tuple(mints.get(token, ()))
        counted = _counted(token, amount, simulation)
        if moves and counted:
            found.append(_loss(ways, moves, token, Asset(token), amount, amount / counted, ways.backed(moves)))
    return tuple(found[:LOSSES_EXAMINED])


def _collections(ledger: Ledger) -> dict[Address, int]:
    """Token -> how many of its items came into being, where it is more than people mint for themselves."""
    made = Counter(asset.token for asset, amount in ledger.minted.items() if amount > 0 and asset.item is not None)
    return {token: number for token, number in made.items() if number >= MANY_ITEMS}


def _counted(token: Address, amount: int, simulation: SimulationResult) -> int:
    """How many items there were, by a number of the token's that grew by just so many; 0 if there is none."""
    diff = simulation.state_diff.get(token)
    grown = (before for before, after in diff.storage.values() if after - before == amount) if diff is not None else ()
    return max(grown, default=0)


def _loss(
    ways: Ways,
    moves: tuple[Transfer, ...],
    holder: Address,
    asset: Asset,
    amount: int,
    share: float | None,
    compensated: bool,
) -> Loss:
    taken = ways.of(moves, holder)
    return Loss(
        holder=holder,
        asset=asset,
        amount=amount,
        share=share,
        compensated=compensated,
        acted=any(account == holder for _, _, chain in taken for account, _ in chain),
        to_cluster=bool(taken) and taken[0][0].to in ways.roles.cluster,
        frames=tuple([move.frame for move, _, _ in taken]),
        may_be_signed=bool(ways.consent.signatures),
        read_terms=lambda: terms(ways, taken, holder),
    )

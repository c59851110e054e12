"""What a sender left in a contract for a while, and what he takes out again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass

from gateway.inspection.consent.given import Consent
from gateway.inspection.parties.acquaintance import is_old
from gateway.inspection.parties.roles import Roles
from gateway.inspection.past.deal import DEALS_LIMIT, Deal, Dealings
from gateway.inspection.trace.ledger import BURN_ADDRESSES, Asset, Ledger
from gateway.model.facts import Facts
from gateway.model.fold import STRUCT_SPAN
from gateway.model.primitive import ZERO_ADDRESS, Address
from gateway.model.trace import SimulationResult

NOTED_SHARE = 0.02
"""part of what a contract held from which on a payment to it is remembered"""
RETURNED = 0.9
"""who took back at least this part of what he had put in did not leave it there as payment"""
REDEEMED = 0.995
"""the same of what shares were made for, after fees and rounding"""
EMPTIED = 0.5
"""part of a stock that is paid beyond what was made meanwhile; a reward that is made as it is earned leaves the rest"""
HEIRS = 4
"""accounts to whom one transaction hands over"""

Flows = Mapping[tuple[Address, Asset], tuple[int, int]]
"""(contract, asset) -> what one side sent there, and what came from there"""


@dataclass(frozen=True, slots=True)
class Sojourn:
    """One asset that a contract was given lately by somebody it had not known, and that it pays out to him now."""

    holder: Address
    asset: Asset
    put: int
    """units given in earlier transactions"""
    taken: int
    """units that came back, this transaction included"""
    stock: int
    """what the holder had before all that"""
    part: float
    """of the shares that were made for it, the part given up again; 1.0 if there were none, or all are kept"""
    shared: bool
    """True if there were shares, and some were given up"""
    others: int
    """units that others put in since"""
    rewards: Mapping[Asset, Deal]
    """what else came out, this transaction included, and never went in"""
    whole: bool
    """True if all else that was put in came back too"""

    @property
    def profit(self) -> int:
        """Units that came back beyond what went in for them, and beyond what others put in since."""
        return self.taken - int(self.put * self.part) - max(0, self.others)

    @property
    def returned(self) -> bool:
        """True if next to all that went in came back; who redeems shares may get all kinds of what is kept there."""
        return self.whole and self.taken >= (REDEEMED * self.part if self.shared else RETURNED) * self.put


def note_deals(
    known: Dealings,
    facts: Facts,
    ledger: Ledger,
    roles: Roles,
    consent: Consent,
    called: Address | None,
    pools: Set[Address] = frozenset(),
    active: Set[Address] = frozenset(),
) -> Dealings:
    """`known` with what this transaction adds; linear in transfers.

    A contract is noted from the first payment on that is a good part of what it held. `called`: whom the transaction
    calls; who keeps what he is paid is no tool. `pools`: where one swaps at a price nothing is left. `active`: who ran
    code; a payment to somebody who did not is no deposit, and nearly all payments are of that kind.
    """
    if not roles.gave and not known:
        return known
    flows = _flows(facts, roles.cluster - _keepers(called, facts, ledger, roles))
    lately = {holder: deal.new for (holder, _, _), deal in known.items()}
    for (holder, asset), (put, _) in flows.items():
        grave = put > 0 and put >= NOTED_SHARE * ledger.before.get((holder, asset), 0)
        if grave and holder in active and not (holder in pools or holder in lately or holder in BURN_ADDRESSES):
            lately[holder] = not is_old(holder, roles, consent, ledger)
    found = dict(known)
    for holder, asset, put, taken in _with_shares(flows, lately.keys(), ledger):
        key = (holder, *asset)
        before = found.get(key) or Deal(0, 0, ledger.before.get((holder, asset), 0), lately[holder])
        if key in found or len(found) < DEALS_LIMIT:
            found[key] = before._replace(put=before.put + put, taken=before.taken + taken)
    return found


def heirs(deals: Dealings, simulation: SimulationResult, roles: Roles) -> Mapping[Address, Dealings]:
    """Others for whom contracts began an entry here, and what the sender's side had to do with these contracts.

    Who hands his stake to another account hands on what it was paid too. Linear in written slots.
    """
    contracts = {holder for holder, _, _ in deals}
    found: dict[Address, dict[tuple[Address, Address, int | None], Deal]] = {}
    for use in simulation.trace.written if contracts else ():
        diff = simulation.state_diff.get(use.address) if use.address in contracts and not use.before else None
        if diff is None or not diff.storage.get(use.slot, (0, 0))[1]:
            continue
        heir = _keyed(use.slot, simulation)
        if heir is None or heir in roles.cluster or heir == use.address or len(found) >= HEIRS:
            continue
        found.setdefault(heir, {}).update({key: deal for key, deal in deals.items() if key[0] == use.address})
    return found


def _keyed(slot: int, simulation: SimulationResult) -> Address | None:
    """The account under whom a word is kept."""
    preimages = simulation.trace.preimages or {}
    place = next((found for back in range(STRUCT_SPAN) if (found := preimages.get(slot - back)) is not None), b"")
    words = (place[at : at + 32] for at in range(0, len(place) - 31, 32))
    return next((Address(word[12:]) for word in words if not any(word[:12]) and any(word[12:22])), None)


def sojourns(
    known: Dealings, facts: Facts, ledger: Ledger, roles: Roles, consent: Consent, called: Address | None
) -> Iterator[Sojourn]:
    """Assets that were put into contracts which lose something to the ordering side now."""
    if not known or not roles.gained:
        return
    after = note_deals(known, facts, ledger, roles, consent, called)
    losers = {holder for holder, changes in ledger.net.items() if any(amount < 0 for amount in changes.values())}
    for (holder, token, item), deal in known.items():
        if deal.new and deal.put > 0 and deal.taken <= deal.put and holder in losers and token not in roles.own:
            yield _sojourn(holder, Asset(token, item), deal, after, ledger, roles.own)


def _sojourn(holder: Address, asset: Asset, deal: Deal, after: Dealings, ledger: Ledger, own: Set[Address]) -> Sojourn:
    now = after[(holder, *asset)]
    part, shared, whole, rewards = 1.0, False, now.put == deal.put, dict[Asset, Deal]()
    for (keeper, token, item), row in after.items():
        kind = Asset(token, item)
        if keeper != holder or kind == asset or kind.token in own:
            continue
        if row.taken and not row.stock and (kind.token == holder or (holder, kind) not in ledger.before):
            if row.put:  # what is never given up is no share but a reward
                part, shared = row.put / row.taken, True
        elif not row.put:
            rewards[kind] = row
        elif row.taken < RETURNED * row.put:
            whole = False
    stock = ledger.before.get((holder, asset))
    others = 0 if stock is None else stock - (deal.stock + deal.put - deal.taken)
    return Sojourn(holder, asset, deal.put, now.taken, deal.stock, part, shared, others, rewards, whole)


def _keepers(called: Address | None, facts: Facts, ledger: Ledger, roles: Roles) -> Set[Address]:
    """Contracts that are taken for tools and have more of what the origin's own, or the called one, sent them."""
    more = {
        (member, asset)
        for member in roles.cluster - roles.own
        for asset, amount in ledger.net.get(member, {}).items()
        if amount > 0
    }
    givers = roles.own if called is None else roles.own | {called}
    return {
        move.to
        for move in (facts.transfers if more else ())
        if move.from_ in givers and (move.to, Asset(move.token, move.token_id)) in more
    }


def _flows(facts: Facts, side: Set[Address]) -> Flows:
    flows: dict[tuple[Address, Asset], tuple[int, int]] = {}
    for move, inward in facts.crossings(side):
        key = (move.from_ if inward else move.to, Asset(move.token, move.token_id))
        put, taken = flows.get(key, (0, 0))
        flows[key] = (put, taken + move.amount) if inward else (put + move.amount, taken)
    return flows


def _with_shares(flows: Flows, holders: Set[Address], ledger: Ledger) -> Iterator[tuple[Address, Asset, int, int]]:
    """The flows with `holders`; what was made or burnt meanwhile is its maker's, or theirs if they are but one."""
    acting = {holder for holder, _ in flows if holder in holders}
    for (holder, asset), (put, taken) in flows.items():
        if holder in acting:
            made = max(0, ledger.minted.get(asset, 0))
            if put or not made or taken - made >= EMPTIED * ledger.before.get((holder, asset), 0):
                yield holder, asset, put, taken
        elif holder == ZERO_ADDRESS and asset in ledger.minted:
            keeper = asset.token if asset.token in holders else next(iter(acting)) if len(acting) == 1 else None
            if keeper is not None and (keeper, asset) not in flows:
                yield keeper, asset, put, taken

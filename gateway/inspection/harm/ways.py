"""The ways on which value left: who acted on them, and what let them act."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from operator import attrgetter

from gateway.inspection.consent.given import Bond, Consent
from gateway.inspection.parties.roles import Reading, Roles
from gateway.inspection.trace.ledger import Ledger
from gateway.model.facts import Transfer
from gateway.model.primitive import ZERO_ADDRESS, Address
from gateway.model.trace import CallFrame, Trace

TRANSFERS_EXAMINED = 8
"""the largest outflows of each holder and asset are traced back to who ordered them"""
HELPER_FRAMES = 400
"""how many frames under a contract are searched for the check that let its caller in"""
_AMOUNT = attrgetter("amount")
NOTED = 0.9
"""part of what was drawn for others that must go to receivers written down beforehand"""
GROWTHS_EXAMINED = 64
WORD = 32
NAMED_TAIL = 24
"""bytes beyond whole words of call data that is a selector, words, and a name"""


Way = tuple[Transfer, Address, list[tuple[Address, int]]]
"""a movement, the last account of the ordering side on the way to it, and who acted between the two"""


@dataclass(frozen=True, slots=True)
class Ways:
    """How value got from those who lost it to the ordering side."""

    trace: Trace
    frames: Sequence[CallFrame]
    consent: Consent
    roles: Roles
    tokens: Set[Address]
    ledger: Ledger
    permitted: Set[tuple[Address, Address]] = frozenset()
    """(token, owner) pairs whose allowance was set here by a signature that the token checked"""
    drawn: dict[tuple[Address, Address], tuple[int, int]] = field(default_factory=dict)
    """(spender, token) -> what it moved on, and of that what went to those whom it had noted; filled when asked for"""
    grown: dict[Address, Mapping[bytes, Sequence[int]]] = field(default_factory=dict)
    """spender -> holder -> by how much its records of him grew; filled when asked for"""

    def of(self, moves: Sequence[Transfer], holder: Address) -> list[Way]:
        """The ways of the largest of `moves`, the largest first."""
        if len(moves) > 1:
            moves = sorted(moves, key=_AMOUNT, reverse=True)[:TRANSFERS_EXAMINED]  # of equal ones the earlier first
        return [(move, *self._chain(move, holder)) for move in moves]

    def are_bound(self, way: Way, silent: Address | None) -> bool:
        """True if there is a bond at every step of a way; the first without one ends the search."""
        move, caller, chain = way
        links = []
        for bonds in self._links(caller, chain, move):
            if not bonds:
                return False
            links.append(bonds)
        return bool(links) and all(self._without_own_words(links, chain, move, silent))

    def bonds(self, way: Way, silent: Address | None) -> list[tuple[Bond, ...]]:
        """The bonds at each step of a way; `silent`: see `_without_own_words`."""
        move, caller, chain = way
        return self._without_own_words(list(self._links(caller, chain, move)), chain, move, silent)

    def may_spend(self, move: Transfer, holder: Address, caller: Address) -> bool:
        """True if the holder let `caller` spend, and that one is the origin, or made by it, or knew it before.

        Who was trusted by others and obeys a stranger is no proof that they agreed to him. The bold reading, which
        takes whoever is called for the origin's own, says nothing of that.
        """
        if (move.token, holder, caller) not in self.consent.allowances:
            return False
        if caller in self.roles.own or self.roles.reading is Reading.BOLD:
            return True
        if self.consent.bonds(caller, frozenset((self.roles.origin,)), before=move.sequence, move=move):
            return True
        return self._fulfils(caller, move, holder)

    def is_drawn(self, move: Transfer, holder: Address) -> bool:
        """True if an outsider whom the holder let spend did with it what it had written down, whoever made it."""
        spender = self.trace.asker(move.frame, move.token)
        if spender in self.roles.cluster or (move.token, holder, spender) not in self.consent.allowances:
            return False
        return self._fulfils(spender, move, holder)

    def _fulfils(self, spender: Address, move: Transfer, holder: Address) -> bool:
        """True if `spender` had an order of the holder, and what it moved went where its own records say."""
        if self.consent.noted_beside(spender, holder, move.to):
            return True
        ordered = spender not in self.tokens and holder in self.consent.entries.get(spender, ())
        return ordered and (self._goes_where_noted(spender, move) or self._credited(spender, holder, move.amount))

    def _credited(self, spender: Address, holder: Address, amount: int) -> bool:
        """True if nearly all of `amount` was added to a record that the spender keeps of `holder`."""
        if spender not in self.grown:
            preimages, diff = self.trace.preimages or {}, self.ledger.simulation.state_diff.get(spender)
            found: dict[bytes, list[int]] = defaultdict(list)
            for slot, (before, after) in diff.storage.items() if diff is not None else ():
                if after > before:
                    found[preimages.get(slot, b"")[12:32]].append(after - before)
            self.grown[spender] = found
        growths = self.grown[spender].get(holder, ())[:GROWTHS_EXAMINED]
        return any(NOTED * amount <= growth <= amount for growth in growths)

    def _goes_where_noted(self, spender: Address, move: Transfer) -> bool:
        """True if nearly all of what `spender` moved of that token went to receivers whom it had written down.

        Who lets a contract take his dues, and has a record there, agreed to what it does with them whoever asks; the
        rest is for whoever asked.
        """
        key = (spender, move.token)
        if key not in self.drawn:
            noted = total = 0
            for other in self.ledger.facts.transfers:
                if other.token != move.token or other.to == spender:
                    continue
                if self.trace.asker(other.frame, other.token) == spender:
                    total += other.amount
                    noted += other.amount if other.to in self.consent.stored.get(spender, ()) else 0
            self.drawn[key] = (total, noted)
        total, noted = self.drawn[key]
        return total > 0 and noted >= NOTED * total

    def _is_lent_item(self, move: Transfer, caller: Address) -> bool:
        """True if the token moved an item by the word of one whom it noted beside that item alone, for a stranger.

        An approval of one item is an allowance; see `_may_spend`.
        """
        if move.token_id is None or caller in self.roles.own or self.roles.reading is Reading.BOLD:
            return False
        if caller not in self.consent.item_spenders(move.token, move.token_id):
            return False
        return not self.consent.bonds(caller, frozenset((self.roles.origin,)), before=move.sequence, move=move)

    def backed(self, moves: tuple[Transfer, ...]) -> bool:
        """True if a contract that took part in making the tokens ends with more of something."""
        for move, _, chain in self.of(moves, moves[0].token):
            for account, _ in chain:
                if any(
                    amount > 0
                    for asset, amount in self.ledger.net.get(account, {}).items()
                    if asset.token != move.token
                ):
                    return True
        return False

    def _chain(self, move: Transfer, holder: Address) -> tuple[Address, list[tuple[Address, int]]]:
        """The last account of the ordering side, and who acted between it and the movement."""
        path, cluster, caller, inner, end = self.trace.path(move.frame), self.roles.cluster, self.roles.origin, -1, 0
        for account, _ in path:
            if account in cluster:
                caller, inner = account, end
            end += 1
            if account == holder:
                break
        chain = list(path[inner + 1 : end])
        if len(chain) > 1 and chain[-1][0] == move.token and move.token != holder:
            chain = chain[:-1]  # it obeys whoever is between; asked directly, it answers for itself
        return caller, chain

    def _links(self, caller: Address, chain: list[tuple[Address, int]], move: Transfer) -> Iterator[tuple[Bond, ...]]:
        parties = frozenset((caller, self.roles.origin))
        outer: set[Address | None] = {None, *self.roles.cluster}
        for account, first in chain:
            spoken = self._spoken_for(first)
            parties = frozenset((spoken,)) if spoken else parties
            bonds: tuple[Bond, ...] = (Bond.SIGNATURE,) if spoken and self._hears(account, spoken, move) else ()
            bonds = bonds or self.consent.bonds(
                account, parties, before=move.sequence, entries=account not in self.tokens, move=move
            )
            bonds = bonds or self._helper_bonds(account, first, outer, parties, move)
            if bonds and account == move.token and self._is_lent_item(move, caller):
                bonds = ()
            own = move.from_ in (account, ZERO_ADDRESS) if move.token == account else move.from_ == account
            if not bonds and own and account in self.tokens:
                bonds = self._account_bonds(account, parties | {move.to})
            if not bonds and account == move.token and self.consent.holds_office(account, parties):
                bonds = (Bond.OFFICE,)
            if not bonds and move.to in self.consent.terms.get(account, ()):
                bonds = (Bond.TERMS,)
            if not bonds and account not in self.tokens and move.to in self.consent.entries.get(account, ()):
                bonds = (Bond.ENTRY,)  # whoever asks: it pays one whom it knew
            if not bonds and move.from_ == account and move.to not in self.trace.active:
                # the same, by a register that it knew; who does nothing here asked for nothing either
                bonds = self._helper_bonds(account, first, outer, frozenset((move.to,)), move)
            if not bonds and not parties.isdisjoint(self.consent.accounts_under_hash.get(account, ())):
                bonds = (Bond.ENTRY,)
            if not bonds and not self.consent.chained_terms.get(account, frozenset()).isdisjoint({*parties, move.to}):
                bonds = (Bond.TERMS,)
            yield bonds
            outer.add(account)
            parties = frozenset((account, self.roles.origin))

    def _hears(self, account: Address, signer: Address, move: Transfer) -> bool:
        """True if who signed pays himself, may spend it, or was known; that a token knows its holders is nothing."""
        if signer == move.from_ or (move.token, move.from_, signer) in self.consent.allowances:
            return True
        return account not in self.tokens and signer in self.consent.noted.get(account, ())

    def _spoken_for(self, first: int) -> Address | None:
        """Whom the caller of frame `first` speaks for, if it is a forwarder (ERC-2771).

        It found a signature good, and put the signer's name behind the call data: what the called contract knows of
        the forwarder says nothing of him, and whoever else is named further in did not speak.
        """
        frame = self.frames[first]
        if len(frame.input) % WORD != NAMED_TAIL:
            return None
        name = Address(frame.input[-20:])
        return name if name in self.consent.signers(frame.from_, before=frame.entered) else None

    def _account_bonds(self, token: Address, parties: Set[Address]) -> tuple[Bond, ...]:
        """What a token pays out of its own stock may belong to an account that it keeps beside balances.

        An account that the ordering side opened lately does not count where such records are left out.
        """
        known = self.consent.keeps_account(token, parties, self.ledger.balance_places.get(token, frozenset()))
        return (Bond.ENTRY,) if known else ()

    def _without_own_words(
        self, links: list[tuple[Bond, ...]], chain: list[tuple[Address, int]], move: Transfer, silent: Address | None
    ) -> list[tuple[Bond, ...]]:
        """Leave out signatures of signers who were appointed in this transaction.

        Nor does a signature of the ordering side vouch for `silent`, a holder that does nothing itself and of whom
        the checking contract knows nothing.
        """
        if not any(Bond.SIGNATURE in bonds for bonds in links):
            return links
        since = self.frames[chain[0][1]].entered if chain else 0
        kept = []
        for (account, _), bonds in zip(chain, links, strict=True):
            if Bond.SIGNATURE not in bonds:
                kept.append(bonds)
                continue
            signers = self.consent.signers(account, before=move.sequence, since=since)
            own = silent is not None and signers <= self.roles.cluster
            strange = own and silent not in self.consent.entries.get(account, ())
            if signers and (signers <= self.consent.appointed or strange):
                bonds = tuple(bond for bond in bonds if bond is not Bond.SIGNATURE)
            kept.append(bonds)
        return kept

    def _helper_bonds(
        self, account: Address, first: int, outer: set[Address | None], parties: Set[Address], move: Transfer
    ) -> tuple[Bond, ...]:
        """The check may be made by a contract that `account` knew and asks, a role registry for example."""
        known, knows = [account], self.consent.knows
        most = first + HELPER_FRAMES + 1
        # the check may lie behind the frame of the move; who makes units of a debt looks at the pledge afterwards
        made = move.from_ == ZERO_ADDRESS
        last = self._end(first, most) if made else min(self.trace.entered_since(move.sequence), most)
        for helper in self.trace.contexts(first, last):
            if helper in outer or helper == account:
                continue
            for knower in known:
                if knows(knower, helper):
                    break
            else:
                continue
            known.append(helper)
            bonds = self.consent.bonds(
                helper, parties, before=move.sequence, entries=helper not in self.tokens, move=move
            )
            if bonds:
                return bonds
        return ()

    def _end(self, first: int, most: int) -> int:
        """The index behind the last frame under frame `first`, at most `most`."""
        depth, most = self.frames[first].depth, min(most, len(self.frames))
        return next((at for at in range(first + 1, most) if self.frames[at].depth <= depth), most)

"""What each contract knew of other addresses before a transaction, as far as it looked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import product

from gateway.inspection.consent.notes import matched
from gateway.inspection.consent.proof import CLAIM, NODE, proven
from gateway.inspection.trace.facts import TRANSFER
from gateway.model.code import ran
from gateway.model.fold import HASH, STRUCT_SPAN, Accounts, Kept, Lists
from gateway.model.lazy import cached_property
from gateway.model.primitive import Address
from gateway.model.trace import SimulationResult
from gateway.model.transaction import Transaction

_MOVES = frozenset({TRANSFER})
PLACES_EXAMINED = 64
BESIDE = 2
"""slots between two fields of one record"""
PROMISES_EXAMINED = 128
"""hashes, and hashes within hashes, that are followed"""
PROMISE_READ = 256
"""bytes of what was hashed that are read"""
MARK = 256
"""what stands where a message was processed is a small number, if not zero"""


@dataclass(frozen=True)
class Known:
    """What each contract knew of other addresses before the transaction.

    Each part is read out of the trace when it is asked for; linear in storage accesses and links.
    """

    transaction: Transaction
    simulation: SimulationResult
    but: Set[tuple[Address, int]] = frozenset()
    """(contract, slot) of records that do not count, for the ordering side had them written lately"""

    @cached_property
    def _kept(self) -> Kept:
        return self.simulation.trace.kept(self.transaction.sender, self.but)

    @cached_property
    def stored(self) -> Mapping[Address, Set[Address]]:
        """Contract -> addresses that it read from its own storage."""
        return self._kept.stored

    @cached_property
    def entries(self) -> Mapping[Address, Set[Address]]:
        """Contract -> addresses whose mapping entry there was not zero when read.

        An entry within an entry counts for its owner unless the inner key is somebody else whom he lets spend: what
        he owns of a token, of a bin, of an item.
        """
        flat = self._kept.entries
        own: dict[Address, set[Address]] = defaultdict(set)
        for contract, owner, key in self.allowances:
            if owner in self._parties and (key in self.tokens or key not in self._parties):
                own[contract].add(owner)
        return {**flat, **{contract: {*flat.get(contract, ()), *owners} for contract, owners in own.items()}}

    @cached_property
    def _parties(self) -> Set[Address]:
        return self.simulation.trace.parties(self.transaction.sender)

    @cached_property
    def tokens(self) -> Set[Address]:
        """Contracts that told of a movement of tokens."""
        return {log.address for log in self.simulation.trace.events(_MOVES)}

    @cached_property
    def allowances(self) -> Set[tuple[Address, Address, Address]]:
        """(token, owner, spender) whose nested entry was not zero when read."""
        return self._kept.allowances

    @cached_property
    def terms(self) -> Mapping[Address, Set[Address]]:
        """Contract -> addresses that are named by what it keeps only as a hash, and was shown whole here."""
        return self._kept.terms

    @cached_property
    def chained_terms(self) -> Mapping[Address, Set[Address]]:
        """Contract -> parties named by its terms, or by what lies behind further hashes in these.

        A chain of answers, a leaf that was hashed twice.
        """
        found: dict[Address, set[Address]] = defaultdict(set)
        for contract, terms in self.promises:
            found[contract].update(Address(word) for word in _windows(terms, 20) if word in self._parties)
        return found

    @cached_property
    def promises(self) -> Sequence[tuple[Address, bytes]]:
        """(contract, text) of what lies behind the hashes that contracts kept, and behind hashes in that text."""
        preimages = self.simulation.trace.preimages or {}
        found: list[tuple[Address, bytes]] = []
        for use in self.simulation.trace.slots or ():
            if not use.before >> HASH or use.before not in preimages or (use.address, use.slot) in self.but:
                continue
            seen, waiting = {use.before}, [use.before]
            while waiting and len(found) < PROMISES_EXAMINED:
                terms = preimages[waiting.pop()][:PROMISE_READ]
                found.append((use.address, terms))
                for word in _windows(terms, 32):
                    link = int.from_bytes(word, "big")
                    if link in preimages and link not in seen:
                        seen.add(link)
                        waiting.append(link)
        return found

    @cached_property
    def _accounts(self) -> Accounts:
        return self.simulation.trace.accounts(self.transaction.sender, self.but)

    def keeps_account(self, token: Address, known: Set[Address], balances: Set[bytes]) -> bool:
        """True if `token` had an entry for one of `known` that is neither its balance nor an allowance.

        `balances`: where the token's mapping of balances lies, as the second half of the preimage. A token that keeps
        stakes or rewards of its holders beside their balances knows them as a farm does.
        """
        return any(party in known and place not in balances for party, place in self._accounts.get(token, ()))

    @cached_property
    def accounts_under_hash(self) -> Mapping[Address, Set[Address]]:
        """Contract -> parties named in the key of an account of theirs that it keeps in a mapping within a mapping.

        Banks that give each of their customers several accounts keep them by the hash of his address and a number.
        """
        preimages = self.simulation.trace.preimages or {}
        found: dict[Address, set[Address]] = defaultdict(set)
        claims = {place.to_bytes(32, "big"): key for place, key in preimages.items() if len(key) >= CLAIM}
        # from the claim outwards: nearly always nothing was hashed beside it, and no slot need be looked at
        nodes = [(place, words) for place, words in preimages.items() if len(words) == NODE] if claims else []
        outer = {place.to_bytes(32, "big"): claims[words[:32]] for place, words in nodes if words[:32] in claims}
        inner = {place: outer[words[32:]] for place, words in nodes if words[32:] in outer} if outer else {}
        for use in (self.simulation.trace.slots or ()) if inner else ():
            if not use.before or (use.address, use.slot) in self.but:
                continue
            place = next((use.slot - back for back in range(STRUCT_SPAN) if use.slot - back in preimages), None)
            if place in inner:
                found[use.address].update(party for party in self._parties if inner[place].find(party) >= 0)
        return found

    def noted_beside(self, contract: Address, payer: Address, receiver: Address) -> bool:
        """True if `contract` had written down both side by side, in one record: a debtor and his creditor."""
        both = (self._places.get((contract, party), ())[:PLACES_EXAMINED] for party in (payer, receiver))
        return any(abs(one - other) <= BESIDE for one, other in product(*both))

    @cached_property
    def _places(self) -> Mapping[tuple[Address, Address], Sequence[int]]:
        """(contract, party) -> slots where it had noted that party."""
        found: dict[tuple[Address, Address], list[int]] = defaultdict(list)
        for use in self.simulation.trace.slots or ():
            if use.before >> 80 and (use.address, use.slot) not in self.but:
                for party in matched(use.before, self._parties):
                    found[use.address, party].append(use.slot)
        return found

    def item_spenders(self, token: Address, item: int) -> Set[Address]:
        """Parties whom `token` noted under the number of one of its items: who owns it, who may move it."""
        return self._beside_items.get((token, item), frozenset())

    @cached_property
    def _beside_items(self) -> Mapping[tuple[Address, int], Set[Address]]:
        """(token, number) -> parties noted under that number in one of its mappings."""
        preimages = self.simulation.trace.preimages or {}
        found: dict[tuple[Address, int], set[Address]] = defaultdict(set)
        for (token, party), slots in self._places.items():
            for slot in slots:
                key = preimages.get(slot, b"")
                if len(key) == NODE:
                    found[token, int.from_bytes(key[:32], "big")].add(party)
        return found

    def holds_office(self, token: Address, known: Set[Address]) -> bool:
        """True if `token` looked up one of `known` in a list that says yes of him, and of nobody else who was asked.

        Minters, agents and controllers stand in such lists: a mapping to true, or one for each role.
        """
        listed = self._lists.get(token, {}).values()
        return any(yes <= known for yes in listed)

    @cached_property
    def _lists(self) -> Lists:
        """Contract -> where a mapping lies -> parties whose word there is true; unless another number stood there."""
        return self.simulation.trace.lists(self.transaction.sender, self.but)

    @cached_property
    def embedded(self) -> Mapping[Address, Set[Address]]:
        """Contract -> callers and origin that its code names.

        Code that it borrowed from somebody whom it had not known speaks for its own maker, and does not count.
        """
        named = self.simulation.trace.embedded(self.transaction.sender)
        kept = {
            account: {
                party
                for party, places in parties.items()
                if account in places or any(self.reaches(account, place) for place in places)
            }
            for account, parties in named.items()
        }
        return {account: parties for account, parties in kept.items() if parties}

    def reaches(self, contract: Address, other: Address) -> bool:
        """True if `contract` knew `other`, or knew one who did: a book of addresses, a beacon."""
        return self.knows(contract, other) or any(
            other in known and self.knows(contract, book) for book, known in self.stored.items()
        )

    @cached_property
    def codes(self) -> Mapping[Address, Sequence[bytes]]:
        """Contract -> the pieces of code that ran on its storage."""
        return ran(self.simulation.trace.links, self.simulation.trace.codes or {})

    @cached_property
    def proven(self) -> Set[Address]:
        """Contracts that were shown a Merkle proof for a root that they knew before."""
        return proven(self.simulation, self.but, self._parties)

    @cached_property
    def makers(self) -> Mapping[Address, Address]:
        """Contract that this transaction created -> who created it."""
        return {frame.to: frame.from_ for frame in self.simulation.trace.creations if frame.to is not None}

    @cached_property
    def ordered(self) -> Set[Address]:
        """Contracts that struck off an entry keyed by a hash: a message proved, or an operation queued, earlier."""
        return _ordered(self.simulation)

    def knows(self, contract: Address, other: Address) -> bool:
        """True if `contract` read the address of `other` from its storage, or has it in its code or in its terms."""
        known = self._known.get((contract, other))
        if known is None:
            noted = other in self.stored.get(contract, ()) or other in self.terms.get(contract, ())
            known = noted or self.simulation.trace.names(contract, other)
            self._known[contract, other] = known
        return known

    @cached_property
    def _known(self) -> dict[tuple[Address, Address], bool]:
        return {}


def _windows(data: bytes, length: int) -> Iterator[bytes]:
    return (data[at : at + length] for at in range(len(data) - length + 1))


def _ordered(simulation: SimulationResult) -> frozenset[Address]:
    """Who had a word under a hash, one that its code does not name, and left nothing there but a mark."""
    written = [use for use in simulation.trace.written if use.before]
    preimages = simulation.trace.preimages or {} if written else {}
    found = set()
    for use in written:
        preimage = preimages.get(use.slot)
        if preimage is None or len(preimage) != 64 or not any(preimage[:12]):
            continue
        diff = simulation.state_diff.get(use.address)
        before, after = diff.storage.get(use.slot, (use.before, use.before)) if diff is not None else (0, 0)
        struck = before > after and (after == 0 or after < MARK <= before)
        if struck and not simulation.trace.names(use.address, preimage[:32]):
            found.add(use.address)
    return frozenset(found)

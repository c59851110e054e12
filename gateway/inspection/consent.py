"""Who agreed to what: which contracts knew their caller before this transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.inspection.facts import TRANSFER
from gateway.model.primitive import Address, Hash32
from gateway.model.trace import CallFrame, FrameKind, SimulationResult, Trace
from gateway.model.transaction import Transaction

ECRECOVER = Address(b"\0" * 19 + b"\x01")
STRUCT_SPAN = 8
"""how many slots behind a mapping entry still count as part of it"""

MARK = 256
"""what stands where a message was processed is a small number, if not zero"""
ENDS_SEARCHED = 64
"""ends of hash chains that are searched for in codes; a proof leaves one"""


class Bond(StrEnum):
    """Why a contract may have let a caller act; each is a fact of the state before the transaction."""

    OWNER = "stores the caller's address"
    ENTRY = "keeps a non-empty entry for the caller"
    SIGNATURE = "checked a signature"
    CODE = "has the caller's address in its code"
    PROOF = "was shown a proof that leads to a word it keeps"
    MAKER = "was created here by the caller"
    ORDER = "struck off an order that it had noted before"


@dataclass(frozen=True, slots=True)
class Consent:
    """What each contract knew of other addresses before the transaction, as far as it looked."""

    stored: Mapping[Address, Set[Address]]
    """contract -> addresses that it read from its own storage"""
    entries: Mapping[Address, Set[Address]]
    """contract -> addresses whose mapping entry there was not zero when read"""
    signatures: Mapping[Address, int]
    """contract -> sequence number of the first successful signature check under it"""
    embedded: Mapping[Address, Set[Address]]
    """contract -> callers and origin that its code names"""
    allowances: Set[tuple[Address, Address, Address]]
    """(token, owner, spender) whose nested entry was not zero when read"""

    codes: Mapping[Address, tuple[bytes, ...]]
    """contract -> the pieces of code that ran on its storage"""
    proved: Set[Address] = frozenset()
    """contracts that keep, in storage or code, a word to which hashes of pairs led: the root of a Merkle tree"""
    makers: Mapping[Address, Address] = field(default_factory=dict)
    """contract that this transaction created -> who created it"""
    ordered: Set[Address] = frozenset()
    """contracts that struck off an entry keyed by a hash: a message proved, or an operation queued, earlier"""

    def knows(self, contract: Address, other: Address) -> bool:
        """True if `contract` read the address of `other` from its storage, or has it in its code."""
        if other in self.stored.get(contract, ()):
            return True
        return any(code.find(other) >= 0 for code in self.codes.get(contract, ()))

    def bonds(self, contract: Address, parties: Set[Address], *, before: int, entries: bool = True) -> tuple[Bond, ...]:
        """Why `contract` may have let any of `parties` act at sequence number `before`."""
        found = []
        if not parties.isdisjoint(self.stored.get(contract, ())):
            found.append(Bond.OWNER)
        if entries and not parties.isdisjoint(self.entries.get(contract, ())):
            found.append(Bond.ENTRY)
        if self.signatures.get(contract, before) < before:
            found.append(Bond.SIGNATURE)
        if not parties.isdisjoint(self.embedded.get(contract, ())):
            found.append(Bond.CODE)
        if contract in self.proved:
            found.append(Bond.PROOF)
        if self.makers.get(contract) in parties:
            found.append(Bond.MAKER)
        if contract in self.ordered:
            found.append(Bond.ORDER)
        return tuple(found)


def path(frames: tuple[CallFrame, ...], index: int) -> list[tuple[Address, int]]:
    """(account, first frame) of each account that acts between the transaction and frame `index`, outermost first."""
    chain: list[tuple[Address, int]] = []
    while index >= 0:
        frame = frames[index]
        account = frame.context
        if account is not None:
            if chain and chain[-1][0] == account:
                chain[-1] = (account, index)
            else:
                chain.append((account, index))
        index = frame.parent
    chain.reverse()
    return chain


def gather(
    transaction: Transaction,
    simulation: SimulationResult,
    but: Set[tuple[Address, int]] = frozenset(),
) -> Consent:
    """Read consent out of a trace; linear in storage accesses and frames.

    `but`: (contract, slot) of records that do not count, for the ordering side had them written lately.
    """
    trace = simulation.trace
    parties = {transaction.sender}
    for frame in trace.frames:
        parties.add(frame.from_)
        if frame.to is not None:
            parties.add(frame.to)
    for log in trace.logs:
        if len(log.topics) == 3 and log.topics[0] == TRANSFER:  # a receiver may be fixed and never run
            parties.add(Address(log.topics[2][12:]))
    stored, entries, allowances = _storage(trace, parties, but)
    codes = _codes(trace)
    named = _embedded(transaction, trace)
    makers = {
        frame.to: frame.from_
        for frame in trace.frames
        if frame.kind in (FrameKind.CREATE, FrameKind.CREATE2) and frame.to is not None
    }
    return Consent(
        stored=stored,
        entries=entries,
        signatures=_signatures(trace),
        embedded=named,
        allowances=allowances,
        codes=codes,
        proved=_proved(trace, codes),
        makers=makers,
        ordered=_ordered(simulation, codes),
    )


Entries = dict[Address, set[Address]]


def _storage(
    trace: Trace, parties: Set[Address], but: Set[tuple[Address, int]]
) -> tuple[Entries, Entries, set[tuple[Address, Address, Address]]]:
    stored: Entries = defaultdict(set)
    entries: Entries = defaultdict(set)
    allowances: set[tuple[Address, Address, Address]] = set()
    preimages = trace.preimages or {}
    for use in trace.slots or ():
        value = use.before
        if not value or (use.address, use.slot) in but:
            continue
        if value >> 80:
            _match_words(value, parties, stored[use.address])
        for offset in range(STRUCT_SPAN):
            preimage = preimages.get(use.slot - offset)
            if preimage is None:
                continue
            for at in range(0, len(preimage), 32):
                word = preimage[at : at + 32]
                if not any(word[:12]) and word[12:] in parties:
                    entries[use.address].add(Address(word[12:]))
            inner = preimages.get(int.from_bytes(preimage[32:], "big")) if len(preimage) == 64 else None
            if inner is not None and len(inner) == 64:
                allowances.add((use.address, Address(inner[12:32]), Address(preimage[12:32])))
            break
    return dict(stored), dict(entries), allowances


def _match_words(value: int, parties: Set[Address], into: set[Address]) -> None:
    word = value.to_bytes(32, "big")
    offsets = range(13) if value >> 160 else (12,)
    for offset in offsets:
        candidate = word[offset : offset + 20]
        if candidate in parties:
            into.add(Address(candidate))


def holds_party(value: int, parties: Set[Address]) -> bool:
    """True if the word `value` holds the address of one of `parties` at any place."""
    found: set[Address] = set()
    _match_words(value, parties, found)
    return bool(found)


def _signatures(trace: Trace) -> dict[Address, int]:
    first: dict[Address, int] = {}
    for frame in trace.frames:
        if frame.to != ECRECOVER or not any(frame.output):
            continue
        for account, _ in path(trace.frames, frame.index)[:-1]:
            first.setdefault(account, frame.entered)
    return first


def _embedded(transaction: Transaction, trace: Trace) -> dict[Address, set[Address]]:
    codes = trace.codes
    if codes is None:
        return {}
    named: dict[Address, set[Address]] = defaultdict(set)
    asked: set[tuple[Hash32, Address, Address]] = set()
    callers: list[Address] = []
    for frame in trace.frames:
        delegated = frame.kind in (FrameKind.DELEGATECALL, FrameKind.CALLCODE)
        caller = callers[frame.parent] if delegated and frame.parent >= 0 else frame.from_
        callers.append(caller)
        account = frame.context
        code = codes.get(frame.code_hash) if frame.code_hash is not None else None
        if code is None or account is None or frame.code_hash is None:
            continue
        for party in (transaction.sender, caller):
            question = (frame.code_hash, account, party)
            if question not in asked:
                asked.add(question)
                # code that a party lends by delegation names its lender; that is not the contract's consent
                if party not in (account, frame.code_address) and code.find(party) >= 0:
                    named[account].add(party)
    return dict(named)


def _codes(trace: Trace) -> dict[Address, tuple[bytes, ...]]:
    held = trace.codes or {}
    ran: dict[Address, dict[Hash32, bytes]] = defaultdict(dict)
    for frame in trace.frames:
        if frame.code_hash is not None and frame.context is not None and frame.code_hash in held:
            ran[frame.context][frame.code_hash] = held[frame.code_hash]
    return {account: tuple(pieces.values()) for account, pieces in ran.items()}


def _proved(trace: Trace, codes: Mapping[Address, tuple[bytes, ...]]) -> frozenset[Address]:
    """Who keeps the end of a chain of hashes of pairs: a hash that is neither a slot nor part of another pair."""
    pairs = {hash_: pair for hash_, pair in (trace.preimages or {}).items() if len(pair) == 64}
    if not pairs:
        return frozenset()
    uses = trace.slots or ()
    inner = {int.from_bytes(pair[at : at + 32], "big") for pair in pairs.values() for at in (0, 32)}
    slots = {use.slot for use in uses}
    ends = {
        hash_
        for hash_ in pairs
        if hash_ not in inner and not any(hash_ + offset in slots for offset in range(STRUCT_SPAN))
    }
    if not ends:
        return frozenset()
    kept = {use.address for use in uses if use.before in ends}
    roots = [end.to_bytes(32, "big") for end in sorted(ends)[:ENDS_SEARCHED]]
    for account, pieces in codes.items():
        if any(piece.find(root) >= 0 for piece in pieces for root in roots):
            kept.add(account)
    return frozenset(kept)


def _ordered(simulation: SimulationResult, codes: Mapping[Address, tuple[bytes, ...]]) -> frozenset[Address]:
    """Who had a word under a hash, one that its code does not name, and left nothing there but a mark."""
    preimages = simulation.trace.preimages or {}
    found = set()
    for use in simulation.trace.slots or ():
        preimage = preimages.get(use.slot)
        if not use.written or not use.before or preimage is None or len(preimage) != 64 or not any(preimage[:12]):
            continue
        diff = simulation.state_diff.get(use.address)
        before, after = diff.storage.get(use.slot, (use.before, use.before)) if diff is not None else (0, 0)
        struck = before > after and (after == 0 or after < MARK <= before)
        if struck and all(code.find(preimage[:32]) < 0 for code in codes.get(use.address, ())):
            found.add(use.address)
    return frozenset(found)

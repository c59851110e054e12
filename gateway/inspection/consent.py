"""Who agreed to what: which contracts knew their caller before this transaction."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from enum import StrEnum
from operator import itemgetter

from gateway.inspection.facts import TRANSFER
from gateway.inspection.notes import holds_party, matched
from gateway.inspection.proof import proven
from gateway.model.code import ran
from gateway.model.fold import Accounts, Kept
from gateway.model.lazy import cached_property
from gateway.model.primitive import Address
from gateway.model.trace import CREATIONS, SimulationResult, Trace
from gateway.model.transaction import Transaction

ECRECOVER = Address(b"\0" * 19 + b"\x01")
_CHECKS = frozenset({ECRECOVER})
_ARGUMENTS = frozenset(Address(number.to_bytes(20, "big")) for number in (0x05, 0x08, 0x0F, 0x100))
"""powers (EIP-198, for RSA), pairings (EIP-197, EIP-2537) and passkeys (EIP-7951)"""
_MOVES = frozenset({TRANSFER})
MARK = 256
"""what stands where a message was processed is a small number, if not zero"""
SIGNERS_EXAMINED = 64
"""how many checks of one call are read for their signers"""
_AT = itemgetter(0)


class Bond(StrEnum):
    """Why a contract may have let a caller act; each is a fact of the state before the transaction."""

    OWNER = "stores the caller's address"
    ENTRY = "keeps a non-empty entry for the caller"
    SIGNATURE = "checked a signature"
    CODE = "has the caller's address in its code"
    PROOF = "was shown a Merkle proof for a root that it knew"
    TERMS = "keeps the hash of terms that name the caller or the receiver"
    ARGUMENT = "checked a proof, or a signature that is not of this chain"
    MAKER = "was created here by the caller"
    ORDER = "struck off an order that it had noted before"


@dataclass(frozen=True)
class Consent:
    """What each contract knew of other addresses before the transaction, as far as it looked.

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
        """Contract -> addresses whose mapping entry there was not zero when read."""
        return self._kept.entries

    @cached_property
    def allowances(self) -> Set[tuple[Address, Address, Address]]:
        """(token, owner, spender) whose nested entry was not zero when read."""
        return self._kept.allowances

    @cached_property
    def terms(self) -> Mapping[Address, Set[Address]]:
        """Contract -> addresses that are named by what it keeps only as a hash, and was shown whole here."""
        return self._kept.terms

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
    def signatures(self) -> Mapping[Address, Sequence[tuple[int, Address]]]:
        """Contract -> (sequence number, signer) of each check under it that recovered somebody, in order."""
        return _signatures(self.simulation.trace)

    @cached_property
    def appointed(self) -> Set[Address]:
        """Signers that an older contract wrote down only in this transaction; what they sign proves nothing."""
        signers = {signer for checks in self.signatures.values() for _, signer in checks}
        return _appointed(self.simulation, signers) if signers else frozenset()

    @cached_property
    def embedded(self) -> Mapping[Address, Set[Address]]:
        """Contract -> callers and origin that its code names."""
        return self.simulation.trace.embedded(self.transaction.sender)

    @cached_property
    def codes(self) -> Mapping[Address, Sequence[bytes]]:
        """Contract -> the pieces of code that ran on its storage."""
        return ran(self.simulation.trace.links, self.simulation.trace.codes or {})

    @cached_property
    def proven(self) -> Set[Address]:
        """Contracts that were shown a Merkle proof for a root that they knew before."""
        return proven(self.simulation.trace, self.but)

    @cached_property
    def argued(self) -> Set[Address]:
        """Contracts that asked a precompile of other cryptography, or a verifier that they knew, and were told yes.

        Whom they did not know before, a stranger's callback for one, argues for himself alone.
        """
        found: set[Address] = set()
        for frame in self.simulation.trace.select(to=_ARGUMENTS):
            asked: Address | None = None
            for account, _ in reversed(self.simulation.trace.path(frame.index)[:-1] if any(frame.output) else ()):
                if asked is not None and not self.knows(account, asked):
                    break
                found.add(account)
                asked = account
        return frozenset(found)

    @cached_property
    def makers(self) -> Mapping[Address, Address]:
        """Contract that this transaction created -> who created it."""
        return {
            frame.to: frame.from_ for frame in self.simulation.trace.select(kinds=CREATIONS) if frame.to is not None
        }

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

    def signers(self, contract: Address, *, before: int, since: int = 0) -> frozenset[Address]:
        """Whose signatures were found good under `contract` between two sequence numbers."""
        checks = self.signatures.get(contract, ())
        first, last = bisect_left(checks, since, key=_AT), bisect_left(checks, before, key=_AT)
        return frozenset(signer for _, signer in checks[first : min(last, first + SIGNERS_EXAMINED)])

    def bonds(self, contract: Address, parties: Set[Address], *, before: int, entries: bool = True) -> tuple[Bond, ...]:
        """Why `contract` may have let any of `parties` act at sequence number `before`."""
        found = []
        if not parties.isdisjoint(self.stored.get(contract, ())):
            found.append(Bond.OWNER)
        if entries and not parties.isdisjoint(self.entries.get(contract, ())):
            found.append(Bond.ENTRY)
        checks = self.signatures.get(contract)
        if checks and checks[0][0] < before:
            found.append(Bond.SIGNATURE)
        if not parties.isdisjoint(self.embedded.get(contract, ())):
            found.append(Bond.CODE)
        if not parties.isdisjoint(self.terms.get(contract, ())):
            found.append(Bond.TERMS)
        if contract in self.proven:
            found.append(Bond.PROOF)
        if contract in self.argued:
            found.append(Bond.ARGUMENT)
        if self.makers.get(contract) in parties:
            found.append(Bond.MAKER)
        if contract in self.ordered:
            found.append(Bond.ORDER)
        return tuple(found)


def gather(
    transaction: Transaction,
    simulation: SimulationResult,
    but: Set[tuple[Address, int]] = frozenset(),
) -> Consent:
    """Read consent out of a trace, without the records in `but`."""
    return Consent(transaction, simulation, but)


def _signatures(trace: Trace) -> dict[Address, list[tuple[int, Address]]]:
    checks: dict[Address, list[tuple[int, Address]]] = defaultdict(list)
    for frame in trace.select(to=_CHECKS):
        if any(frame.output):
            for account in {account for account, _ in trace.path(frame.index)[:-1]}:
                checks[account].append((frame.entered, Address(frame.output[12:32])))
    return dict(checks)


def _appointed(simulation: SimulationResult, signers: Set[Address]) -> frozenset[Address]:
    """Signers that were written down here for the first time.

    Parties of token movements do not count, for they are written down as receivers, nor do contracts made here.
    """
    moves = tuple(simulation.trace.events(_MOVES))
    moving = {log.address for log in moves}
    moved = {Address(topic[12:]) for log in moves for topic in log.topics[1:]}
    asked = signers - moved
    found: set[Address] = set()
    for contract, diff in simulation.state_diff.items() if asked else ():
        if contract in simulation.created or contract in moving:
            continue
        for before, after in diff.storage.values():
            if after >> 80 and holds_party(after, asked):
                found |= matched(after, asked) - matched(before, asked)
    return frozenset(found)


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

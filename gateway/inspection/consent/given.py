"""Who agreed to what: which contracts knew their caller before this transaction."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from enum import StrEnum
from operator import itemgetter

from gateway.inspection.consent.keys import known_by_key
from gateway.inspection.consent.known import Known
from gateway.inspection.consent.notes import holds_party, matched
from gateway.inspection.consent.signed import Check, checks
from gateway.inspection.trace.facts import TRANSFER
from gateway.model.facts import Transfer
from gateway.model.fold import HASH, fold_kept
from gateway.model.lazy import cached_property
from gateway.model.primitive import Address
from gateway.model.trace import SimulationResult
from gateway.model.transaction import Transaction

ECRECOVER = Address(b"\0" * 19 + b"\x01")
_CHECKS = frozenset({ECRECOVER})
_ARGUMENTS = frozenset(Address(number.to_bytes(20, "big")) for number in (0x05, 0x08, 0x0F, 0x100))
"""powers (EIP-198, for RSA), pairings (EIP-197, EIP-2537) and passkeys (EIP-7951)"""
_MOVES = frozenset({TRANSFER})
HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
"""of the curve secp256k1: the greater half of a signature's second number is the mirror of the smaller one"""
SIGNERS_EXAMINED = 64
"""how many checks of one call are read for their signers"""
_AT = itemgetter(0)


class Bond(StrEnum):
    """Why a contract may have let a caller act; each is a fact of the state before the transaction."""

    OWNER = "stores the caller's address"
    ENTRY = "keeps a non-empty entry for the caller"
    OFFICE = "lists the caller, and nobody else who was asked, as one who may"
    SIGNATURE = "checked a signature"
    CODE = "has the caller's address in its code"
    PROOF = "was shown a Merkle proof for a root that it knew"
    TERMS = "keeps the hash of terms that name the caller or the receiver"
    ARGUMENT = "checked a proof, or a signature that is not of this chain"
    MAKER = "was created here by the caller"
    ORDER = "struck off an order that it had noted before"


@dataclass(frozen=True)
class Consent(Known):
    """What each contract knew before, and why it may have let somebody act."""

    @cached_property
    def signatures(self) -> Mapping[Address, Sequence[Check]]:
        """Contract -> checks under it that recovered somebody, in order."""
        return self._checks(_CHECKS)

    @cached_property
    def _arguments(self) -> Mapping[Address, Sequence[Check]]:
        return self._checks(_ARGUMENTS)

    def _checks(self, precompiles: Set[Address]) -> Mapping[Address, Sequence[Check]]:
        trace = self.simulation.trace
        found: dict[Address, list[Check]] = defaultdict(list)
        answered = [frame for frame in trace.select(to=precompiles) if any(frame.output)]
        if not answered:
            return {}
        shown = Counter((frame.parent, frame.input[:32], frame.output) for frame in answered)
        for frame in answered:
            if frame.to == ECRECOVER and shown[frame.parent, frame.input[:32], frame.output] > 1:
                continue  # who counts signatures and lets one be shown twice has counted nothing
            if frame.to == ECRECOVER and int.from_bytes(frame.input[96:128], "big") > HALF_ORDER:
                continue  # no wallet signs so (EIP-2): anybody makes such a twin of a signature that he has seen
            signer = Address(frame.output[12:32]) if frame.to == ECRECOVER else None
            asking = [account for account, _ in trace.path(frame.index)[:-1]]
            for account, check in checks(frame, asking, signer, self._had_dealt):
                found[account].append(check)
        return dict(found)

    def _had_dealt(self, contract: Address, other: Address) -> bool:
        """True if `contract` knew `other`, had made it here, or kept an entry for it that is no balance."""
        if self.knows(contract, other) or self.makers.get(other) == contract:
            return True
        return contract not in self.tokens and other in self.entries.get(contract, ())

    @cached_property
    def noted(self) -> Mapping[Address, Set[Address]]:
        """Contract -> those who signed here and whom it had in its storage, terms or code, by name or by key."""
        signers = frozenset(
            check.signer for found in self.signatures.values() for check in found if check.signer is not None
        )
        trace = self.simulation.trace
        kept = fold_kept(trace.slots or (), trace.preimages or {}, signers, self.but)
        noted: dict[Address, set[Address]] = defaultdict(set)
        for record in (kept.stored, kept.entries, kept.terms):
            for contract, known in record.items():
                noted[contract] |= known
        for token, owner, _ in kept.allowances:
            noted[token].add(owner)
        for contract, known in known_by_key(self.simulation, signers, self.but).items():
            noted[contract] |= known
        for contract, pieces in self.codes.items():
            noted[contract].update(signer for signer in signers if any(code.find(signer) >= 0 for code in pieces))
        return noted

    def _vouches(self, check: Check, holder: Address, token: Address) -> bool:
        """True if the answer can speak for what `holder` pays, and who signed was known or signed for himself.

        Known to one of those who asked, to a register that one of them knew, to the holder (a forwarder need not know
        whom it speaks for), or as the owner of a wallet made here.
        """
        signer = check.signer
        if not check.binds(holder, token):
            return False
        if signer is None or signer == holder or signer in check.askers or check.askers[-1] in self.makers:
            return True
        return any(
            signer in known and (at == holder or any(at == asker or self.reaches(asker, at) for asker in check.askers))
            for at, known in self.noted.items()
        )

    @cached_property
    def appointed(self) -> Set[Address]:
        """Signers that an older contract wrote down only in this transaction; what they sign proves nothing."""
        signers = {check.signer for found in self.signatures.values() for check in found if check.signer is not None}
        return _appointed(self.simulation, signers) if signers else frozenset()

    def signers(self, contract: Address, *, before: int, since: int = 0) -> frozenset[Address]:
        """Whose signatures were found good under `contract` between two sequence numbers."""
        found = self.signatures.get(contract, ())
        first, last = bisect_left(found, since, key=_AT), bisect_left(found, before, key=_AT)
        rows = found[first : min(last, first + SIGNERS_EXAMINED)]
        return frozenset(check.signer for check in rows if check.signer is not None)

    def was_shown(self, contract: Address) -> bool:
        """True if any signature or proof was found good under `contract`."""
        return contract in self.signatures or contract in self._arguments

    def has_signed(self, token: Address, owner: Address) -> bool:
        """True if `token` checked a signature of `owner`, or asked the owner's own contract for its word."""
        return any(owner in (check.signer, *check.askers) for check in self.signatures.get(token, ()))

    def bonds(
        self,
        contract: Address,
        parties: Set[Address],
        *,
        before: int,
        entries: bool = True,
        move: Transfer | None = None,
    ) -> tuple[Bond, ...]:
        """Why `contract` may have let any of `parties` act at sequence number `before`.

        `move`: the movement that is asked about, if it is one; what strangers signed is good for what they pay.
        """
        found = []  # most contracts have a record of nobody: they are asked thousands of times
        holder, token = (contract, contract) if move is None else (move.from_, move.token)
        if (known := self.stored.get(contract)) and not parties.isdisjoint(known):
            found.append(Bond.OWNER)
        if entries and (known := self.entries.get(contract)) and not parties.isdisjoint(known):
            found.append(Bond.ENTRY)
        if (shown := self.signatures.get(contract)) and self._is_vouched(shown, before, holder, token):
            found.append(Bond.SIGNATURE)
        if (known := self.embedded.get(contract)) and not parties.isdisjoint(known):
            found.append(Bond.CODE)
        if (known := self.terms.get(contract)) and not parties.isdisjoint(known):
            found.append(Bond.TERMS)
        if contract in self.proven:
            found.append(Bond.PROOF)
        if (shown := self._arguments.get(contract)) and self._is_vouched(shown, before, holder, token):
            found.append(Bond.ARGUMENT)
        if self.makers.get(contract) in parties:
            found.append(Bond.MAKER)
        if contract in self.ordered:
            found.append(Bond.ORDER)
        return tuple(found)

    def speaks(self, contract: Address, before: int, holder: Address, token: Address) -> bool:
        """True if `contract` was shown a signature that can speak for what `holder` pays, as `bonds` has it."""
        return self._is_vouched(self.signatures.get(contract, ()), before, holder, token)

    def _is_vouched(self, found: Sequence[Check], before: int, holder: Address, token: Address) -> bool:
        rows = found[: min(SIGNERS_EXAMINED, bisect_left(found, before, key=_AT))] if found else ()
        return any(self._vouches(check, holder, token) for check in rows)


def gather(
    transaction: Transaction,
    simulation: SimulationResult,
    but: Set[tuple[Address, int]] = frozenset(),
) -> Consent:
    """Read consent out of a trace, without the records in `but`."""
    return Consent(transaction, simulation, but)


def _appointed(simulation: SimulationResult, signers: Set[Address]) -> frozenset[Address]:
    """Signers that were written down here for the first time, by name or in a list that is kept as a hash.

    By name parties of token movements do not count, for they are written down as receivers, nor contracts made here.
    """
    moves = tuple(simulation.trace.events(_MOVES))
    moving = {log.address for log in moves}
    moved = {Address(topic[12:]) for log in moves for topic in log.topics[1:]}
    asked = signers - moved
    found: set[Address] = set()
    preimages = simulation.trace.preimages or {}
    for contract, diff in simulation.state_diff.items():
        if contract in simulation.created or contract in moving:
            continue
        for before, after in diff.storage.values():
            if after >> 80 and holds_party(after, asked):
                found |= matched(after, asked) - matched(before, asked)
            elif before >> HASH and after >> HASH and after in preimages:
                old, new = preimages.get(before, b""), preimages[after]
                found |= {signer for signer in signers if new.find(signer) >= 0 and old.find(signer) < 0}
    return frozenset(found)

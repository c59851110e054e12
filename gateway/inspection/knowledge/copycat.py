"""Knows copies of confirmed attacks: before simulation by input and code, after it by the call tree.

A signature speaks of an attacker's own contract and of nothing that honest people share. It is made only where the
called contract is shown to be the sender's creation, and it never matches a contract that many people use.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from gateway.inspection.knowledge.provenance import is_made_by, is_standard
from gateway.inspection.knowledge.signatures import Match, SignatureIndex, build
from gateway.model.finding import Confidence, Finding, Severity
from gateway.model.primitive import Address, Hash32
from gateway.model.signature import Signature, SignatureKind, SignatureState
from gateway.model.trace import FrameKind, SimulationResult, Trace
from gateway.model.transaction import Transaction

DETECTOR = "copycat"
"""what findings and the policy's clause call it"""
_COUNTED = 4_096
_CREATIONS = (FrameKind.CREATE, FrameKind.CREATE2)

CodeOf = Callable[[Hash32], bytes | None]
Creator = Callable[[Address], Address | None]


def own_contracts(transaction: Transaction, trace: Trace, creator: Creator) -> frozenset[Address]:
    """Contracts that are shown to be the sender's: created by it, now or before, directly or by its own contracts."""
    own = {transaction.sender}
    entry = transaction.to
    if entry is not None and _is_own(transaction, entry, creator):
        own.add(entry)
    for frame in trace.frames:
        if frame.kind in _CREATIONS and frame.to is not None and not frame.reverted and frame.from_ in own:
            own.add(frame.to)
    return frozenset(own - {transaction.sender})


def signatures_of(
    transaction: Transaction,
    simulation: SimulationResult,
    code_of: CodeOf,
    creator: Creator,
    *,
    case_id: str,
    author: str,
    now: datetime,
) -> tuple[Signature, ...]:
    """What a confirmed case leaves to know its copies by, enforced; nothing if the called contract is not its own.

    Input and call tree are taken only of a call to the attacker's own contract, code only of contracts that are its
    own and no copies of what everybody uses (tokens, pools, proxies).
    """
    trace = simulation.trace
    own = own_contracts(transaction, trace, creator)
    if transaction.to is not None and transaction.to not in own:
        return ()
    codes = {address: code for address, code in _codes(trace, own, code_of).items() if code and not is_standard(code)}
    made = build(transaction, trace, codes, case_id=case_id, author=author, now=now)
    if transaction.to is None:  # a creation's input is its code, which is taken as such
        made = tuple(signature for signature in made if signature.kind is not SignatureKind.CALLDATA)
    return tuple(signature.promoted() for signature in made)


class Recogniser:
    """Matches transactions against the living signatures. `replace` swaps the whole set; nothing widens it."""

    def __init__(self, *, well_known: Callable[[Address], bool], creator: Creator) -> None:
        """`well_known`: many people use that contract; `creator`: who deployed a contract lately, if known."""
        self._well_known, self._creator = well_known, creator
        self._index = SignatureIndex()
        self._hits: Counter[int] = Counter()
        self._counted: OrderedDict[tuple[int, Hash32], None] = OrderedDict()
        self.size = 0

    def replace(self, signatures: Iterable[Signature]) -> None:
        """Match these from now on."""
        listed = tuple(signatures)
        self._index, self.size = SignatureIndex(listed), len(listed)

    def before(self, transaction: Transaction, code: bytes | None, now: datetime) -> tuple[Finding, ...]:
        """Microseconds: what the input and the called contract's code say (None: the code is not at hand)."""
        if not self.size or (transaction.to is not None and self._well_known(transaction.to)):
            return ()
        found = [
            match
            for match in self._index.before_simulation(transaction, code, now)
            if match.signature.kind is not SignatureKind.CALLDATA or self._fits(match.signature, transaction)
        ]
        return self._findings(transaction, found)

    def after(self, transaction: Transaction, simulation: SimulationResult, now: datetime) -> tuple[Finding, ...]:
        """What the call tree, the code that ran and the code that was created say."""
        if not self.size or (transaction.to is not None and self._well_known(transaction.to)):
            return ()
        trace = simulation.trace
        created = {
            frame.to: frame.output
            for frame in trace.frames
            if frame.kind in _CREATIONS and frame.to is not None and not frame.reverted and frame.output
        }
        called = self._called_code(transaction, trace)
        found = list(self._index.after_simulation(trace, {**called, **created}, now))
        return self._findings(transaction, found)

    def take_hits(self) -> Mapping[int, int]:
        """Matches since the last call, by signature number; one transaction counts once."""
        hits, self._hits = self._hits, Counter()
        return hits

    def _fits(self, signature: Signature, transaction: Transaction) -> bool:
        """Inputs look alike everywhere: only the same contract, or one of the sender's own, makes one a copy."""
        entry = transaction.to
        return entry is not None and (entry == signature.entry or _is_own(transaction, entry, self._creator))

    def _called_code(self, transaction: Transaction, trace: Trace) -> dict[Address, bytes]:
        root = trace.frames[0] if trace.frames else None
        if root is None or transaction.to is None or root.code_hash is None:
            return {}
        code = (trace.codes or {}).get(root.code_hash)
        return {} if code is None else {transaction.to: code}

    def _findings(self, transaction: Transaction, matches: Iterable[Match]) -> tuple[Finding, ...]:
        cases: dict[str, list[Match]] = {}
        for match in matches:
            cases.setdefault(match.signature.case_id, []).append(match)
            key = (match.signature.id, transaction.hash)
            if key not in self._counted:
                self._counted[key] = None
                self._hits[match.signature.id] += 1
                while len(self._counted) > _COUNTED:
                    self._counted.popitem(last=False)
        return tuple(_finding(transaction, case_id, found) for case_id, found in cases.items())


def _finding(transaction: Transaction, case_id: str, matches: list[Match]) -> Finding:
    first = matches[0].signature
    enforced = any(match.signature.state is SignatureState.ENFORCED for match in matches)
    what = " and ".join(dict.fromkeys(match.what for match in matches))
    return Finding(
        detector_id=DETECTOR,
        title="It copies a confirmed attack",
        severity=Severity.HIGH if enforced else Severity.INFO,
        confidence=Confidence.HIGH if enforced else Confidence.LOW,
        summary=f"The {what} is the same as in case {case_id}, which {first.author} confirmed as an attack "
        f"on {first.created_at:%Y-%m-%d}.",
        attacker=transaction.sender,
        instrument=transaction.to,
        evidence={
            "case": case_id,
            "matched": ", ".join(sorted({match.signature.kind.value for match in matches})),
            "signatures": ", ".join(sorted({str(match.signature.id) for match in matches})),
            "expires": f"{first.expires_at:%Y-%m-%d}",
        },
    )


def _is_own(transaction: Transaction, contract: Address, creator: Creator) -> bool:
    if creator(contract) == transaction.sender:
        return True
    return is_made_by(contract, transaction.sender, transaction.nonce)


def _codes(trace: Trace, own: frozenset[Address], code_of: CodeOf) -> dict[Address, bytes]:
    found: dict[Address, bytes] = {}
    for frame in trace.frames:
        if frame.to not in own or frame.to in found:
            continue
        if frame.kind in _CREATIONS:
            found[frame.to] = frame.output
        elif frame.code_hash is not None and frame.kind in (FrameKind.CALL, FrameKind.STATICCALL):
            code = (trace.codes or {}).get(frame.code_hash) or code_of(frame.code_hash)
            if code:
                found[frame.to] = code
    return found

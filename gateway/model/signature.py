"""Copycat signatures: what is kept of a confirmed case to know its copies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from gateway.model.primitive import Address, Hash32


class SignatureKind(StrEnum):
    """What a signature is taken from, cheapest to match first."""

    CALLDATA = "calldata"
    """the transaction's input with addresses and amounts masked; matches before simulation"""
    CODE = "code"
    """runtime code without metadata and embedded constants; matches before simulation for the called contract"""
    SHAPE = "shape"
    """the call tree's (kind, selector) with loops folded; matches after simulation"""


class SignatureState(StrEnum):
    """How far a signature's word goes."""

    SHADOW = "shadow"
    """matches are recorded, never held"""
    ENFORCED = "enforced"
    """a match holds"""
    WITHDRAWN = "withdrawn"
    """kept for the record, matches nothing"""


@dataclass(frozen=True, slots=True)
class Signature:
    """One digest of one confirmed case. It matches by equality alone, so it cannot widen."""

    kind: SignatureKind
    digest: Hash32
    case_id: str
    """the confirmed case it was taken from"""
    author: str
    """who confirmed it"""
    created_at: datetime
    expires_at: datetime
    state: SignatureState = SignatureState.SHADOW
    entry: Address | None = None
    """the contract that the case's transaction called"""
    size: int = 0
    """bytes of the code it was taken from, without metadata; 0 for other kinds"""
    id: int = 0
    """of the record; 0 before it is kept"""

    def speaks_at(self, now: datetime) -> bool:
        """True if a match at `now` means anything: neither withdrawn nor expired."""
        return self.state is not SignatureState.WITHDRAWN and now < self.expires_at

    def promoted(self) -> Signature:
        """The same signature, enforced."""
        return replace(self, state=SignatureState.ENFORCED)

    def withdrawn(self) -> Signature:
        """The same signature, silenced for good."""
        return replace(self, state=SignatureState.WITHDRAWN)


@dataclass(frozen=True, slots=True)
class KeptSignature:
    """A signature as the record has it, with what became of it."""

    signature: Signature
    hits: int
    last_hit_at: datetime | None
    ended_by: str | None
    ended_at: datetime | None
    end_reason: str | None

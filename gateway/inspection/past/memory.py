"""What is remembered between transactions of one sender: pure values and their merge, no store."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from gateway.inspection.consent.given import ECRECOVER, gather
from gateway.inspection.past.deal import Dealings
from gateway.inspection.past.moved import Moved
from gateway.model.primitive import Address
from gateway.model.trace import CREATIONS, SimulationResult
from gateway.model.transaction import Transaction

CREATED_LIMIT = 256
"""contracts remembered per sender; the oldest leave first"""
CLAIMED_LIMIT = 64
SIGNATURES_LIMIT = 256

Entry = TypeVar("Entry")


@dataclass(frozen=True, slots=True)
class Memory:
    """What one sender did lately."""

    created: tuple[Address, ...] = ()
    """contracts that its transactions created, oldest first"""
    acquainted: frozenset[tuple[Address, int]] = frozenset()
    """(contract, slot) of the entries and owner records by which contracts got to know its side only lately"""
    dealt: Mapping[tuple[Address, int | None], int] = field(default_factory=dict)
    """(token, item) -> units that its side gained (negative: gave) in the transactions that touched these contracts"""
    codes: tuple[tuple[Address, bytes], ...] = ()
    """(created contract, `code_key` of what it became), oldest first, destroyed ones included"""
    claimed: tuple[Address, ...] = ()
    """contracts it did not create, that did not know it, and that now name it in a slot of their own"""
    moved: Mapping[Address, Moved] = field(default_factory=dict)
    """pool -> how far its transactions moved the price there"""
    signatures: tuple[bytes, ...] = ()
    """what signature checks of others' words its transactions brought, each hashed by `signature_key`"""
    deals: Dealings = field(default_factory=dict)
    """what its side put into contracts and took out since"""


EMPTY_MEMORY = Memory()


def remember(memory: Memory, transaction: Transaction, simulation: SimulationResult) -> Memory:
    """`memory` after `transaction`; what failed in simulation leaves nothing."""
    if not simulation.succeeded:
        return memory
    codes = tuple(
        (frame.to, code_key(frame.output))
        for frame in simulation.trace.select(kinds=CREATIONS)
        if frame.to is not None and not frame.reverted
    )
    signatures = tuple(
        signature_key(frame.input)
        for frame in simulation.trace.select(to=frozenset({ECRECOVER}))
        if not frame.reverted and any(frame.output)
    )
    claimed = _claimed(memory, transaction, simulation)
    if not (codes or signatures or claimed):
        return memory
    return replace(
        memory,
        created=_merge(memory.created, simulation.created, CREATED_LIMIT),
        codes=_merge(memory.codes, codes, CREATED_LIMIT),
        claimed=_merge(memory.claimed, claimed, CLAIMED_LIMIT),
        signatures=_merge(memory.signatures, signatures, SIGNATURES_LIMIT),
    )


def signature_key(checked: bytes) -> bytes:
    """The short name of what a signature check was asked: digest, v, r and s."""
    return hashlib.sha256(checked[:128]).digest()[:16]


def code_key(code: bytes) -> bytes:
    """The short name of a contract's code."""
    return hashlib.sha256(code).digest()[:16]


def _merge(known: tuple[Entry, ...], fresh: tuple[Entry, ...], limit: int) -> tuple[Entry, ...]:
    return tuple(dict.fromkeys((*known, *fresh)))[-limit:]


def _claimed(memory: Memory, transaction: Transaction, simulation: SimulationResult) -> tuple[Address, ...]:
    """Contracts in whose plain slots the sender's address was put, though they had not known it nor been paid."""
    sender = int.from_bytes(transaction.sender, "big")
    preimages, frames = simulation.trace.preimages or {}, simulation.trace.frames
    named = {
        (contract, slot)
        for contract, diff in simulation.state_diff.items()
        for slot, (before, after) in diff.storage.items()
        if _names(after, sender) and not _names(before, sender) and slot not in preimages
    }
    if not named:
        return ()
    found: dict[Address, tuple[int, int]] = {}
    for use in simulation.trace.slots_of({contract for contract, _ in named}):
        if (use.address, use.slot) in named:
            found.setdefault(use.address, (use.sequence, use.frame))
    for own in (*memory.created, *simulation.created):
        found.pop(own, None)
    if not found:
        return ()
    paid = {frame.to for frame in frames if frame.value and not frame.reverted}
    paid |= {Address(log.topics[2][12:]) for log in simulation.trace.logs if len(log.topics) >= 3 and not log.reverted}
    consent = gather(transaction, simulation)
    return tuple(
        contract
        for contract, (sequence, frame) in found.items()
        if contract not in paid
        and not consent.bonds(contract, frozenset((transaction.sender, frames[frame].from_)), before=sequence)
    )


def _names(value: int, sender: int) -> bool:
    return value & (1 << 160) - 1 == sender or (value >> 8) & (1 << 160) - 1 == sender

"""Transactions that were forwarded and are not mined yet, in the order of forwarding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from gateway.model.primitive import Address, Hash32
from gateway.model.transaction import RawTransaction


@dataclass(frozen=True, slots=True)
class PendingEntry:
    """One forwarded transaction, or the word that an earlier one will not be mined after all."""

    sequence: int
    """place in the order of forwarding, over all replicas"""
    hash: Hash32
    raw: RawTransaction | None
    """None: the entry takes back the earlier one with this hash"""
    sender: Address
    nonce: int
    forwarded_at: float
    """seconds since 1970"""


@dataclass(frozen=True, slots=True)
class PendingNews:
    """What `PendingLog.append` answers."""

    accepted: bool
    """False: an entry that the caller had not seen writes what the caller read, or read what it writes; judge again"""
    sequence: int
    """the entry's own place if accepted, else the last place taken"""
    unseen: Sequence[PendingEntry] = ()
    """entries after the one the caller had seen, in order, without its own"""
    known: bool = False
    """True: the transaction is in the log already, by this or another replica"""
    lost: bool = False
    """True: the log is behind what the caller has seen: its content was lost, and the caller has to fill it again"""


class Admission(StrEnum):
    """Whether a verdict still holds at the moment of sending."""

    ADMITTED = "admitted"
    """the transaction has its place in the order of forwarding; send it now"""
    CHANGED = "changed"
    """what it depends on has changed since; simulate and inspect again"""
    KNOWN = "known"
    """it was forwarded already, by this or another replica; do not send it again"""

"""What was seen of a contract when it was deployed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gateway.model.primitive import Address, Hash32


@dataclass(frozen=True, slots=True)
class Deployment:
    """Facts of one contract's code and of the transaction that created it."""

    address: Address
    creator: Address
    """the sender of that transaction"""
    transaction: Hash32
    at: datetime
    code_size: int
    selectors: int
    """functions that its dispatcher names"""
    callbacks: tuple[str, ...]
    """functions that lenders, pools and tokens call back, by name"""
    embedded: tuple[Address, ...]
    """addresses that its code holds as constants"""
    effects: tuple[str, ...]
    """what the constructor did beside creating it, one phrase each"""

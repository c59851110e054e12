"""What is known in favour of an address: allow lists that people write, and the reputation that history gives."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.model.primitive import Address

WELL_KNOWN_CALLS = 50
WELL_KNOWN_SENDERS = 20
"""distinct senders from which on a contract is a public place; also the most that are counted"""
WELL_KNOWN_AGE = timedelta(days=1)
REGULAR_CALLS = 200
REGULAR_AGE = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class TrustEntry:
    """One line of the allow list. It counts for a transaction if everything that is named fits."""

    id: int
    sender: Address | None
    contract: Address | None
    """the contract that the transaction calls"""
    selector: bytes | None
    """4 bytes; only beside a contract"""
    detector: str | None
    """whose findings it speaks of; None: every detector's"""
    reason: str
    author: str
    created_at: datetime
    expires_at: datetime
    ended_by: str | None = None
    ended_at: datetime | None = None

    def speaks_at(self, now: datetime) -> bool:
        """True if it is neither withdrawn nor expired."""
        return self.ended_at is None and now < self.expires_at

    @property
    def scope(self) -> str:
        """What it covers, in words."""
        parts = []
        if self.sender is not None:
            parts.append(f"sender {self.sender}")
        if self.contract is not None:
            function = f" function 0x{self.selector.hex()}" if self.selector is not None else ""
            parts.append(f"calls of {self.contract}{function}")
        parts.append(f"findings of {self.detector}" if self.detector else "findings of every detector")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Reputation:
    """What history says of one address: clean transactions that were mined, and what people marked."""

    address: Address
    clean: int
    """mined transactions without a grave finding: sent by it, or calling it"""
    senders: int
    """distinct senders among the calls, counted up to WELL_KNOWN_SENDERS; 0 for an account that only sends"""
    first_seen: datetime
    last_seen: datetime
    false_alarms: int = 0
    confirmed: int = 0
    """confirmed attacks in which it was the sender or the called contract"""

    @property
    def public(self) -> bool:
        """True for a contract that many people have used for a while: a router, a vault, a token."""
        return (
            not self.confirmed
            and self.clean >= WELL_KNOWN_CALLS
            and self.senders >= WELL_KNOWN_SENDERS
            and self.last_seen - self.first_seen >= WELL_KNOWN_AGE
        )

    @property
    def regular(self) -> bool:
        """True for an address with a long clean history, though few people stand behind it: a bot, a keeper."""
        old = self.last_seen - self.first_seen >= REGULAR_AGE
        return not self.confirmed and self.clean >= REGULAR_CALLS and old

    @property
    def standing(self) -> str:
        """In a word."""
        if self.confirmed:
            return "burnt"
        return "public" if self.public else "regular" if self.regular else "unproven"

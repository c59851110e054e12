"""How the words of rules are read off a transaction."""

from __future__ import annotations

from typing import NamedTuple

from gateway.decoding.keccak import keccak256
from gateway.inspection.subject import Inspection
from gateway.inspection.trace.ledger import Asset
from gateway.model.primitive import Address, Hash32
from gateway.model.trace import CallFrame, Log

WORD = 32


class SlotChange(NamedTuple):
    """One storage slot that ends with another value."""

    address: Address
    slot: int
    before: int
    after: int


class BalanceChange(NamedTuple):
    """What one holder has more or less of."""

    holder: Address
    asset: Asset
    change: int


def argument(frame: CallFrame, number: int) -> int:
    """The 32-byte word behind the selector by its number, from 0; 0 beyond the end."""
    return word_at(frame.input, 4 + WORD * number)


def word_at(data: bytes, at: int) -> int:
    """The 32 bytes of `data` at `at` as a number; 0 beyond the end."""
    return int.from_bytes(data[at : at + WORD].ljust(WORD, b"\0"), "big") if 0 <= at < len(data) else 0


def as_address(number: int) -> Address:
    """The lower 20 bytes of a number."""
    return Address((number % 2**160).to_bytes(20, "big"))


def topic(log: Log, number: int) -> Hash32:
    """A topic of an event by its number; zeros where it has none."""
    return Hash32(log.topics[number] if 0 <= number < len(log.topics) else bytes(WORD))


def selector(data: bytes) -> bytes:
    """The first four bytes; zeros if there are fewer."""
    return data[:4] if len(data) >= 4 else bytes(4)


def slot_changes(subject: Inspection) -> list[SlotChange]:
    """Storage slots that end with another value."""
    return [
        SlotChange(address, slot, before, after)
        for address, account in subject.simulation.state_diff.items()
        for slot, (before, after) in account.storage.items()
        if before != after
    ]


def balance_changes(subject: Inspection) -> list[BalanceChange]:
    """What each account has more or less of."""
    return [
        BalanceChange(holder, asset, change)
        for holder, changes in subject.ledger.net.items()
        for asset, change in changes.items()
    ]


def standing_logs(subject: Inspection) -> list[Log]:
    """Events that stood at the end."""
    return [log for log in subject.simulation.trace.logs if not log.reverted]


def slot_value(subject: Inspection, address: Address, slot: int, otherwise: int, side: int) -> int:
    """A changed slot before (`side` 0) or after (1); `otherwise` if it did not change."""
    account = subject.simulation.state_diff.get(address)
    change = account.storage.get(slot) if account is not None else None
    return otherwise if change is None else change[side]


def held(subject: Inspection, holder: Address, token: Address, otherwise: int) -> int:
    """The balance before; `otherwise` where the transaction does not show it."""
    return subject.ledger.before.get((holder, Asset(token)), otherwise)


def share_lost(subject: Inspection, holder: Address, token: Address, otherwise: int) -> int:
    """Hundredths of a percent of its stock that a holder lost; `otherwise` where the stock is not known."""
    lost = -subject.ledger.net.get(holder, {}).get(Asset(token), 0)
    if lost <= 0:
        return 0
    stock = subject.ledger.before.get((holder, Asset(token)))
    return min(10_000, lost * 10_000 // stock) if stock else otherwise


def taken_before(subject: Inspection, holder: Address, token: Address) -> int:
    """Units that other transactions took from the holder lately, see `Inspection.takings`; 0 if none is remembered."""
    taken = subject.taken.get((holder, token))
    return taken.amount if taken is not None else 0


def mapping_slot(subject: Inspection, base: int, key: Address) -> int:
    """The slot of an entry in a Solidity mapping declared at slot `base`."""
    return int.from_bytes(keccak256(key.rjust(WORD, b"\0") + base.to_bytes(WORD, "big")), "big")

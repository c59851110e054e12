"""What calls of a kind touched before: asked for in the first round trip of the next one."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from sha3 import keccak_256

from gateway.model.primitive import Address
from gateway.model.state import StateKeys
from gateway.model.trace import SimulationResult
from gateway.model.transaction import Transaction

MAX_KINDS: Final = 4096
MAX_TEMPLATES: Final = 192
MAX_DEPTH: Final = 3
"""of nested mappings"""
MAX_OFFSET: Final = 16
"""struct members after a hashed slot"""

Word = tuple[str, int]
"""A part that differs between calls of one kind: ("sender", 0), ("value", 0), or ("argument", index)."""


@dataclass(frozen=True, slots=True)
class SlotTemplate:
    """One slot of a contract: a constant, or keccak(key . inner slot) + offset as Solidity lays out mappings."""

    constant: int = 0
    key: Word | int | None = None
    """None: the slot is `constant`; a number: a key that does not differ between calls"""
    inner: SlotTemplate | None = None
    offset: int = 0

    def slot(self, words: dict[Word, int]) -> int | None:
        """The slot for these call words; None if the call has no such word."""
        if self.inner is None:
            return self.constant
        key = self.key if isinstance(self.key, int) else words.get(self.key) if self.key is not None else None
        inner = self.inner.slot(words)
        if key is None or inner is None:
            return None
        preimage = key.to_bytes(32, "big") + inner.to_bytes(32, "big")
        return (int.from_bytes(keccak_256(preimage).digest(), "big") + self.offset) % 2**256


@dataclass(slots=True)
class _Kind:
    """What calls of one (contract, selector) touch, with how many of the last calls did."""

    calls: int = 0
    accounts: dict[Address | Word, int] = field(default_factory=dict)
    slots: dict[tuple[Address, SlotTemplate], int] = field(default_factory=dict)


class Prefetcher:
    """Learns from simulations; bounded; forgets the kinds of calls used least recently."""

    def __init__(self) -> None:
        self._kinds: OrderedDict[tuple[Address, bytes], _Kind] = OrderedDict()

    def predict(self, transaction: Transaction) -> StateKeys:
        """What `transaction` will probably touch; only its own parties if its kind is new."""
        accounts = {transaction.sender}
        slots: set[tuple[Address, int]] = {
            (entry.address, slot) for entry in transaction.access_list for slot in entry.slots
        }
        accounts.update(entry.address for entry in transaction.access_list)
        if transaction.to is not None:
            accounts.add(transaction.to)
            kind = self._kinds.get((transaction.to, transaction.selector))
            if kind is not None:
                self._kinds.move_to_end((transaction.to, transaction.selector))
                words = _words(transaction)
                for item in kind.accounts:
                    if isinstance(item, Address):
                        accounts.add(item)
                    elif (word := words.get(item)) is not None and word < 2**160:
                        accounts.add(Address(word.to_bytes(20, "big")))
                for address, template in kind.slots:
                    slot = template.slot(words)
                    if slot is not None:
                        slots.add((address, slot))
        accounts.update(address for address, _ in slots)
        return StateKeys(frozenset(accounts), frozenset(slots))

    def knows(self, transaction: Transaction) -> bool:
        """True if a transaction of this kind was seen."""
        return transaction.to is not None and (transaction.to, transaction.selector) in self._kinds

    def learn(self, transaction: Transaction, result: SimulationResult) -> None:
        """Remember what `transaction` touched."""
        if transaction.to is None or not transaction.input:
            return
        kind = self._kinds.setdefault((transaction.to, transaction.selector), _Kind())
        self._kinds.move_to_end((transaction.to, transaction.selector))
        if len(self._kinds) > MAX_KINDS:
            self._kinds.popitem(last=False)
        words = _words(transaction)
        by_value = {value: word for word, value in reversed(words.items()) if value}
        kind.calls += 1
        created = set(result.created)
        for address in {frame.to for frame in result.trace.frames} | {
            frame.code_address for frame in result.trace.frames
        }:
            if address is None or address in created:
                continue
            item = by_value.get(int.from_bytes(address, "big"), address)
            kind.accounts[item] = kind.accounts.get(item, 0) + 1
        for use in [use for use in result.trace.slots or () if use.address not in created][:MAX_TEMPLATES]:
            template = self._template(use.slot, result, by_value, MAX_DEPTH)
            kind.slots[(use.address, template)] = kind.slots.get((use.address, template), 0) + 1
        self._trim(kind)

    def _template(self, slot: int, result: SimulationResult, by_value: dict[int, Word], depth: int) -> SlotTemplate:
        preimages = result.trace.preimages or {}
        for offset in range(MAX_OFFSET if depth else 0):
            preimage = preimages.get(slot - offset)
            if preimage is not None and len(preimage) == 64:
                key = int.from_bytes(preimage[:32], "big")
                inner = self._template(int.from_bytes(preimage[32:], "big"), result, by_value, depth - 1)
                return SlotTemplate(key=by_value.get(key, key), inner=inner, offset=offset)
        return SlotTemplate(constant=slot)

    def _trim(self, kind: _Kind) -> None:
        """Let go of what only few of the calls touch, once there are enough calls to tell."""
        if kind.calls < 8 and len(kind.slots) <= 2 * MAX_TEMPLATES:
            return
        kind.slots = {key: count // 2 for key, count in kind.slots.items() if 4 * count >= kind.calls}
        kind.accounts = {key: count // 2 for key, count in kind.accounts.items() if 4 * count >= kind.calls}
        kind.calls //= 2


def _words(transaction: Transaction) -> dict[Word, int]:
    """The parts of a call that a slot may be computed from."""
    words: dict[Word, int] = {("sender", 0): int.from_bytes(transaction.sender, "big")}
    data = transaction.input[4:]
    for index in range(min(len(data) // 32, 16)):
        words[("argument", index)] = int.from_bytes(data[32 * index : 32 * index + 32], "big")
    return words

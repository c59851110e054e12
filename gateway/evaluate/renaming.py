"""Gives accounts of a recorded run other addresses, wherever their address stands: state, calldata, code, keys.

A mapping entry lies at the hash of its key, so the entries of a renamed account move; the recorded run shows what
was hashed. Names inside words that no run of 20 bytes shows (packed keys, signatures) cannot be followed: whoever
uses this compares what the renamed run does.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import rlp

from gateway.decoding.keccak import keccak256
from gateway.model.primitive import Address
from gateway.model.state import AccountState, StateBatch
from gateway.model.trace import FrameKind, SimulationResult
from gateway.model.transaction import Transaction

ENTRY_SPAN = 1 << 32
"""slots behind a mapping entry's hash that belong to it: structs, arrays"""
NONCES_TRIED = 300


@dataclass(frozen=True)
class Renaming:
    """Old addresses to new ones, and what a recorded run knows about where they stand."""

    names: Mapping[Address, Address]
    preimages: Mapping[int, bytes]
    answered: Sequence[bytes] = ()
    """inputs by which a replayed contract recognises its calls: it keeps the first 8 bytes of their hash"""

    def text(self, data: bytes) -> bytes:
        """`data` with every old address replaced."""
        for old, new in self.names.items():
            data = data.replace(old, new)
        return data

    def code(self, code: bytes) -> bytes:
        """The same for code, with the hashes by which a replayed contract recognises calls."""
        changed = self.text(code)
        for old, new in self._keys.items():
            changed = changed.replace(old, new)
        return changed

    def account(self, state: AccountState) -> AccountState:
        """An account with its code renamed."""
        code = self.code(state.code)
        return state if code == state.code else replace(state, code=code, code_hash=keccak256(code))

    def slot(self, slot: int) -> int:
        """Where what lay in `slot` belongs now."""
        at = bisect_right(self._moved, slot) - 1
        if at < 0 or slot - self._moved[at] >= ENTRY_SPAN:
            return slot
        return self._hashes[self._moved[at]] + slot - self._moved[at]

    def value(self, value: int) -> int:
        """A storage word with old addresses, and hashes made of them, replaced."""
        if value in self._hashes:
            return self._hashes[value]
        return int.from_bytes(self.text(value.to_bytes(32, "big")), "big") if value >> 64 else value

    def transaction(self, sent: Transaction) -> Transaction:
        """The transaction with sender, target and input renamed."""
        to = sent.to
        return replace(
            sent,
            sender=self.names.get(sent.sender, sent.sender),
            to=None if to is None else self.names.get(to, to),
            input=self.text(sent.input),
        )

    def slots(self, slots: Mapping[tuple[Address, int], int]) -> dict[tuple[Address, int], int]:
        """Those of `slots` that change, at their new place and with their new value; the old place is emptied."""
        changed: dict[tuple[Address, int], int] = {}
        for (address, slot), value in slots.items():
            place = (self.names.get(address, address), self.slot(slot))
            word = self.value(value)
            if place != (address, slot):
                changed.setdefault((address, slot), 0)
            if place != (address, slot) or word != value:
                changed[place] = word
        return changed

    def state(self, accounts: Mapping[Address, AccountState], slots: Mapping[tuple[Address, int], int]) -> StateBatch:
        """What must be loaded over the recorded state."""
        moved: dict[Address, AccountState] = {}
        for address, state in accounts.items():
            other = self.account(state)
            if address in self.names:
                moved[self.names[address]] = other
                moved[address] = AccountState()
            elif other is not state:
                moved[address] = other
        return StateBatch(moved, self.slots(slots))

    @cached_property
    def _hashes(self) -> dict[int, int]:
        """Hash -> the hash of the renamed bytes, inner hashes first."""
        known: dict[int, int] = {}

        def renamed(hash_: int) -> int:
            if hash_ not in known:
                known[hash_] = hash_  # a hash inside its own preimage does not happen; this ends the search
                data = self.preimages[hash_]
                changed = self.text(data)
                words = [changed[at : at + 32] for at in range(0, len(changed), 32)]
                for at, word in enumerate(words):
                    inner = int.from_bytes(word, "big")
                    if len(word) == 32 and inner in self.preimages:
                        words[at] = renamed(inner).to_bytes(32, "big")
                changed = b"".join(words)
                if changed != data:
                    known[hash_] = int.from_bytes(keccak256(changed), "big")
            return known[hash_]

        return {hash_: new for hash_ in self.preimages if (new := renamed(hash_)) != hash_}

    @cached_property
    def _moved(self) -> list[int]:
        return sorted(self._hashes)

    @cached_property
    def _keys(self) -> dict[bytes, bytes]:
        keys: dict[bytes, bytes] = {}
        for data in self.answered:
            changed = self.text(data)
            if changed != data:
                keys[bytes(keccak256(data)[:8])] = bytes(keccak256(changed)[:8])
        return keys


def create_address(creator: Address, nonce: int) -> Address:
    """Where CREATE puts a contract."""
    return Address(keccak256(rlp.encode([bytes(creator), nonce]))[12:])


def with_children(
    names: Mapping[Address, Address], results: Iterable[SimulationResult], nonces: Mapping[Address, int]
) -> dict[Address, Address]:
    """`names` and the contracts that renamed accounts create with CREATE, whose addresses follow from their makers'.

    `nonces`: how much higher the nonce of a renamed account is than that of the old one.
    """
    found = dict(names)
    for result in results:
        for frame in result.trace.frames:
            if frame.kind is not FrameKind.CREATE or frame.to is None or frame.from_ not in found:
                continue
            if frame.to in found:
                continue
            for nonce in range(NONCES_TRIED):
                if create_address(frame.from_, nonce) == frame.to:
                    shifted = nonce + nonces.get(frame.from_, 0)
                    found[frame.to] = create_address(found[frame.from_], shifted)
                    break
    return found


def gather_preimages(results: Iterable[SimulationResult]) -> dict[int, bytes]:
    """Everything that was hashed to find a slot."""
    return {slot: data for result in results for slot, data in (result.trace.preimages or {}).items()}


def first_values(results: Iterable[SimulationResult]) -> dict[tuple[Address, int], int]:
    """What each touched slot held before the first of these runs."""
    found: dict[tuple[Address, int], int] = {}
    for result in results:
        for use in result.trace.slots or ():
            found.setdefault((use.address, use.slot), use.before)
    return found


def stand_in(address: Address, salt: str) -> Address:
    """Another address, the same on every run."""
    return Address(keccak256(salt.encode() + address)[12:])

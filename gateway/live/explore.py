"""Asks the node what a transaction of a kind never seen before touches, in the same round trip as everything else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.errors import UpstreamRefused
from gateway.live import wire
from gateway.live.codes import CodeStore
from gateway.model.primitive import Address, Hash32
from gateway.model.state import AccountState, StateBatch, StateKeys
from gateway.model.transaction import Transaction

_UNKNOWN = (-32601, -32004)
"""method not found, method not supported"""
_TIMEOUT = "1s"
"""A node stops tracing after this: nobody would wait longer for it."""


class Exploration(StrEnum):
    """How the node is asked, best first."""

    PRESTATE = "prestate"
    """debug_traceCall with prestateTracer: keys with their values, so that one round trip is enough"""
    ACCESS_LIST = "access-list"
    """eth_createAccessList: keys alone"""

    @property
    def poorer(self) -> Exploration | None:
        """What to try if the node does not offer this; None if there is nothing else."""
        return Exploration.ACCESS_LIST if self is Exploration.PRESTATE else None


@dataclass(frozen=True, slots=True)
class Explored:
    """What the node says a transaction touches."""

    keys: StateKeys = field(default_factory=StateKeys)
    values: StateBatch = field(default_factory=StateBatch)
    """those of the keys whose values it told, before the transaction"""


def exploration_call(exploration: Exploration, transaction: Transaction, block: Hash32) -> tuple[str, Sequence[object]]:
    """The question, pinned to `block`."""
    where = wire.at_block(block)
    if exploration is Exploration.ACCESS_LIST:
        return ("eth_createAccessList", [call_object(transaction), where])
    return (
        "debug_traceCall",
        [call_object(transaction, gas=True), where, {"tracer": "prestateTracer", "timeout": _TIMEOUT}],
    )


def explored(exploration: Exploration, answer: object, codes: CodeStore) -> Explored:
    """The answer to `exploration_call`. Raises UpstreamNonsense if it is none."""
    return _prestate(answer, codes) if exploration is Exploration.PRESTATE else _access_list(answer)


def is_unknown_method(refusal: UpstreamRefused) -> bool:
    """True if the node does not offer the method at all, to anybody or to us."""
    return refusal.code in _UNKNOWN or "not available" in refusal.message or "does not exist" in refusal.message


def _prestate(answer: object, codes: CodeStore) -> Explored:
    """Geth leaves out what is zero: nonce, code, balance. A slot is told with its value, also if that is zero."""
    accounts: dict[Address, AccountState] = {}
    slots: dict[tuple[Address, int], int] = {}
    for name, value in wire.members(answer, "prestate").items():
        address = wire.address(name, "prestate")
        parts = wire.members(value, "prestate")
        code = wire.data(parts.get("code", "0x"), f"code of {address}")
        nonce = parts.get("nonce", 0)
        accounts[address] = AccountState(
            nonce=nonce if isinstance(nonce, int) else wire.quantity(nonce, f"nonce of {address}"),
            balance=wire.quantity(parts.get("balance", "0x0"), f"balance of {address}"),
            code=code,
            code_hash=codes.put(address, code),
        )
        for slot, word in wire.members(parts.get("storage") or {}, "storage").items():
            slots[address, wire.quantity(slot, "slot")] = wire.quantity(word, f"storage of {address}")
    return Explored(StateKeys(frozenset(accounts), frozenset(slots)), StateBatch(accounts, slots))


def _access_list(answer: object) -> Explored:
    entries = wire.members(answer, "access list").get("accessList")
    accounts: set[Address] = set()
    slots: set[tuple[Address, int]] = set()
    for entry in wire.items(entries, "access list"):
        parts = wire.members(entry, "access list")
        address = wire.address(parts.get("address"), "access list")
        accounts.add(address)
        for slot in wire.items(parts.get("storageKeys"), "access list"):
            slots.add((address, wire.quantity(slot, "access list")))
    return Explored(StateKeys(frozenset(accounts), frozenset(slots)))


def call_object(transaction: Transaction, *, gas: bool = False) -> dict[str, str]:
    """The transaction as an unsigned call, without fees: the node then checks neither balance nor base fee.

    `gas`: run it with no more gas than the transaction has.
    """
    call = {
        "from": str(transaction.sender),
        "value": hex(transaction.value),
        "data": "0x" + transaction.input.hex(),
    }
    if transaction.to is not None:
        call["to"] = str(transaction.to)
    if gas:
        call["gas"] = hex(transaction.gas_limit)
    return call

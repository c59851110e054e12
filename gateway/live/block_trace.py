"""The effects of a block's transactions, read from its trace, and the change of state that follows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from gateway.errors import UpstreamNonsense
from gateway.live import wire
from gateway.live.cache import StateChange
from gateway.live.codes import CodeStore
from gateway.model.primitive import Address
from gateway.model.state import AccountState, StateBatch

DELEGATION = bytes.fromhex("ef0100")
"""EIP-7702 designator: a trace leaves out that it was cleared"""

Key = tuple[Address, int | None]
"""A slot, or with None the account's balance, nonce and code."""


@dataclass(slots=True)
class BlockEffects:
    """What the transactions of one block did, from its trace."""

    before: dict[Address, AccountState] = field(default_factory=dict)
    after: dict[Address, AccountState] = field(default_factory=dict)
    slots_before: dict[tuple[Address, int], int] = field(default_factory=dict)
    slots_after: dict[tuple[Address, int], int] = field(default_factory=dict)
    unsure: set[Address] = field(default_factory=set)
    """accounts whose code the trace does not settle"""
    wiped: set[Address] = field(default_factory=set)
    """accounts that were created or destroyed: all their storage is void"""

    def written(self) -> set[Key]:
        """All that the block wrote."""
        return {*self.slots_after, *((address, None) for address in self.after)}


def parse_effects(trace: object, codes: CodeStore) -> BlockEffects:
    """The answer of debug_traceBlockByHash with prestateTracer in diffMode. Raises UpstreamError if it is none."""
    effects = BlockEffects()
    for entry in wire.items(trace, "block trace"):
        members = wire.members(entry, "block trace")
        if "result" not in members:
            raise UpstreamNonsense(f"block trace: a transaction was not traced: {str(members.get('error'))[:200]}")
        result = wire.members(members["result"], "block trace")
        before, after = wire.members(result.get("pre"), "pre"), wire.members(result.get("post"), "post")
        for name in {**before, **after}:
            address = wire.address(name, "block trace")
            old = wire.members(before[name], "pre") if name in before else None
            new = wire.members(after[name], "post") if name in after else None
            _account_effect(effects, address, old, new, codes)
            if old is not None or new is not None:
                _storage_effect(effects, address, old or {}, new or {})
    return effects


def _account_effect(
    effects: BlockEffects,
    address: Address,
    old: dict[str, object] | None,
    new: dict[str, object] | None,
    codes: CodeStore,
) -> None:
    previous = _account(address, old or {}, AccountState(), codes)
    effects.before.setdefault(address, previous)
    if old is None or new is None:
        effects.wiped.add(address)
        effects.slots_after = {key: value for key, value in effects.slots_after.items() if key[0] != address}
    effects.after[address] = AccountState() if new is None else _account(address, new, previous, codes)
    if new is not None and "code" not in new and previous.code.startswith(DELEGATION):
        effects.unsure.add(address)


def _account(address: Address, parts: dict[str, object], rest: AccountState, codes: CodeStore) -> AccountState:
    code, hash = rest.code, rest.code_hash
    if "code" in parts:
        code = wire.data(parts["code"], f"code of {address}")
        hash = codes.put(address, code)
    nonce = parts.get("nonce", rest.nonce)
    return AccountState(
        nonce=nonce if isinstance(nonce, int) else wire.quantity(nonce, f"nonce of {address}"),
        balance=wire.quantity(parts["balance"], f"balance of {address}") if "balance" in parts else rest.balance,
        code=code,
        code_hash=hash,
    )


def _storage_effect(effects: BlockEffects, address: Address, old: dict[str, object], new: dict[str, object]) -> None:
    before = wire.members(old.get("storage") or {}, "storage")
    after = wire.members(new.get("storage") or {}, "storage")
    for name in {**before, **after}:
        key = (address, wire.quantity(name, "slot"))
        # The tracer leaves zero out, on both sides.
        effects.slots_before.setdefault(key, wire.quantity(before[name], "slot value") if name in before else 0)
        effects.slots_after[key] = wire.quantity(after[name], "slot value") if name in after else 0


def forward(effects: Iterable[BlockEffects]) -> StateChange:
    """The change that carries the cache over these blocks, oldest first."""
    accounts: dict[Address, AccountState] = {}
    slots: dict[tuple[Address, int], int] = {}
    wiped: set[Address] = set()
    unsure: set[Address] = set()
    for block in effects:
        accounts.update(block.after)
        wiped |= block.wiped
        slots = {key: value for key, value in slots.items() if key[0] not in block.wiped}
        slots.update(block.slots_after)
        unsure |= block.unsure
    for address in unsure:
        accounts.pop(address, None)
    return StateChange(StateBatch(accounts, slots), frozenset(unsure), frozenset(wiped))


def backward(effects: Iterable[BlockEffects]) -> StateChange:
    """The change that undoes these blocks, newest first."""
    accounts: dict[Address, AccountState] = {}
    slots: dict[tuple[Address, int], int] = {}
    wiped: set[Address] = set()
    unsure: set[Address] = set()
    for block in effects:
        accounts.update(block.before)
        slots.update(block.slots_before)
        wiped |= block.wiped
        unsure |= block.unsure
    for address in unsure:
        accounts.pop(address, None)
    return StateChange(StateBatch(accounts, slots), frozenset(unsure), frozenset(wiped))


def merged(first: StateChange, second: StateChange) -> StateChange:
    """One change that does `first` and then `second`."""
    accounts = {key: value for key, value in first.values.accounts.items() if key not in second.forgotten_accounts}
    slots = {key: value for key, value in first.values.slots.items() if key[0] not in second.forgotten_storage}
    return StateChange(
        StateBatch({**accounts, **second.values.accounts}, {**slots, **second.values.slots}),
        (first.forgotten_accounts - second.values.accounts.keys()) | second.forgotten_accounts,
        first.forgotten_storage | second.forgotten_storage,
        {**first.storage_hashes, **second.storage_hashes},
        first.reorganised or second.reorganised,
        first.everything or second.everything,
    )

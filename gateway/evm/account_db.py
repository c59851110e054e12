"""Account database of one run: dictionaries over a world, every write undoable.

Seven times faster on a transfer than py-evm's own trie database. It knows nothing of Merkle roots.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from gateway.decoding.keccak import keccak256
from gateway.evm.world import LayeredWorld
from gateway.model.primitive import EMPTY_CODE_HASH, Address, Hash32
from gateway.model.state import AccountState, StateKeys

_UNKNOWN: Final = AccountState()


class Account:
    """The present values of one account."""

    __slots__ = ("balance", "code", "code_hash", "exists", "nonce", "touched")

    def __init__(self, state: AccountState, *, exists: bool) -> None:
        self.nonce = state.nonce
        self.balance = state.balance
        self.code = state.code
        self.code_hash: Hash32 = state.code_hash
        self.exists = exists
        self.touched = False

    @property
    def empty(self) -> bool:
        """As EIP-161 says: no nonce, no balance, no code."""
        return not self.nonce and not self.balance and self.code_hash == EMPTY_CODE_HASH


class AccountDatabase:
    """What py-evm's state object asks for, answered from a world.

    A key that an incomplete world does not know is answered with zero and noted in `missing`:
    whoever runs the database must then throw the result away and ask for those keys.
    """

    def __init__(
        self, world: LayeredWorld, *, empty_accounts_exist: bool, on_missing: Callable[[], None] = lambda: None
    ) -> None:
        """`empty_accounts_exist`: the rule before EIP-161. `on_missing` is called at the first unknown key."""
        self._world = world
        self._empty_exist = empty_accounts_exist
        self._on_missing = on_missing
        self._undo: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []
        self.before: dict[bytes, AccountState] = {}
        self.accounts: dict[bytes, Account] = {}
        self.slots: dict[bytes, dict[int, int]] = {}
        self.wiped: set[bytes] = set()
        """accounts whose earlier storage is gone: destroyed, or just created"""
        self._transient: dict[tuple[bytes, int], bytes] = {}
        self._warm: set[bytes | tuple[bytes, int]] = set()
        self._originals: dict[tuple[bytes, int], int] = {}
        self._missing_accounts: set[Address] = set()
        self._missing_slots: set[tuple[Address, int]] = set()
        self._missing_hashes: set[int] = set()

    # what the world does not know

    @property
    def missing(self) -> StateKeys:
        """Keys that were asked for and are not known."""
        return StateKeys(
            frozenset(self._missing_accounts), frozenset(self._missing_slots), frozenset(self._missing_hashes)
        )

    @property
    def has_missing(self) -> bool:
        """True once any key was unknown."""
        return bool(self._missing_accounts or self._missing_slots or self._missing_hashes)

    def _note_missing(self, keys: set[Any], key: Any) -> None:
        if not self.has_missing:
            self._on_missing()
        keys.add(key)

    def account(self, address: bytes) -> Account:
        """The account's present values; loads it from the world the first time."""
        found = self.accounts.get(address)
        if found is None:
            known = self._world.account(Address(address))
            if known is None and not self._world.complete:
                self._note_missing(self._missing_accounts, Address(address))
            state = known or _UNKNOWN
            found = Account(state, exists=known is not None and (self._empty_exist or not _is_empty(state)))
            self.before[address] = state
            self.accounts[address] = found
        return found

    def original_storage(self, address: bytes, slot: int) -> int:
        """The value when the transaction began."""
        if address in self.wiped:
            return 0
        key = (address, slot)
        value = self._originals.get(key)
        if value is None:
            value = self._world.slot(Address(address), slot)
            if value is None:
                if not self._world.complete:
                    self._note_missing(self._missing_slots, (Address(address), slot))
                value = 0
            self._originals[key] = value
        return value

    def block_hash(self, number: int, known: Hash32 | None) -> bytes:
        """Hash of an ancestor block for BLOCKHASH; `known` is what the block context says."""
        found = known or self._world.block_hash(number)
        if found is None:
            if not self._world.complete:
                self._note_missing(self._missing_hashes, number)
            return bytes(32)
        return found

    # the journal

    def record(self) -> int:
        """A checkpoint to `discard` back to."""
        return len(self._undo)

    def discard(self, checkpoint: int) -> None:
        """Undo everything since the checkpoint."""
        undo = self._undo
        while len(undo) > checkpoint:
            function, arguments = undo.pop()
            function(*arguments)

    def _set(self, account: Account, name: str, value: Any) -> None:
        self._undo.append((setattr, (account, name, getattr(account, name))))
        setattr(account, name, value)

    def _change(self, address: bytes, name: str, value: Any) -> None:
        account = self.account(address)
        self._set(account, name, value)
        if not account.exists:
            self._set(account, "exists", True)
        if not account.touched:
            self._set(account, "touched", True)

    # storage

    def get_storage(self, address: bytes, slot: int, from_journal: bool = True) -> int:
        """The present value, or the one the transaction began with."""
        if from_journal:
            written = self.slots.get(address)
            if written is not None:
                value = written.get(slot)
                if value is not None:
                    return value
        return self.original_storage(address, slot)

    def set_storage(self, address: bytes, slot: int, value: int) -> None:
        """Write one slot."""
        written = self.slots.get(address)
        if written is None:
            written = self.slots[address] = {}
        previous = written.get(slot)
        if previous is None:
            self._undo.append((written.pop, (slot,)))
        else:
            self._undo.append((written.__setitem__, (slot, previous)))
        written[slot] = value

    def delete_storage(self, address: bytes) -> None:
        """From here on every slot of the account reads zero."""
        if address not in self.wiped:
            self._undo.append((self.wiped.discard, (address,)))
            self.wiped.add(address)
        self._undo.append((self.slots.__setitem__, (address, self.slots.get(address, {}))))
        self.slots[address] = {}

    def has_storage(self, address: bytes) -> bool:
        """True if a slot is known to hold something (EIP-7610 calls creation there a collision)."""
        if not self._world.complete:
            # A node cannot tell, and no such account can be made since EIP-161.
            return False
        return any(self._world.storage(Address(address)).values())

    def get_transient(self, address: bytes, slot: int) -> bytes:
        """EIP-1153."""
        return self._transient.get((address, slot), b"")

    def set_transient(self, address: bytes, slot: int, value: bytes) -> None:
        """EIP-1153."""
        key = (address, slot)
        self._undo.append((self._transient.__setitem__, (key, self._transient.get(key, b""))))
        self._transient[key] = value

    # warmth (EIP-2929)

    def is_storage_warm(self, address: bytes, slot: int) -> bool:
        """True if this transaction touched the slot before."""
        return (address, slot) in self._warm

    def mark_storage_warm(self, address: bytes, slot: int) -> None:
        """Note the first access."""
        self._mark((address, slot))

    def is_address_warm(self, address: bytes) -> bool:
        """True if this transaction touched the account before."""
        return address in self._warm

    def mark_address_warm(self, address: bytes) -> None:
        """Note the first access."""
        self._mark(address)

    def _mark(self, key: bytes | tuple[bytes, int]) -> None:
        if key not in self._warm:
            self._undo.append((self._warm.discard, (key,)))
            self._warm.add(key)

    # accounts

    def get_balance(self, address: bytes) -> int:
        """Wei."""
        return self.account(address).balance

    def set_balance(self, address: bytes, balance: int) -> None:
        """Wei."""
        self._change(address, "balance", balance)

    def get_nonce(self, address: bytes) -> int:
        """The account's nonce."""
        return self.account(address).nonce

    def set_nonce(self, address: bytes, nonce: int) -> None:
        """Set the account's nonce."""
        self._change(address, "nonce", nonce)

    def get_code(self, address: bytes) -> bytes:
        """The account's code; a delegation designator is returned as it lies."""
        return self.account(address).code

    def get_code_hash(self, address: bytes) -> Hash32:
        """keccak256 of the code."""
        return self.account(address).code_hash

    def set_code(self, address: bytes, code: bytes) -> None:
        """Replace the code."""
        self._change(address, "code", code)
        self._change(address, "code_hash", keccak256(code))

    def delete_account(self, address: bytes) -> None:
        """Nothing remains: not the balance, not the storage."""
        account = self.account(address)
        for name, value in (("nonce", 0), ("balance", 0), ("code", b""), ("code_hash", EMPTY_CODE_HASH)):
            self._set(account, name, value)
        self._set(account, "exists", False)
        self.delete_storage(address)

    def account_exists(self, address: bytes) -> bool:
        """True if the account is in the trie, were there one."""
        return self.account(address).exists

    def touch_account(self, address: bytes) -> None:
        """EIP-161: an empty account that was touched is cleared in the end."""
        account = self.account(address)
        if not account.touched:
            self._set(account, "touched", True)
        if not account.exists:
            self._set(account, "exists", True)

    def account_is_empty(self, address: bytes) -> bool:
        """As EIP-161 says."""
        return self.account(address).empty

    def clear_touched(self) -> None:
        """Delete the touched empty accounts (EIP-161)."""
        for address, account in list(self.accounts.items()):
            if account.touched and account.exists and account.empty:
                self.delete_account(address)


def _is_empty(state: AccountState) -> bool:
    return not state.nonce and not state.balance and state.code_hash == EMPTY_CODE_HASH

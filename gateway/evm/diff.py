"""Net effect of a run, from the account database that it left behind."""

from __future__ import annotations

from gateway.evm.account_db import AccountDatabase
from gateway.evm.world import LayeredWorld
from gateway.model.primitive import Address
from gateway.model.trace import AccountDiff, StateDiff


def state_diff(database: AccountDatabase, world: LayeredWorld, *, keep_new_empty: bool) -> StateDiff:
    """What changed between the world and the database, net of everything that was undone.

    `keep_new_empty`: before EIP-161 a touched account begins to exist although it is empty; it is then listed
    with no change, for a later transaction pays less to call it.
    """
    diff: dict[Address, AccountDiff] = {}
    for raw in database.slots:
        database.account(raw)  # so that an account of which only the storage was written is looked at below
    for raw, account in database.accounts.items():
        address = Address(raw)
        before = database.before[raw]
        storage = _storage(database, world, address)
        balance = (before.balance, account.balance) if before.balance != account.balance else None
        nonce = (before.nonce, account.nonce) if before.nonce != account.nonce else None
        code = (before.code, account.code) if before.code_hash != account.code_hash else None
        if storage or balance or nonce or code:
            diff[address] = AccountDiff(balance, nonce, code, storage)
        elif keep_new_empty and account.exists and account.empty and world.account(address) is None:
            diff[address] = AccountDiff()
    return diff


def _storage(database: AccountDatabase, world: LayeredWorld, address: Address) -> dict[int, tuple[int, int]]:
    written = database.slots.get(address, {})
    if address in database.wiped:
        earlier = {slot: value for slot, value in world.storage(address).items() if value}
        slots = written.keys() | earlier.keys()
        pairs = {slot: (earlier.get(slot, 0), written.get(slot, 0)) for slot in slots}
    else:
        pairs = {slot: (database.original_storage(address, slot), value) for slot, value in written.items()}
    return {slot: pair for slot, pair in sorted(pairs.items()) if pair[0] != pair[1]}

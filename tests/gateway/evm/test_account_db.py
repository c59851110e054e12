from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.evm.account_db import AccountDatabase
from gateway.evm.diff import state_diff
from gateway.evm.world import LayeredWorld
from gateway.model.primitive import Address
from gateway.model.state import StateBatch, StateKeys
from gateway.model.trace import AccountDiff
from tests.gateway.evm.scenes import CONTRACT, OTHER, account

ADDRESSES = st.sampled_from([CONTRACT, OTHER])
SLOTS = st.integers(0, 2)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("set_balance"), ADDRESSES, st.integers(0, 3)),
        st.tuples(st.just("set_nonce"), ADDRESSES, st.integers(0, 3)),
        st.tuples(st.just("set_code"), ADDRESSES, st.sampled_from([b"", b"\x01", b"\x02"])),
        st.tuples(st.just("set_storage"), ADDRESSES, SLOTS, st.integers(0, 3)),
        st.tuples(st.just("set_transient"), ADDRESSES, SLOTS, st.sampled_from([b"\x01", b"\x02"])),
        st.tuples(st.just("mark_storage_warm"), ADDRESSES, SLOTS),
        st.tuples(st.just("mark_address_warm"), ADDRESSES),
        st.tuples(st.just("touch_account"), ADDRESSES),
        st.tuples(st.just("delete_storage"), ADDRESSES),
        st.tuples(st.just("delete_account"), ADDRESSES),
    ),
    max_size=12,
)


def made(complete: bool = True) -> tuple[AccountDatabase, LayeredWorld]:
    world = LayeredWorld(complete=complete)
    world.load(StateBatch({CONTRACT: account(b"\x01", balance=1)}, {(CONTRACT, 0): 2, (CONTRACT, 1): 1}))
    return AccountDatabase(world, empty_accounts_exist=False), world


def seen(database: AccountDatabase) -> list[Any]:
    """Everything that can be read."""
    facts: list[Any] = []
    for address in (CONTRACT, OTHER):
        facts += [
            database.get_balance(address),
            database.get_nonce(address),
            database.get_code(address),
            database.get_code_hash(address),
            database.account_exists(address),
            database.account_is_empty(address),
            database.is_address_warm(address),
        ]
        for slot in range(3):
            facts += [database.get_storage(address, slot), database.original_storage(address, slot)]
            facts += [database.get_transient(address, slot), database.is_storage_warm(address, slot)]
    return facts


@settings(max_examples=200, deadline=None)
@given(before=STEPS, undone=STEPS)
def test_discard_undoes_exactly_what_came_after_the_checkpoint(before: list[Any], undone: list[Any]) -> None:
    database, world = made()
    for name, *arguments in before:
        getattr(database, name)(*arguments)
    facts, diff = seen(database), state_diff(database, world, keep_new_empty=False)
    checkpoint = database.record()
    for name, *arguments in undone:
        getattr(database, name)(*arguments)
    database.discard(checkpoint)
    assert seen(database) == facts
    assert state_diff(database, world, keep_new_empty=False) == diff


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_the_difference_leads_from_the_world_to_the_database(steps: list[Any]) -> None:
    database, world = made()
    for name, *arguments in steps:
        getattr(database, name)(*arguments)
    diff = state_diff(database, world, keep_new_empty=False)
    after = world.fork()
    after.apply(diff)
    for address in (CONTRACT, OTHER):
        found = after.account(address) or account()
        assert (found.balance, found.nonce, found.code) == (
            database.get_balance(address),
            database.get_nonce(address),
            database.get_code(address),
        )
        for slot in range(3):
            assert (after.slot(address, slot) or 0) == database.get_storage(address, slot)


def test_unknown_keys_are_noted_once_and_answered_with_zero() -> None:
    called = []
    world = LayeredWorld()
    database = AccountDatabase(world, empty_accounts_exist=False, on_missing=lambda: called.append(1))
    assert database.get_balance(OTHER) == 0
    assert database.get_storage(OTHER, 5) == 0
    assert database.get_storage(OTHER, 5) == 0
    assert database.block_hash(9, None) == bytes(32)
    assert database.missing == StateKeys(frozenset({OTHER}), frozenset({(OTHER, 5)}), frozenset({9}))
    assert called == [1]


def test_a_destroyed_account_loses_every_known_slot() -> None:
    database, world = made()
    database.set_storage(CONTRACT, 2, 7)
    database.delete_account(CONTRACT)
    assert state_diff(database, world, keep_new_empty=False) == {
        CONTRACT: AccountDiff(balance=(1, 0), code=(b"\x01", b""), storage={0: (2, 0), 1: (1, 0)})
    }


def test_touched_empty_accounts_are_cleared_and_before_eip_161_they_remain() -> None:
    newcomer = Address(b"\x0e" * 20)
    database, world = made()
    database.touch_account(newcomer)
    assert database.account_exists(newcomer)
    database.clear_touched()
    assert not database.account_exists(newcomer)
    assert state_diff(database, world, keep_new_empty=False) == {}

    old = AccountDatabase(world, empty_accounts_exist=True)
    old.touch_account(newcomer)
    assert state_diff(old, world, keep_new_empty=True) == {newcomer: AccountDiff()}

from __future__ import annotations

from gateway.live.cache import StateCache, StateChange
from gateway.model.primitive import Address, Hash32
from gateway.model.state import AccountState, StateBatch, StateKeys

ONE, TWO = Address(b"\x01" * 20), Address(b"\x02" * 20)


def filled() -> StateCache:
    cache = StateCache()
    cache.add(
        StateBatch(
            {ONE: AccountState(nonce=1), TWO: AccountState(nonce=2)},
            {(ONE, 1): 11, (ONE, 2): 12, (TWO, 1): 21},
            {5: Hash32(b"\x05" * 32)},
        )
    )
    return cache


def test_only_what_is_new_is_added_and_returned() -> None:
    cache = filled()
    new = cache.add(StateBatch({ONE: AccountState(nonce=9)}, {(ONE, 1): 99, (ONE, 3): 13}))
    assert new == StateBatch({}, {(ONE, 3): 13}, {})
    assert cache.accounts[ONE].nonce == 1
    assert cache.slots[(ONE, 1)] == 11
    wanted = StateKeys(frozenset({ONE, Address(b"\x03" * 20)}), frozenset({(ONE, 3), (TWO, 7)}), frozenset({5, 6}))
    assert cache.unknown(wanted) == StateKeys(frozenset({Address(b"\x03" * 20)}), frozenset({(TWO, 7)}), frozenset({6}))


def test_replacing_values_forgets_nothing() -> None:
    cache = filled()
    assert cache.change(StateChange(StateBatch({ONE: AccountState(nonce=5)}, {(ONE, 1): 0})))
    assert (cache.accounts[ONE].nonce, cache.slots[(ONE, 1)], cache.slots[(ONE, 2)]) == (5, 0, 12)


def test_forgotten_storage_keeps_only_what_came_with_the_change() -> None:
    cache = filled()
    change = StateChange(StateBatch(slots={(ONE, 1): 7}), frozenset({TWO}), frozenset({ONE}))
    assert not cache.change(change)
    assert cache.slots == {(ONE, 1): 7, (TWO, 1): 21}
    assert set(cache.accounts) == {ONE}
    assert cache.slots_of(ONE) == {1}


def test_a_reorg_voids_block_hashes_and_everything_means_everything() -> None:
    cache = filled()
    assert not cache.change(StateChange(reorganised=True))
    assert cache.block_hashes == {}
    assert len(cache) == 5
    assert not cache.change(StateChange(StateBatch({ONE: AccountState(nonce=3)}), everything=True))
    assert (len(cache), cache.accounts[ONE].nonce) == (1, 3)


def test_a_full_cache_starts_again() -> None:
    cache = filled()
    cache.max_keys = 4
    assert not cache.change(StateChange())
    assert len(cache) == 0


def test_a_storage_root_lasts_until_the_next_change() -> None:
    cache = filled()
    cache.change(StateChange(storage_hashes={ONE: Hash32(b"\x09" * 32)}))
    assert set(cache.storage_hashes) == {ONE}
    cache.change(StateChange())
    assert cache.storage_hashes == {}

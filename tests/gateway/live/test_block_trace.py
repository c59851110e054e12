from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import UpstreamError
from gateway.live.block_trace import backward, forward, merged, parse_effects
from gateway.live.cache import StateCache, StateChange
from gateway.live.codes import CodeStore, code_hash
from gateway.model.primitive import Address
from gateway.model.state import AccountState, StateBatch

ONE, TWO = Address(b"\x01" * 20), Address(b"\x02" * 20)


def trace(*changes: tuple[dict[str, Any], dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"txHash": "0x", "result": {"pre": pre, "post": post}} for pre, post in changes]


def slot(number: int) -> str:
    return f"0x{number:064x}"


def test_a_block_is_done_and_undone() -> None:
    effects = parse_effects(
        trace(
            (
                {str(ONE): {"balance": "0x5", "nonce": 1, "storage": {slot(1): slot(7), slot(2): slot(8)}}},
                {str(ONE): {"balance": "0x4", "nonce": 2, "storage": {slot(1): slot(9)}}},
            ),
            (
                {str(ONE): {"balance": "0x4", "nonce": 2, "storage": {slot(1): slot(9)}}},
                {str(ONE): {"storage": {slot(1): slot(10), slot(3): slot(1)}}},
            ),
        ),
        CodeStore(),
    )
    cache = StateCache()
    cache.add(StateBatch({ONE: AccountState(1, 5)}, {(ONE, 1): 7, (ONE, 2): 8, (ONE, 3): 0, (ONE, 4): 4}))
    before = StateCache()
    before.add(cache.everything())
    assert cache.change(forward([effects]))
    assert cache.accounts[ONE] == AccountState(2, 4)
    assert cache.slots == {(ONE, 1): 10, (ONE, 2): 0, (ONE, 3): 1, (ONE, 4): 4}
    cache.change(backward([effects]))
    assert (cache.accounts, cache.slots) == (before.accounts, before.slots)
    assert effects.written() == {(ONE, None), (ONE, 1), (ONE, 2), (ONE, 3)}


def test_created_and_destroyed_accounts_void_their_storage() -> None:
    code = "0x6001"
    effects = parse_effects(
        trace(
            ({}, {str(ONE): {"balance": "0x0", "nonce": 1, "code": code, "storage": {slot(1): slot(7)}}}),
            ({str(TWO): {"balance": "0x5", "code": code, "storage": {slot(4): slot(1)}}}, {}),
        ),
        CodeStore(),
    )
    change = forward([effects])
    assert change.forgotten_storage == {ONE, TWO}
    assert change.values.accounts[ONE].code_hash == code_hash(bytes.fromhex("6001"))
    assert change.values.accounts[TWO] == AccountState()
    cache = StateCache()
    cache.add(StateBatch(slots={(ONE, 9): 3, (TWO, 4): 1, (TWO, 5): 2}))
    assert not cache.change(change)
    assert cache.slots == {(ONE, 1): 7, (TWO, 4): 0}


def test_a_delegation_that_may_have_been_cleared_is_not_believed() -> None:
    delegation = "0xef0100" + "22" * 20
    cleared = ({str(ONE): {"balance": "0x5", "nonce": 1, "code": delegation}}, {str(ONE): {"nonce": 2}})
    change = forward([parse_effects(trace(cleared), CodeStore())])
    assert change.forgotten_accounts == {ONE}
    assert ONE not in change.values.accounts


@pytest.mark.parametrize(
    "answer",
    [
        None,
        {},
        [None],
        [{"error": "timeout"}],
        [{"result": {"pre": {}}}],
        [{"result": {"pre": {"0x12": {}}, "post": {}}}],
        [{"result": {"pre": {str(ONE): {"balance": "five"}}, "post": {}}}],
        [{"result": {"pre": {str(ONE): {"storage": {"x": "0x1"}}}, "post": {}}}],
        [{"result": {"pre": {str(ONE): {"code": "0x1"}}, "post": {}}}],
    ],
)
def test_half_a_trace_is_no_trace(answer: object) -> None:
    with pytest.raises(UpstreamError):
        parse_effects(answer, CodeStore())


def test_the_later_of_two_changes_counts() -> None:
    first = StateChange(StateBatch({ONE: AccountState(1), TWO: AccountState(2)}, {(ONE, 1): 1, (TWO, 1): 1}))
    second = StateChange(StateBatch({ONE: AccountState(9)}, {(TWO, 2): 2}), frozenset({TWO}), frozenset({TWO}))
    both = merged(first, second)
    assert both.values.accounts == {ONE: AccountState(9)}
    assert both.values.slots == {(ONE, 1): 1, (TWO, 2): 2}
    assert both.forgotten_accounts == {TWO}

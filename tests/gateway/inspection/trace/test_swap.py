from __future__ import annotations

import pytest

from gateway.inspection.trace.swap import HOUSE, LOGGED, PAIR, SIGNED, SINGLETON, WORDS, trades
from gateway.model.primitive import Address
from tests.makers import ENTRY, Tape, account, word

POOL = account(10)
GOLD, COIN = word(account(12)), word(account(13))


def pair(in0: int, in1: int, out0: int, out1: int) -> tuple[tuple[bytes, ...], bytes]:
    return (PAIR, word(ENTRY), word(ENTRY)), b"".join(map(word, (in0, in1, out0, out1)))


def signed(amount: int) -> tuple[tuple[bytes, ...], bytes]:
    data = (amount % 2**256).to_bytes(32, "big") + bytes(128)
    return (next(iter(sorted(SIGNED))), word(ENTRY), word(ENTRY)), data


def directions(*events: tuple[tuple[bytes, ...], bytes], pool: Address = POOL) -> Tape:
    tape = Tape()
    with tape.call(ENTRY), tape.call(pool):
        for topics, data in events:
            tape.log(pool, topics, data)
    return tape


def test_a_pair_says_what_came_in_and_what_went_out() -> None:
    found = trades(directions(pair(5, 0, 0, 4), pair(0, 4, 5, 0)).result())
    assert found.directions == {POOL: ((b"0", b"1"), (b"1", b"0"))}
    assert found.round_trips == (POOL,)


def test_one_way_twice_is_no_round_trip() -> None:
    assert trades(directions(pair(5, 0, 0, 4), pair(9, 0, 0, 7)).result()).round_trips == ()


def test_fees_on_transfer_do_not_hide_the_direction_and_a_flash_swap_has_none() -> None:
    assert trades(directions(pair(5, 1, 0, 4)).result()).directions == {POOL: ((b"0", b"1"),)}
    assert trades(directions(pair(5, 0, 4, 0)).result()).directions == {}


def test_signed_amounts_are_those_of_the_pool() -> None:
    found = trades(directions(signed(5), signed(-5)).result())
    assert found.directions == {POOL: ((b"0", b"1"), (b"1", b"0"))}


def test_pools_of_a_singleton_are_apart() -> None:
    data = b"\xff" * 32 + bytes(160)
    found = trades(
        directions(((SINGLETON, GOLD, word(ENTRY)), data), ((SINGLETON, COIN, word(ENTRY)), bytes(192))).result()
    )
    assert len(found.directions[POOL]) == 2
    assert found.round_trips == ()


def test_tokens_named_by_topics() -> None:
    topics = (LOGGED, word(ENTRY), GOLD, COIN)
    assert trades(directions((topics, bytes(64))).result()).directions == {POOL: ((GOLD, COIN),)}


@pytest.mark.parametrize("topic", sorted(WORDS))
def test_tokens_named_by_words(topic: bytes) -> None:
    first, second = WORDS[topic]
    words = [word(0)] * 8
    words[first], words[second] = GOLD, COIN
    assert trades(directions(((topic, word(ENTRY)), b"".join(words))).result()).directions == {POOL: ((GOLD, COIN),)}


def test_short_and_foreign_events_say_nothing() -> None:
    events = [((PAIR,), bytes(96)), ((SINGLETON,), bytes(192)), ((word(1),), bytes(128)), ((), b"")]
    assert trades(directions(*events).result()).directions == {}


def house(*pools: int) -> Tape:
    """Gold is sold in the first pool of a house and bought back in the second."""
    ways = zip(pools, ((GOLD, COIN), (COIN, GOLD)), strict=True)
    return directions(*(((HOUSE, word(pool), come, gone), word(5) + word(5)) for pool, (come, gone) in ways))


def test_two_pools_of_one_house_are_no_round_trip() -> None:
    assert trades(house(1, 2).result()).round_trips == ()


def test_both_ways_through_one_pool_of_a_house_are() -> None:
    assert trades(house(1, 1).result()).round_trips == (POOL,)

from gateway.inspection.swap import HOUSE, PAIR, trades
from tests.makers import ENTRY, Tape, account, word

VENUE, GOLD, COIN = account(50), account(51), account(52)


def house(*pools: int) -> Tape:
    """Gold is sold in the first pool of a house and bought back in the second."""
    tape = Tape()
    with tape.call(ENTRY), tape.call(VENUE):
        for pool, (come, gone) in zip(pools, ((GOLD, COIN), (COIN, GOLD)), strict=True):
            tape.log(VENUE, (HOUSE, word(pool), word(come), word(gone)), word(5) + word(5))
    return tape


def test_two_pools_of_one_house_are_no_round_trip() -> None:
    assert trades(house(1, 2).result()).round_trips == ()


def test_both_ways_through_one_pool_of_a_house_are() -> None:
    assert trades(house(1, 1).result()).round_trips == (VENUE,)


def test_both_ways_through_a_pair_are() -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(VENUE):
        tape.log(VENUE, (PAIR,), word(5) + word(0) + word(0) + word(4))
        tape.log(VENUE, (PAIR,), word(0) + word(4) + word(4) + word(0))
    assert trades(tape.result()).round_trips == (VENUE,)

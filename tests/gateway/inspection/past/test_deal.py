from __future__ import annotations

from gateway.inspection.past.deal import DEALS_LIMIT, Deal, deals_beyond, joined_deals
from tests.makers import account

FARM, GOLD, COIN = account(40), account(41), account(42)
FIRST = {(FARM, GOLD, None): Deal(100, 0, 1_000, True)}
THEN = {(FARM, GOLD, None): Deal(50, 30, 1_100, False), (FARM, COIN, None): Deal(0, 7, 70, True)}


def test_sums_begin_with_what_was_there_first() -> None:
    assert joined_deals(FIRST, THEN) == {
        (FARM, GOLD, None): Deal(150, 30, 1_000, True),
        (FARM, COIN, None): Deal(0, 7, 70, True),
    }


def test_what_is_new_makes_the_old_whole_again() -> None:
    both = joined_deals(FIRST, THEN)
    assert joined_deals(FIRST, deals_beyond(FIRST, both)) == both
    assert deals_beyond(both, both) == {}


def test_they_are_bounded() -> None:
    many = {(account(100 + at), GOLD, None): Deal(1, 0, 1, True) for at in range(DEALS_LIMIT)}
    assert joined_deals(many, FIRST) == many

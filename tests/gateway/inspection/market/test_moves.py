from __future__ import annotations

import pytest

from gateway.inspection.market.pool import V3_SWAP
from gateway.inspection.past.moved import Moved, apart
from gateway.inspection.trace.facts import SYNC
from tests.makers import ENTRY, Tape, account, word

POOL, GOLD, COIN = account(30), account(31), account(32)
ONE = 1 << 96


def trade(sold: int, bought: int) -> Tape:
    """Gold is sold to a pair of 1,000 and 1,000."""
    tape = Tape()
    with tape.call(ENTRY), tape.call(POOL):
        with tape.call(GOLD):
            tape.move(GOLD, ENTRY, POOL, sold, had=sold, has=1_000)
        with tape.call(COIN):
            tape.move(COIN, POOL, ENTRY, bought, had=1_000)
        tape.log(POOL, (SYNC,), word(1_000 + sold) + word(1_000 - bought))
    return tape


def test_what_a_trade_made_of_a_pair_is_remembered() -> None:
    (move,) = trade(1_000, 500).subject().after.moved.values()
    assert dict(zip(move.tokens, zip(move.before, move.after, strict=True), strict=True)) == {
        GOLD: (1_000, 2_000),
        COIN: (1_000, 500),
    }
    assert move.factor == pytest.approx(4.0)


def test_an_ordinary_trade_leaves_nothing() -> None:
    assert trade(10, 9).subject().after.moved == {}


def test_so_is_the_price_of_concentrated_liquidity() -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(POOL):
        tape.write(POOL, 0, ONE, 2 * ONE)
        with tape.call(GOLD):
            tape.move(GOLD, ENTRY, POOL, 1_000, had=1_000, has=1_000)
        with tape.call(COIN):
            tape.move(COIN, POOL, ENTRY, 500, had=1_000)
        tape.log(POOL, (V3_SWAP,), word(1) + word(1) + word(2 * ONE) + word(1) + word(0))
    (move,) = tape.subject().after.moved.values()
    assert (move.before, move.after) == ((ONE, 0), (2 * ONE, 0))
    assert move.factor == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("one", "other", "factor"),
    [((100, 100), (200, 50), 4.0), ((200, 50), (100, 100), 4.0), ((3, 0), (6, 0), 4.0), ((0, 0), (1, 1), 1.0)],
)
def test_how_far_two_states_are_apart(one: tuple[int, int], other: tuple[int, int], factor: float) -> None:
    assert apart(one, other) == pytest.approx(factor)


def test_steps_of_one_sender_add_up_while_nobody_else_moves_the_price() -> None:
    first = Moved((GOLD, COIN), (1_000, 1_000), (1_200, 834))
    on = Moved((GOLD, COIN), (1_200, 834), (1_500, 667))
    assert first.followed_by(on) == Moved((GOLD, COIN), (1_000, 1_000), (1_500, 667))
    elsewhere = Moved((GOLD, COIN), (2_000, 500), (2_500, 400))
    assert first.followed_by(elsewhere) == elsewhere
    back = first.followed_by(Moved((GOLD, COIN), (1_200, 834), (1_000, 1_000)))
    assert back.factor == pytest.approx(1.0)

from __future__ import annotations

import pytest

from gateway.inspection.past.leaning import MOVES, POOLS, Leaning
from gateway.inspection.past.moved import Moved
from gateway.model.primitive import Address, Hash32
from gateway.model.trace import SimulationResult
from tests.makers import SENDER, Tape, account, word

POOL, GOLD, COIN, LEANER, OTHER = (account(number) for number in range(40, 45))
FAR = Moved((GOLD, COIN), (1_000, 1_000), (2_000, 500))
BACK = Moved((GOLD, COIN), (2_000, 500), (1_000, 1_000))
ON = Moved((GOLD, COIN), (2_000, 500), (2_100, 476))
LIFETIME = 1_000.0


def tx(number: int) -> Hash32:
    return Hash32(number.to_bytes(32, "big"))


@pytest.fixture
def leaning() -> Leaning:
    made = Leaning(LIFETIME)
    made.push(tx(1), LEANER, {POOL: FAR}, 0.0)
    return made


def look(by_balance: bool = False, pool: Address = POOL) -> SimulationResult:
    """Somebody asks the pool, or asks the coin what the pool has of it."""
    tape = Tape()
    with tape.call(OTHER):
        if by_balance:
            with tape.call(COIN, data=bytes.fromhex("70a08231") + word(pool), output=word(500)):
                pass
        else:
            with tape.call(pool):
                pass
    return tape.result()


@pytest.mark.parametrize("by_balance", [False, True])
def test_what_one_left_bent_is_bent_for_another(leaning: Leaning, by_balance: bool) -> None:
    assert leaning.stands(tx(2), SENDER, look(by_balance), 10.0) == {POOL: FAR}


def test_only_who_looks_there_is_told(leaning: Leaning) -> None:
    assert leaning.stands(tx(2), SENDER, look(pool=account(60)), 10.0) == {}


def test_ones_own_bend_is_remembered_elsewhere(leaning: Leaning) -> None:
    assert leaning.stands(tx(2), LEANER, look(), 10.0) == {}


def test_what_was_let_go_of_is_not_bent(leaning: Leaning) -> None:
    leaning.push(tx(2), OTHER, {POOL: BACK}, 1.0)
    assert leaning.stands(tx(3), SENDER, look(), 10.0) == {}


def test_who_trades_on_bends_it_further(leaning: Leaning) -> None:
    leaning.push(tx(2), OTHER, {POOL: ON}, 1.0)
    assert leaning.stands(tx(3), SENDER, look(), 10.0) == {POOL: FAR._replace(after=ON.after)}


def test_a_transaction_never_sees_its_own_move(leaning: Leaning) -> None:
    assert leaning.stands(tx(1), SENDER, look(), 10.0) == {}


def test_what_stands_for_long_is_the_price(leaning: Leaning) -> None:
    assert leaning.stands(tx(2), SENDER, look(), LIFETIME + 1) == {}
    assert len(leaning) == 0


def test_a_small_move_is_not_remembered_and_telling_twice_changes_nothing(leaning: Leaning) -> None:
    leaning.push(tx(2), OTHER, {account(61): ON}, 1.0)
    leaning.push(tx(1), LEANER, {POOL: FAR}, 2.0)
    assert len(leaning) == 1
    assert leaning.stands(tx(3), SENDER, look(), 10.0) == {POOL: FAR}


def test_it_is_bounded_in_pools_and_in_moves(leaning: Leaning) -> None:
    for number in range(2, MOVES + 10):
        leaning.push(tx(number), OTHER, {POOL: ON if number == 2 else ON._replace(before=ON.after)}, 1.0)
    assert leaning.stands(tx(99), SENDER, look(), 10.0) == {POOL: FAR._replace(after=ON.after)}
    for number in range(POOLS):
        leaning.push(tx(1_000 + number), LEANER, {account(1_000 + number): FAR}, 3.0)
    assert len(leaning) == POOLS
    assert leaning.stands(tx(99), SENDER, look(), 10.0) == {}

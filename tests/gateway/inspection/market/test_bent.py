import pytest

from gateway.inspection.market.pool import GET_RESERVES, SLOT_ZERO, V3_SWAP
from gateway.inspection.past.memory import Memory
from gateway.inspection.past.moved import Moved
from gateway.inspection.trace.facts import SYNC
from gateway.inspection.trace.ledger import BALANCE_OF
from gateway.model.trace import FrameKind
from tests.makers import ENTRY, Tape, account, word

POOL, GOLD, COIN, FARM = account(30), account(31), account(32), account(33)


def pair_trade(*, sold: int, bought: int, question: bytes, answer: bytes, before: bool = False) -> Tape:
    """The ordering side sells gold to a pair of 1,000 and 1,000, and a farm asks the pair afterwards (or before)."""
    tape = Tape()

    def ask() -> None:
        asked = POOL if question == GET_RESERVES else GOLD
        with tape.call(FARM), tape.call(asked, data=question, output=answer):
            pass

    with tape.call(ENTRY):
        if before:
            ask()
        with tape.call(POOL):
            with tape.call(GOLD):
                tape.move(GOLD, ENTRY, POOL, sold, had=sold, has=1_000)
            with tape.call(COIN):
                tape.move(COIN, POOL, ENTRY, bought, had=1_000)
            tape.log(POOL, (SYNC,), word(1_000 + sold) + word(1_000 - bought))
        if not before:
            ask()
    return tape


BALANCE = BALANCE_OF + word(POOL)


@pytest.mark.parametrize(
    ("question", "answer"), [(BALANCE, word(2_000)), (GET_RESERVES, word(2_000) + word(500) + word(0))]
)
def test_a_look_at_a_pool_after_a_great_trade_is_bent(question: bytes, answer: bytes) -> None:
    (bent,) = pair_trade(sold=1_000, bought=500, question=question, answer=answer).subject().bent_prices
    assert (bent.pool, bent.reader) == (POOL, FARM)
    assert bent.factor == pytest.approx(4.0)


def test_a_look_before_the_trade_is_straight() -> None:
    tape = pair_trade(sold=1_000, bought=500, question=BALANCE, answer=word(1_000), before=True)
    assert tape.subject().bent_prices == ()


def test_a_small_trade_bends_nothing() -> None:
    tape = pair_trade(sold=100, bought=90, question=BALANCE, answer=word(1_100))
    assert tape.subject().bent_prices == ()


def test_reserves_that_did_not_follow_fool_nobody() -> None:
    answer = word(1_000) + word(1_000) + word(0)
    tape = pair_trade(sold=1_000, bought=500, question=GET_RESERVES, answer=answer)
    assert tape.subject().bent_prices == ()


def concentrated(root: int) -> Tape:
    """A pool with concentrated liquidity moves from the price 1 to root squared; then the farm asks for slot0."""
    tape = Tape()
    one = 1 << 96
    with tape.call(ENTRY):
        with tape.call(POOL):
            tape.write(POOL, 0, one, root * one)
            with tape.call(GOLD):
                tape.move(GOLD, ENTRY, POOL, 1_000, had=1_000, has=1_000)
            with tape.call(COIN):
                tape.move(COIN, POOL, ENTRY, 500, had=1_000)
            tape.log(POOL, (V3_SWAP,), word(1) + word(1) + word(root * one) + word(1) + word(0))
        with tape.call(FARM), tape.call(POOL, data=SLOT_ZERO, output=word(root * one) + word(0)):
            pass
    return tape


def test_concentrated_liquidity_bends_too() -> None:
    (bent,) = concentrated(2).subject().bent_prices
    assert bent.factor == pytest.approx(4.0)


def test_it_stays_straight_where_the_price_stayed() -> None:
    assert concentrated(1).subject().bent_prices == ()


RATE = bytes.fromhex("679aefce")  # getRate
TOTAL_SUPPLY = bytes.fromhex("18160ddd")


def asked_twice(first: bytes, later: bytes, *, question: bytes = RATE, one_call: bool = False, paid: int = 0) -> Tape:
    """A farm asks a custom pool a question, is paid `paid` gold, and asks again, mostly when called once more."""
    tape = Tape()

    def ask(answer: bytes) -> None:
        with tape.call(POOL, data=question, output=answer, kind=FrameKind.STATICCALL):
            pass

    with tape.call(ENTRY):
        with tape.call(COIN):  # who calls one contract only may be but a door to it
            pass
        with tape.call(FARM):
            ask(first)
            if paid:
                with tape.call(GOLD):
                    tape.move(GOLD, ENTRY, POOL, paid, had=paid)
            if one_call:
                ask(later)
        if not one_call:
            with tape.call(FARM):
                ask(later)
    return tape


def test_an_answer_that_jumps_between_two_calls_is_bent() -> None:
    (bent,) = asked_twice(word(10**18), word(3 * 10**18)).subject().bent_prices
    assert (bent.pool, bent.reader) == (POOL, FARM)
    assert bent.factor == pytest.approx(3.0)


@pytest.mark.parametrize(
    "tape",
    [
        asked_twice(word(10**18), word(12 * 10**17)),
        asked_twice(word(4), word(9)),
        asked_twice(word(10**18), word(3 * 10**18), one_call=True),
        asked_twice(word(10**18), word(3 * 10**18), paid=2 * 10**18),
        asked_twice(word(10**18), word(3 * 10**18), question=TOTAL_SUPPLY),
        asked_twice(word(10**18), word(3 * 10**18), question=RATE + word(account(34))),
        asked_twice(word(1 << 200), word(1 << 220)),
    ],
    ids=["a little", "a count", "within one call", "a stock", "a supply", "about somebody", "a name"],
)
def test_an_answer_that_says_no_other_price_is_straight(tape: Tape) -> None:
    assert tape.subject().bent_prices == ()


BENT_BEFORE = Memory(moved={POOL: Moved((GOLD, COIN), (1_000, 1_000), (2_000, 500))})
"""the sender has sold a thousand of gold there in an earlier transaction"""


def asked(question: bytes, answer: bytes) -> Tape:
    tape = Tape()
    with tape.call(ENTRY):
        with tape.call(COIN):
            pass
        with tape.call(FARM), tape.call(GOLD if question == BALANCE else POOL, data=question, output=answer):
            pass
    return tape


@pytest.mark.parametrize(
    ("question", "answer"),
    [(BALANCE, word(2_010)), (GET_RESERVES, word(2_010) + word(498) + word(0))],
    ids=["balance", "reserves"],
)
def test_a_price_that_stands_where_the_sender_left_it_is_bent(question: bytes, answer: bytes) -> None:
    (bent,) = asked(question, answer).subject(BENT_BEFORE).bent_prices
    assert (bent.pool, bent.reader, bent.earlier) == (POOL, FARM, True)
    assert bent.factor == pytest.approx(4.0)
    assert asked(question, answer).subject().bent_prices == ()


@pytest.mark.parametrize(
    ("question", "answer"),
    [(BALANCE, word(1_100)), (GET_RESERVES, word(1_010) + word(990) + word(0))],
    ids=["balance", "reserves"],
)
def test_a_price_that_others_have_put_right_since_is_straight(question: bytes, answer: bytes) -> None:
    assert asked(question, answer).subject(BENT_BEFORE).bent_prices == ()


def test_the_root_of_a_price_may_stand_bent_too() -> None:
    one = 1 << 96
    memory = Memory(moved={POOL: Moved((GOLD, COIN), (one, 0), (2 * one, 0))})
    (bent,) = asked(SLOT_ZERO, word(2 * one) + word(0)).subject(memory).bent_prices
    assert (bent.earlier, bent.factor) == (True, pytest.approx(4.0))
    assert asked(SLOT_ZERO, word(one) + word(0)).subject(memory).bent_prices == ()


def test_what_was_bent_before_is_worth_what_it_was_worth_before() -> None:
    prices = asked(BALANCE, word(2_000)).subject(BENT_BEFORE).market.prices
    assert {asset.token: price for asset, price in prices.items()}[GOLD] == pytest.approx(1.0)

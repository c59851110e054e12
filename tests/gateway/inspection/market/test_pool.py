from __future__ import annotations

import pytest

from gateway.decoding.keccak import keccak256
from gateway.inspection.trace.ledger import BALANCE_OF, NATIVE, Asset
from gateway.model.primitive import ZERO_ADDRESS
from tests.makers import ENTRY, Tape, account, word

SYNC = keccak256(b"Sync(uint112,uint112)")
PAIR, GOLD, COIN, WRAPPED = account(10), account(11), account(12), account(13)


def swapped(paid: int, got: int) -> Tape:
    """Gold for coins in a pair of 1000 each."""
    tape = Tape()
    with tape.call(ENTRY):
        with tape.call(GOLD):
            tape.move(GOLD, ENTRY, PAIR, paid, had=paid, has=1000)
        with tape.call(PAIR):
            with tape.call(COIN):
                tape.move(COIN, PAIR, ENTRY, got, had=1000)
            tape.log(PAIR, (SYNC,), word(1000 + paid) + word(1000 - got))
    return tape


def test_reserves_before_and_after_and_the_price_before() -> None:
    market = swapped(100, 90).subject().market
    pair = market.pairs[PAIR]
    assert dict(zip(pair.tokens, pair.before, strict=True)) == {Asset(GOLD): 1000, Asset(COIN): 1000}
    assert dict(zip(pair.tokens, pair.after, strict=True)) == {Asset(GOLD): 1100, Asset(COIN): 910}
    assert market.prices[Asset(GOLD)] == pytest.approx(market.prices[Asset(COIN)])


def test_a_fair_swap_keeps_the_worth_and_a_drain_does_not() -> None:
    fair, drained = (swapped(100, got).subject().market.pairs[PAIR].worth_kept for got in (90, 500))
    assert fair is not None
    assert fair >= 1.0
    assert drained == pytest.approx((1.1 * 0.5) ** 0.5)


@pytest.mark.parametrize("flag", [0, 8])
def test_what_was_sent_in_advance_belongs_to_the_swap_to_come(flag: int) -> None:
    """Nobody lost by a swap whose payment came in an earlier transaction; `flag`: bits of a lock in the word."""
    first, second = sorted((GOLD, COIN))
    gold, coin = (0, 112) if first == GOLD else (112, 0)
    tape = Tape()
    with tape.call(ENTRY), tape.call(PAIR):
        with tape.call(COIN):
            tape.move(COIN, PAIR, ENTRY, 90, had=1000)
        for token, held in ((GOLD, 1100), (COIN, 910)):
            with tape.call(token, data=BALANCE_OF + word(PAIR), output=word(held)):
                pass
        words = [(1000 << gold | 1000 << coin) << flag, (1100 << gold | 910 << coin) << flag]
        tape.write(PAIR, 8, *words)
        after = {GOLD: 1100, COIN: 910}
        tape.log(PAIR, (SYNC,), word(after[first]) + word(after[second]))
    pair = tape.subject().market.pairs[PAIR]
    assert dict(zip(pair.tokens, pair.before, strict=True)) == {Asset(GOLD): 1000, Asset(COIN): 1000}
    assert pair.worth_kept is not None
    assert pair.worth_kept >= 1.0


def test_values_know_when_a_price_is_missing() -> None:
    market = swapped(100, 90).subject().market
    assert market.value({Asset(GOLD): 10, Asset(account(99)): 5}) == (
        pytest.approx(10 * market.prices[Asset(GOLD)]),
        False,
    )


def test_a_coin_minted_for_the_same_amount_of_ether_is_a_wrapper() -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(WRAPPED, value=7):
        tape.transfer(WRAPPED, ZERO_ADDRESS, ENTRY, 7)
    subject = tape.subject()
    assert subject.wrapped == {Asset(WRAPPED)}
    assert subject.market.prices.get(Asset(WRAPPED)) == subject.market.prices.get(NATIVE)


def test_another_amount_is_an_ordinary_mint() -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(WRAPPED, value=7):
        tape.transfer(WRAPPED, ZERO_ADDRESS, ENTRY, 8)
    assert tape.subject().wrapped == set()

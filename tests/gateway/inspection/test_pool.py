import pytest

from gateway.inspection.facts import DEPOSIT, SYNC, WITHDRAWAL
from gateway.inspection.ledger import BALANCE_OF, NATIVE, Asset
from gateway.inspection.pool import UNWRAP, WRAP, WRAPPER_SIZE, wrappers
from gateway.model.primitive import Hash32
from tests.makers import ENTRY, Tape, account, word

POOL, GOLD, DOLLAR, WRAPPED = account(40), account(41), account(42), account(43)


def trade(*, also_wraps: bool = False) -> Tape:
    """A pair of 1,000 gold and 4,000 dollars sells dollars; elsewhere a coin may be wrapped."""
    tape = Tape()
    with tape.call(ENTRY):
        with tape.call(POOL):
            with tape.call(GOLD):
                tape.move(GOLD, ENTRY, POOL, 10, had=10, has=1_000)
            with tape.call(DOLLAR):
                tape.move(DOLLAR, POOL, ENTRY, 39, had=4_000)
            tape.log(POOL, (SYNC,), word(1_010) + word(3_961))
        if also_wraps:
            with tape.call(WRAPPED, value=7):
                tape.log(WRAPPED, (DEPOSIT, word(ENTRY)), word(7))
    return tape


def test_assets_are_priced_by_the_pool_that_trades_them() -> None:
    prices = trade().subject().market.prices
    assert prices[Asset(GOLD)] / prices[Asset(DOLLAR)] == pytest.approx(4.0)


def test_a_wrapped_coin_that_no_pool_trades_does_not_hide_the_other_prices() -> None:
    prices = trade(also_wraps=True).subject().market.prices
    assert prices[Asset(GOLD)] / prices[Asset(DOLLAR)] == pytest.approx(4.0)
    assert NATIVE not in prices


def test_a_pair_that_only_lent_is_priced_by_its_own_questions() -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(POOL):
        with tape.call(GOLD):
            tape.move(GOLD, POOL, ENTRY, 100, had=1_000)
        with tape.call(GOLD):
            tape.move(GOLD, ENTRY, POOL, 101, had=101, has=900)
        for token, held in ((GOLD, 1_001), (DOLLAR, 4_000)):
            with tape.call(token, data=BALANCE_OF + word(POOL), output=word(held)):
                pass
        tape.log(POOL, (SYNC,), word(1_001) + word(4_000))
    market = tape.subject().market
    assert market.pairs[POOL].before == (1_000, 4_000)
    assert market.prices[Asset(GOLD)] / market.prices[Asset(DOLLAR)] == pytest.approx(4.0)


def wrapped_by_code(code: bytes, name: int) -> set[Asset]:
    """What is taken for the coin in another form where only this code speaks for it."""
    key = Hash32(word(name))
    tape = Tape()
    with tape.call(ENTRY), tape.call(WRAPPED, code=key):
        tape.transfer(WRAPPED, account(44), ENTRY, 5)
    return wrappers(tape.subject().facts, tape.result(codes={key: code}))


def test_a_wrapped_coin_is_known_by_its_doors_and_events() -> None:
    parts = WRAP + UNWRAP + DEPOSIT + WITHDRAWAL
    assert wrapped_by_code(parts, 1) == {Asset(WRAPPED)}
    assert wrapped_by_code(WRAP + UNWRAP + DEPOSIT, 2) == set()
    assert wrapped_by_code(parts + bytes(WRAPPER_SIZE), 3) == set()

from __future__ import annotations

import pytest

from gateway.inspection.trace.facts import SYNC
from gateway.model.primitive import ZERO_ADDRESS
from tests.makers import ENTRY, Tape, account, word

HOUSE, GOLD, COIN, POOL = (account(number) for number in range(40, 44))
SUPPLY, STOCK = 10_000, 1_000


def buy(shares: int, *, asked: bool = True) -> Tape:
    """200 gold, each worth two coins, come into a house that has 1,000 gold and 2,000 coins."""
    tape = Tape()
    with tape.call(ENTRY):
        with tape.call(POOL):
            with tape.call(COIN):
                tape.move(COIN, ENTRY, POOL, 2, had=2, has=2_000_000)
            with tape.call(GOLD):
                tape.move(GOLD, POOL, ENTRY, 1, had=1_000_000)
            tape.log(POOL, (SYNC,), word(2_000_002) + word(999_999))
        with tape.call(HOUSE):
            if asked:
                with tape.call(COIN, data=bytes.fromhex("70a08231") + word(HOUSE), output=word(2 * STOCK)):
                    pass
            tape.read(HOUSE, tape.entry(account(50)), 1)
            with tape.call(GOLD):
                tape.write(GOLD, tape.entry(ENTRY), 201, 1)
                tape.write(GOLD, tape.entry(HOUSE), STOCK, STOCK + 200)
                tape.transfer(GOLD, ENTRY, HOUSE, 200)
            tape.write(HOUSE, tape.entry(ENTRY), 0, shares)
            tape.write(HOUSE, 2, SUPPLY, SUPPLY + shares)
            tape.transfer(HOUSE, ZERO_ADDRESS, ENTRY, shares)
    return tape


@pytest.mark.parametrize(("shares", "times"), [(1_000, 1.0), (2_000, 2.0)])
def test_shares_are_weighed_against_what_came_in(shares: int, times: float) -> None:
    subject = buy(shares).subject()
    (issue,) = subject.issues
    assert subject.overissued(issue, HOUSE) == pytest.approx(times, rel=0.01)


def test_a_house_that_was_not_asked_what_it_has_is_weighed_by_what_came() -> None:
    subject = buy(1_000, asked=False).subject()
    (issue,) = subject.issues
    assert subject.overissued(issue, HOUSE) == pytest.approx(0.5, rel=0.01)


def test_nothing_is_known_of_a_house_that_got_nothing() -> None:
    subject = buy(1_000).subject()
    (issue,) = subject.issues
    assert subject.overissued(issue, account(77)) is None

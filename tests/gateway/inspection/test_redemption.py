"""What shares redeem: at sisters of one house, and for a debtor whose debt was paid."""

from __future__ import annotations

import pytest

from gateway.inspection.subject import Inspection
from gateway.model.primitive import ZERO_ADDRESS, Address
from tests.makers import ENTRY, Tape, account

BOOK, GEMS, MONEY, GOLD, COIN = (account(number) for number in range(40, 45))


def sale(*, sisters: bool, burnt: int) -> Inspection:
    """The caller takes a third of the gold out of one door, and has a part of 1000 coins burnt at another."""
    tape = Tape()
    with tape.call(ENTRY):
        with tape.call(GEMS):
            tape.read(GEMS, 0, int.from_bytes(BOOK, "big"))
            with tape.call(BOOK):
                tape.read(BOOK, tape.entry(GEMS, 1), 1)
            with tape.call(GOLD):
                tape.move(GOLD, GEMS, ENTRY, 300, had=900)
        with tape.call(MONEY):
            if sisters:
                tape.read(MONEY, 0, int.from_bytes(BOOK, "big"))
                with tape.call(BOOK):
                    tape.read(BOOK, tape.entry(MONEY, 1), 5)
            with tape.call(COIN):
                tape.write(COIN, 2, 1000, 1000 - burnt)
                tape.move(COIN, ENTRY, ZERO_ADDRESS, burnt, had=burnt)
    return tape.subject()


@pytest.mark.parametrize(
    ("sisters", "burnt", "cleared"),
    [(True, 333, True), (False, 333, False), (True, 9, False)],
    ids=["sisters", "strangers", "too little"],
)
def test_money_burnt_at_a_sister_clears_what_a_door_paid_out(sisters: bool, burnt: int, cleared: bool) -> None:
    subject = sale(sisters=sisters, burnt=burnt)
    loss = next(loss for loss in subject.losses if loss.holder == GEMS)
    assert subject.is_redeemed(loss) is cleared


HOUSE, DEBTOR, DEBTS, CASH, SHARES = (account(number) for number in range(50, 55))


def collected(*, owed: int, houses: tuple[Address, ...] = (DEBTS, CASH)) -> Inspection:
    """The caller pays 100 coins to a house, which strikes `owed` off a debt and pays out the debtor's gold."""
    tape = Tape()
    with tape.call(ENTRY), tape.call(HOUSE):
        for member in (DEBTS, CASH):
            with tape.call(member):
                if member in houses:
                    tape.read(member, 0, int.from_bytes(HOUSE, "big"))
        with tape.call(DEBTS):
            tape.write(DEBTS, 2, 1000, 1000 - owed)
            tape.move(DEBTS, DEBTOR, ZERO_ADDRESS, owed, had=owed * 2)
        with tape.call(SHARES):
            tape.write(SHARES, 2, 1000, 950)
            tape.move(SHARES, DEBTOR, ZERO_ADDRESS, 50, had=60)
            with tape.call(GOLD):
                tape.move(GOLD, SHARES, ENTRY, 50, had=1000)
        with tape.call(COIN):
            tape.move(COIN, ENTRY, CASH, 100, had=100)
    return tape.subject()


@pytest.mark.parametrize(
    ("owed", "houses", "cleared"),
    [
        (100, (DEBTS, CASH), True),
        (95, (DEBTS, CASH), True),
        (120, (DEBTS, CASH), False),
        (100, (DEBTS,), False),
        (100, (CASH,), False),
    ],
    ids=["paid", "less interest", "more than was paid", "paid to another", "struck off by a stranger"],
)
def test_who_pays_a_debt_may_have_the_pledge(owed: int, houses: tuple[Address, ...], cleared: bool) -> None:
    subject = collected(owed=owed, houses=houses)
    gold = next(loss for loss in subject.losses if loss.holder == SHARES)
    assert subject.is_redeemed(gold) is cleared
    assert {subject.is_seized_for_debt(loss) for loss in subject.losses if loss.holder == DEBTOR} == {cleared}
    assert subject.collects_debts(HOUSE) is cleared
    assert not subject.collects_debts(SHARES)

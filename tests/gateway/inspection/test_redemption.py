"""Doors of one house: one pays out what another has money burnt for."""

from __future__ import annotations

import pytest

from gateway.inspection.subject import Inspection
from gateway.model.primitive import ZERO_ADDRESS
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

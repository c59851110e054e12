"""Amounts: who named them, and whether they were set before."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.inspection.past.memory import EMPTY_MEMORY
from gateway.inspection.subject import Inspection
from gateway.inspection.trace.ledger import Asset
from gateway.model.primitive import ZERO_ADDRESS, Address
from tests.makers import ENTRY, SENDER, Tape, account, word

TOKEN, FAUCET = account(10), account(11)
DOLE = 10**17


def drip(*, times: int = 1, slot: int = 5, noted: int = DOLE) -> Inspection:
    """The faucet looks at a slot and gives away `DOLE`, so many times."""
    tape = Tape()
    with tape.call(ENTRY), tape.call(FAUCET):
        tape.read(FAUCET, slot, noted)
        for time in range(times):
            with tape.call(TOKEN):
                tape.move(TOKEN, FAUCET, ENTRY, DOLE, had=10**20 - time * DOLE, has=time * DOLE)
    return tape.subject()


@pytest.mark.parametrize(
    ("subject", "fixed"),
    [(drip(), True), (drip(times=2), False), (drip(noted=DOLE - 1), False)],
    ids=["once", "twice", "another amount"],
)
def test_one_payment_of_what_a_plain_slot_says_is_fixed(subject: Inspection, fixed: bool) -> None:
    (loss,) = subject.losses
    assert subject.is_fixed(loss) is fixed


@pytest.mark.parametrize("said", [True, False])
def test_an_amount_is_named_by_who_asks_for_it(said: bool) -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(TOKEN, data=b"mint" + (word(900) if said else b"")):
        tape.write(TOKEN, 2, 1000, 1900)
        tape.write(TOKEN, tape.entry(ENTRY), 0, 900)
        tape.transfer(TOKEN, ZERO_ADDRESS, ENTRY, 900)
    subject = tape.subject()
    (issue,) = subject.issues
    assert subject.named_amount(issue) is said


def paid_out(*, owner: Address, back: bool = False, made: bool = True) -> Inspection:
    """A purse that reads its owner pays out of its stock, and gets something else `back`; `made`: by his own tool."""
    other = account(12)
    tape = Tape()
    with tape.call(ENTRY), tape.call(FAUCET):
        tape.read(FAUCET, 0, int.from_bytes(owner, "big"))
        with tape.call(TOKEN):
            tape.move(TOKEN, FAUCET, ENTRY, 900, had=1000)
        if back:
            with tape.call(other):
                tape.move(other, account(13), FAUCET, 5, had=10)
    return tape.subject(replace(EMPTY_MEMORY, created=frozenset({ENTRY} if made else ())))


def test_what_comes_out_of_ones_own_purse_is_no_gain() -> None:
    assert paid_out(owner=SENDER).consideration is None
    assert paid_out(owner=FAUCET).consideration == 0.0
    assert paid_out(owner=SENDER, back=True).consideration == 0.0
    assert paid_out(owner=SENDER, made=False).consideration == 0.0


@pytest.mark.parametrize(
    ("paid", "times", "rule"), [(100, 1, True), (99, 1, False), (50, 2, False)], ids=["a tenth", "less", "two payments"]
)
def test_a_tenth_of_a_stock_may_be_a_rule(paid: int, times: int, rule: bool) -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(FAUCET):
        for time in range(times):
            with tape.call(TOKEN):
                tape.move(TOKEN, FAUCET, ENTRY, paid, had=1000 - time * paid, has=time * paid)
    subject = tape.subject()
    assert subject.is_round_part(subject.losses[0]) is rule


@pytest.mark.parametrize(("lent", "little"), [(10**6, True), (10**5, False)], ids=["a fee", "a price"])
def test_the_fee_of_a_loan_pays_for_nothing_else(lent: int, little: bool) -> None:
    fee, silver = 10_000, account(15)
    tape = Tape()
    with tape.call(ENTRY), tape.call(FAUCET):
        with tape.call(silver):
            tape.move(silver, FAUCET, ENTRY, lent, had=10**9, has=fee)
        with tape.call(TOKEN):
            tape.move(TOKEN, FAUCET, ENTRY, 900, had=1000)
        with tape.call(silver):
            tape.move(silver, ENTRY, FAUCET, lent + fee, had=lent + fee, has=10**9 - lent)
    subject = tape.subject()
    assert subject.roles.gave == {Asset(silver): fee}
    assert subject.gained_for_little is little

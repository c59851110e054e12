"""What clears a loss or a return: fair calls, sisters of one house, shares taken back, own balances, counters."""

from __future__ import annotations

import dataclasses

import pytest

from gateway.inspection.market.pool import Market
from gateway.inspection.subject import Inspection
from gateway.inspection.trace.ledger import NATIVE, Asset
from gateway.inspection.trace.reentry import Reentry
from gateway.model.primitive import ZERO_ADDRESS
from tests.makers import ENTRY, Tape, account

HOUSE, CASH, GOLD_BOX, DOLLAR, GOLD, OTHER = (account(number) for number in range(20, 26))


def priced(subject: Inspection, **prices: float) -> Inspection:
    """The subject with a market that knows these prices."""
    known = {Asset({"dollar": DOLLAR, "gold": GOLD}[name]): price for name, price in prices.items()}
    object.__setattr__(subject, "market", Market({}, frozenset(), known))
    return subject


def liquidation(paid: int) -> Inspection:
    """The bot pays dollars into one box of the house and gets 100 gold, worth as much, out of the other."""
    tape = Tape()
    with tape.call(ENTRY), tape.call(HOUSE):
        with tape.call(CASH):
            tape.read(CASH, 0, int.from_bytes(HOUSE, "big"))
        tape.transfer(DOLLAR, ENTRY, CASH, paid)
        with tape.call(GOLD_BOX):
            tape.read(GOLD_BOX, 0, int.from_bytes(HOUSE, "big"))
            with tape.call(GOLD):
                tape.transfer(GOLD, GOLD_BOX, ENTRY, 100)
    return priced(tape.subject(), dollar=1.0, gold=1.0)


def test_a_fair_price_paid_to_a_sister_clears_the_loss_and_a_low_one_does_not() -> None:
    fair, cheap = liquidation(95), liquidation(50)
    (lost,) = [loss for loss in fair.losses if loss.holder == GOLD_BOX]
    assert fair.paid_by_house(lost)
    assert fair.is_fair_visit(lost)
    (lost,) = [loss for loss in cheap.losses if loss.holder == GOLD_BOX]
    assert not cheap.paid_by_house(lost)
    assert not cheap.is_fair_visit(lost)


def test_without_a_price_nothing_is_fair() -> None:
    subject = liquidation(95)
    object.__setattr__(subject, "market", Market({}, frozenset(), {Asset(DOLLAR): 1.0}))
    (lost,) = [loss for loss in subject.losses if loss.holder == GOLD_BOX]
    assert not subject.paid_by_house(lost)
    assert not subject.is_fair_visit(lost)


def redemption(returned: int) -> Inspection:
    """A market pays out half of its 200 gold for some of its 1,000 shares, which go back to itself."""
    tape = Tape()
    with tape.call(ENTRY), tape.call(GOLD_BOX):
        tape.write(GOLD_BOX, 2, 1000, 1000 - returned)
        tape.transfer(GOLD_BOX, ENTRY, GOLD_BOX, returned)
        with tape.call(GOLD):
            tape.move(GOLD, GOLD_BOX, ENTRY, 100, had=200)
    return tape.subject()


def test_shares_taken_back_in_proportion_are_a_redemption() -> None:
    whole, rounded = redemption(500), redemption(5)
    (lost,) = [loss for loss in whole.losses if loss.asset == Asset(GOLD)]
    assert lost.share == 0.5
    assert whole.is_redemption(lost)
    (lost,) = [loss for loss in rounded.losses if loss.asset == Asset(GOLD)]
    assert not rounded.is_redemption(lost)


def counter(end: int) -> tuple[Inspection, Reentry]:
    """The house counts up in a callback and, having looked, leaves the counter at `end`."""
    tape = Tape()
    with tape.call(ENTRY), tape.call(HOUSE) as outer:
        tape.read(HOUSE, 1, 4)
        with tape.call(ENTRY), tape.call(HOUSE) as inner:
            tape.write(HOUSE, 1, 4, 5)
        tape.read(HOUSE, 1, 5)
        tape.write(HOUSE, 1, 5, end)
    subject = tape.subject()
    (found,) = subject.reentries
    assert (found.account, found.outer, found.inner, found.slot) == (HOUSE, outer, inner, 1)
    assert (found.read_before, found.written_after, found.stale) == (True, True, False)
    return subject, found


def test_a_counter_that_ends_as_it_began_is_settled_unless_it_was_overwritten_unseen() -> None:
    subject, found = counter(4)
    assert subject.is_settled(found)
    assert not subject.is_settled(dataclasses.replace(found, stale=True))
    subject, found = counter(3)
    assert not subject.is_settled(found)


def test_an_own_balance_that_the_events_tell_is_settled_and_anothers_is_not() -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(GOLD):
        own, foreign = tape.entry(ENTRY), tape.entry(OTHER)
        tape.write(GOLD, own, 0, 70)
        tape.write(GOLD, foreign, 100, 30)
        tape.transfer(GOLD, OTHER, ENTRY, 70)
    subject = tape.subject()
    assert subject.is_own_balance(GOLD, own)
    assert not subject.is_own_balance(GOLD, foreign)
    assert not subject.is_own_balance(GOLD, own + 1)


def test_coin_that_is_paid_out_belongs_to_the_call_that_paid_it() -> None:
    """The box sends coin, not a token: the receiving frame is the ordering side's own."""
    tape = Tape()
    with tape.call(ENTRY), tape.call(GOLD_BOX):
        tape.transfer(DOLLAR, ENTRY, GOLD_BOX, 100)
        tape.transfer(GOLD, GOLD_BOX, ENTRY, 100)
        with tape.call(ENTRY, value=500):
            pass
    subject = priced(tape.subject(), dollar=1.0, gold=1.0)
    object.__setattr__(subject, "market", Market({}, frozenset(), {**subject.market.prices, NATIVE: 1.0}))
    (lost,) = [loss for loss in subject.losses if loss.asset == Asset(GOLD)]
    assert not subject.is_fair_visit(lost)


def test_a_payment_in_one_call_does_not_clear_what_another_took() -> None:
    tape = Tape()
    with tape.call(ENTRY):
        with tape.call(GOLD_BOX):
            with tape.call(CASH):
                tape.transfer(DOLLAR, ENTRY, CASH, 100)
            tape.transfer(GOLD, GOLD_BOX, ENTRY, 100)
        with tape.call(GOLD_BOX):
            tape.transfer(GOLD, GOLD_BOX, ENTRY, 100)
    subject = priced(tape.subject(), dollar=1.0, gold=1.0)
    (lost,) = [loss for loss in subject.losses if loss.asset == Asset(GOLD)]
    assert not subject.is_fair_visit(lost)


@pytest.mark.parametrize(("tip", "held"), [(20, True), (21, False), (0, False)], ids=["a tip", "a cut", "nothing"])
def test_who_starts_a_work_may_take_a_fiftieth_of_what_it_moved(tip: int, held: bool) -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(HOUSE), tape.call(DOLLAR):
        tape.transfer(DOLLAR, CASH, ZERO_ADDRESS, 1000 - tip)
        if tip:
            tape.transfer(DOLLAR, HOUSE, ENTRY, tip)
    assert tape.subject().only_tipped is held


def found(*, others: int, known: bool) -> Inspection:
    """A house pays the finder 100 of a forfeited deposit, and `others` to an account that it had named."""
    town = account(27)
    tape = Tape()
    with tape.call(ENTRY), tape.call(HOUSE):
        tape.read(HOUSE, 0, int.from_bytes(town if known else OTHER, "big"))
        with tape.call(GOLD):
            tape.move(GOLD, HOUSE, ENTRY, 100, had=1000)
            tape.move(GOLD, HOUSE, town, others, had=900)
    return tape.subject()


def test_a_find_is_shared_with_those_who_always_get_it() -> None:
    fair, greedy, strange = found(others=100, known=True), found(others=99, known=True), found(others=100, known=False)
    assert fair.is_shared(fair.losses[0])
    assert not greedy.is_shared(greedy.losses[0])
    assert not strange.is_shared(strange.losses[0])

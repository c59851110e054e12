from __future__ import annotations

from gateway.inspection.trace.facts import DEPOSIT
from gateway.model.primitive import Address
from tests.makers import ENTRY, Tape, account, word

TOKEN, VAULT, COIN, FRIEND, DESK = (account(number) for number in range(20, 25))
BALANCE_OF = bytes.fromhex("70a08231")


def paid_out(tape: Tape, *, after: Address | None = None) -> None:
    """The vault pays 900 of 1000 to a stranger; `after`: whom it asks about its balance first."""
    with tape.call(VAULT):
        if after is not None:
            with tape.call(after, data=BALANCE_OF + word(VAULT), output=word(300)):
                pass
        with tape.call(TOKEN):
            tape.move(TOKEN, VAULT, ENTRY, 900, had=1000)


def push(tape: Tape, receiver: Address) -> None:
    with tape.call(COIN):
        tape.move(COIN, ENTRY, receiver, 300, had=300)


def test_a_gift_to_a_bystander_is_no_consideration() -> None:
    tape = Tape()
    with tape.call(ENTRY):
        push(tape, FRIEND)
        with tape.call(FRIEND):
            pass
        paid_out(tape)
    subject = tape.subject()
    assert subject.roles.gave
    assert subject.consideration == 0.0
    assert subject.gained_for_little


def test_what_goes_to_somebody_who_acts_in_the_payment_may_pay_for_it() -> None:
    tape = Tape()
    with tape.call(ENTRY):
        push(tape, DESK)
        with tape.call(DESK):
            paid_out(tape)
    assert tape.subject().consideration is None


def test_what_is_given_within_the_call_that_pays_may_pay_for_it() -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(VAULT):
        with tape.call(COIN):
            tape.move(COIN, ENTRY, FRIEND, 300, had=300)
        with tape.call(TOKEN):
            tape.move(TOKEN, VAULT, ENTRY, 900, had=1000)
    assert tape.subject().consideration is None


def test_a_holder_is_not_paid_by_what_it_never_looks_at() -> None:
    tape = Tape()
    with tape.call(ENTRY):
        push(tape, VAULT)
        paid_out(tape)
    (loss,) = tape.subject().losses
    assert not loss.compensated


def test_a_holder_that_asks_for_its_balance_is_paid() -> None:
    tape = Tape()
    with tape.call(ENTRY):
        push(tape, VAULT)
        paid_out(tape, after=COIN)
    (loss,) = tape.subject().losses
    assert loss.compensated


def test_a_holder_whose_balance_another_asks_for_is_paid() -> None:
    tape = Tape()
    with tape.call(ENTRY):
        push(tape, VAULT)
        with tape.call(DESK), tape.call(COIN, data=BALANCE_OF + word(VAULT), output=word(300)):
            pass
        paid_out(tape)
    (loss,) = tape.subject().losses
    assert loss.compensated


def test_what_the_holder_pulls_in_pays_it() -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(VAULT):
        with tape.call(COIN):
            tape.move(COIN, ENTRY, VAULT, 300, had=300)
        with tape.call(TOKEN):
            tape.move(TOKEN, VAULT, ENTRY, 900, had=1000)
    (loss,) = tape.subject().losses
    assert loss.compensated


def test_an_account_without_code_is_paid_by_what_is_sent_to_it() -> None:
    tape = Tape()
    with tape.call(ENTRY):
        push(tape, FRIEND)
        with tape.call(DESK), tape.call(TOKEN):
            tape.move(TOKEN, FRIEND, ENTRY, 900, had=1000)
    (loss,) = tape.subject().losses
    assert (loss.holder, loss.compensated) == (FRIEND, True)


def test_wrapping_coin_is_no_gift() -> None:
    tape = Tape()
    with tape.call(ENTRY):
        with tape.call(COIN, value=300):
            tape.log(COIN, (DEPOSIT, word(ENTRY)), word(300))
        paid_out(tape)
    assert tape.subject().gained_for_little

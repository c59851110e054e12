from __future__ import annotations

import pytest

from gateway.inspection.past.hearsay import HEARSAY_LIMIT, Hearsay
from tests.makers import ENTRY, SENDER, Tape, account, word

HOUSE, FRIEND, HEIR, TOKEN = (account(number) for number in range(40, 44))
ROOT = int.from_bytes(b"\xee" * 32, "big")


def number(who: bytes) -> int:
    return int.from_bytes(who, "big")


def said(slot: int = 3, before: int = 0, after: int = number(HEIR), told: bytes = word(HEIR)) -> tuple[Hearsay, ...]:
    """The tool of a stranger has the house write `after` where `before` stood, with `told` in the call."""
    tape = Tape()
    with tape.call(ENTRY), tape.call(HOUSE, data=b"\1\2\3\4" + told):
        tape.write(HOUSE, slot, before, after)
    return tape.subject().said


@pytest.mark.parametrize("before", [0, number(FRIEND)])
def test_a_name_that_the_caller_gave_is_hearsay(before: int) -> None:
    assert said(before=before) == (Hearsay(HOUSE, 3, number(HEIR), HEIR, replaced=bool(before)),)


def test_a_name_beside_a_flag_is_hearsay() -> None:
    (word_,) = said(before=number(FRIEND) << 8 | 1, after=number(HEIR) << 8 | 1)
    assert (word_.named, word_.replaced) == (HEIR, True)


def test_so_is_a_hash_that_the_caller_gave() -> None:
    assert said(after=ROOT, told=word(ROOT)) == (Hearsay(HOUSE, 3, ROOT, None, replaced=False),)


def test_and_an_entry_for_somebody_else() -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(HOUSE, data=b"\1\2\3\4" + word(HEIR)):
        tape.write(HOUSE, tape.entry(HEIR), 0, 900)
    assert [word_.contract for word_ in tape.subject().said] == [HOUSE]


@pytest.mark.parametrize(
    ("after", "told"),
    [
        (number(HEIR), word(FRIEND)),  # it came from elsewhere: a vote was counted, a list was read
        (number(SENDER), word(SENDER)),  # of himself; memory of the sender has that
        (number(ENTRY), word(ENTRY)),
        (900, word(900)),  # a number names nobody
        (0, word(HEIR)),
    ],
)
def test_what_is_computed_or_said_of_oneself_is_none(after: int, told: bytes) -> None:
    assert said(before=number(FRIEND), after=after, told=told) == ()


def test_what_is_written_under_ones_own_name_is_ones_own_book() -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(HOUSE, data=b"\1\2\3\4" + word(HEIR)):
        tape.write(HOUSE, tape.entry(ENTRY), 0, number(HEIR))  # whom I let speak for me
        tape.write(HOUSE, tape.allowance(ENTRY, HEIR), 0, 900)
    assert tape.subject().said == ()


def test_a_known_caller_may_say_what_he_likes() -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(HOUSE, data=b"\1\2\3\4" + word(HEIR)):
        tape.read(HOUSE, 0, number(SENDER))
        tape.write(HOUSE, 3, number(FRIEND), number(HEIR))
    assert tape.subject().said == ()


def test_whom_the_house_has_a_record_of_it_does_not_know_from_hearsay() -> None:
    """Anybody may count votes; the votes were not the counter's."""
    tape = Tape()
    with tape.call(ENTRY), tape.call(HOUSE, data=b"\1\2\3\4" + word(HEIR)):
        tape.read(HOUSE, tape.entry(HEIR), 700)
        tape.write(HOUSE, 3, number(FRIEND), number(HEIR))
    assert tape.subject().said == ()


def test_who_pays_buys() -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(HOUSE, data=b"\1\2\3\4" + word(HEIR)):
        tape.write(HOUSE, 3, number(FRIEND), number(HEIR))
        with tape.call(TOKEN):
            tape.move(TOKEN, ENTRY, HOUSE, 50, had=60)
    assert tape.subject().said == ()


def test_one_transaction_says_so_much_and_no_more() -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(HOUSE, data=b"\1\2\3\4" + word(HEIR)):
        for slot in range(HEARSAY_LIMIT + 20):
            tape.write(HOUSE, 100 + slot, 0, number(HEIR))
    assert len(tape.subject().said) == HEARSAY_LIMIT

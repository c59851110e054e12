from __future__ import annotations

import pytest

from gateway.inspection.past.hearsay import NOTHING_RELIED, Hearsay, Relied
from gateway.inspection.past.listening import HEARSAY, WORDS, Listening
from gateway.inspection.past.memory import EMPTY_MEMORY, Memory
from tests.makers import SENDER, Tape, account

HOUSE, STRANGER, HEIR, MADE = (account(number) for number in range(40, 44))
WORD = Hearsay(HOUSE, 3, int.from_bytes(HEIR, "big"), HEIR, replaced=True)
LIFETIME = 1_000.0


def look(listening: Listening, value: int = WORD.value, now: float = 10.0, slots: int = 1) -> Relied:
    """Somebody else has the house look into slots that begin with the third."""
    tape = Tape()
    with tape.call(HOUSE):
        for slot in range(3, 3 + slots):
            tape.read(HOUSE, slot, value)
    known = {STRANGER: Memory(created=(MADE,))}
    return listening.relied(SENDER, tape.result(), now, lambda who: known.get(who, EMPTY_MEMORY))


@pytest.fixture
def listening() -> Listening:
    made = Listening(LIFETIME)
    made.hear(STRANGER, WORD, 0.0)
    return made


def test_who_relies_on_a_stranger_is_judged_with_what_he_made(listening: Listening) -> None:
    relied = look(listening)
    assert (relied.words, relied.doubted) == ((WORD,), {(HOUSE, 3)})
    assert relied.memory == Memory(created=(MADE,))


def test_ones_own_word_is_known_and_not_doubted(listening: Listening) -> None:
    listening.hear(SENDER, WORD, 0.0)
    relied = look(listening)
    assert (relied.words, relied.doubted, relied.memory) == ((WORD,), set(), EMPTY_MEMORY)


def test_a_word_that_was_replaced_since_misleads_nobody(listening: Listening) -> None:
    assert look(listening, value=7) is NOTHING_RELIED


def test_a_word_is_forgotten_in_time(listening: Listening) -> None:
    assert look(listening, now=LIFETIME).words
    assert look(listening, now=LIFETIME + 1.0) is NOTHING_RELIED
    assert len(listening) == 0


def test_one_transaction_relies_on_so_much_and_no_more(listening: Listening) -> None:
    for slot in range(3, 30):
        listening.hear(STRANGER, WORD._replace(slot=slot), 0.0)
    assert len(look(listening, slots=27).words) == WORDS


def test_memory_is_bounded_and_drops_the_first(listening: Listening) -> None:
    for slot in range(10, 10 + HEARSAY):
        listening.hear(STRANGER, WORD._replace(slot=slot), 0.0)
    assert len(listening) == HEARSAY
    assert look(listening) is NOTHING_RELIED

from __future__ import annotations

from itertools import pairwise

from gateway.inspection.consent.record import largest_entry, records
from tests.makers import ENTRY, Tape, account

LENDER = account(10)


def written(*values: tuple[int, ...]) -> dict[int, tuple[int, int, int]]:
    """(before, peak, after) of each entry that the lender keeps for the entry contract; mapping number -> values."""
    tape = Tape()
    with tape.call(ENTRY), tape.call(LENDER):
        for mapping, steps in enumerate(values):
            slot = tape.entry(ENTRY, mapping)
            for before, after in pairwise(steps):
                tape.write(LENDER, slot, before, after)
    found = records(tape.result(), {LENDER}, {ENTRY})
    return {at: (row.before, row.peak, row.after) for at, row in enumerate(found.get((LENDER, ENTRY), ()))}


def test_a_deposit_that_came_and_went_beside_a_debt() -> None:
    assert written((0, 100, 0), (0, 80)) == {0: (0, 100, 0), 1: (0, 80, 80)}


def test_a_single_entry_counts_only_if_it_ended_no_higher() -> None:
    assert written((0, 100, 0)) == {0: (0, 100, 0)}
    assert written((0, 100)) == {}


def test_rise_and_fall_are_told_apart() -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(LENDER):
        for mapping, steps in enumerate(((5, 1000, 6), (5, 1000, 500), (9, 3))):
            slot = tape.entry(ENTRY, mapping)
            for before, after in pairwise(steps):
                tape.write(LENDER, slot, before, after)
    rows = records(tape.result(), {LENDER}, {ENTRY})[LENDER, ENTRY]
    assert [row.came_and_went for row in rows] == [True, False, False]
    assert [row.added for row in rows] == [1, 495, -6]


def test_entries_of_others_and_plain_slots_are_left_out() -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(LENDER):
        tape.write(LENDER, tape.entry(account(99)), 5, 0)
        tape.write(LENDER, 7, 5, 0)
    assert records(tape.result(), {LENDER}, {ENTRY}) == {}


def test_the_largest_entry_is_told_and_names_are_no_numbers() -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(LENDER):
        tape.read(LENDER, tape.entry(ENTRY, 1), 1_699_539_893)
        tape.read(LENDER, tape.entry(ENTRY, 2), int.from_bytes(ENTRY, "big"))
        tape.read(LENDER, tape.entry(account(99), 3), 10**30)
    assert largest_entry(tape.result(), LENDER, {ENTRY}) == 1_699_539_893
    assert largest_entry(tape.result(), LENDER, {account(98)}) is None

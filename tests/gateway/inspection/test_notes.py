from __future__ import annotations

import pytest

from gateway.inspection.notes import holds_party, keeps_account, matched
from tests.makers import ENTRY, SENDER, Tape, account, word

TOKEN, OTHER = account(30), account(31)
BALANCES = frozenset({word(0)})


@pytest.mark.parametrize(("position", "kept"), [(0, False), (3, True)])
def test_an_account_is_an_entry_beside_the_balance(position: int, kept: bool) -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(TOKEN):
        tape.read(TOKEN, tape.entry(ENTRY, position), 7)
    trace = tape.result().trace
    assert keeps_account(trace, TOKEN, {ENTRY}, BALANCES, frozenset()) is kept
    assert not keeps_account(trace, TOKEN, {OTHER}, BALANCES, frozenset())
    assert not keeps_account(trace, OTHER, {ENTRY}, BALANCES, frozenset())


def test_neither_an_allowance_nor_an_empty_entry_nor_one_written_lately_is_an_account() -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(TOKEN):
        tape.read(TOKEN, tape.allowance(OTHER, ENTRY), 7)
        tape.read(TOKEN, tape.entry(ENTRY, 4), 0)
        tape.read(TOKEN, tape.entry(ENTRY, 5), 9)
    trace = tape.result().trace
    assert not keeps_account(trace, TOKEN, {ENTRY}, BALANCES, {(TOKEN, tape.entry(ENTRY, 5))})


def test_a_word_may_hold_an_address_beside_other_fields() -> None:
    packed = int.from_bytes(SENDER, "big") << 8 | 1
    assert matched(packed, {SENDER, OTHER}) == {SENDER}
    assert holds_party(packed, {SENDER})
    assert not holds_party(packed, {OTHER})

from __future__ import annotations

import pytest

from gateway.inspection.consent.given import gather
from gateway.inspection.consent.notes import holds_party, matched
from tests.makers import ENTRY, SENDER, TRANSACTION, Tape, account, word

TOKEN, OTHER = account(30), account(31)
BALANCES = frozenset({word(0)})


@pytest.mark.parametrize(("position", "kept"), [(0, False), (3, True)])
def test_an_account_is_an_entry_beside_the_balance(position: int, kept: bool) -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(TOKEN):
        tape.read(TOKEN, tape.entry(ENTRY, position), 7)
    consent = gather(TRANSACTION, tape.result())
    assert consent.keeps_account(TOKEN, {ENTRY}, BALANCES) is kept
    assert not consent.keeps_account(TOKEN, {OTHER}, BALANCES)
    assert not consent.keeps_account(OTHER, {ENTRY}, BALANCES)


def test_neither_an_allowance_nor_an_empty_entry_nor_one_written_lately_is_an_account() -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(TOKEN):
        tape.read(TOKEN, tape.allowance(OTHER, ENTRY), 7)
        tape.read(TOKEN, tape.entry(ENTRY, 4), 0)
        tape.read(TOKEN, tape.entry(ENTRY, 5), 9)
    consent = gather(TRANSACTION, tape.result(), frozenset({(TOKEN, tape.entry(ENTRY, 5))}))
    assert not consent.keeps_account(TOKEN, {ENTRY}, BALANCES)


def test_a_word_may_hold_an_address_beside_other_fields() -> None:
    packed = int.from_bytes(SENDER, "big") << 8 | 1
    assert matched(packed, {SENDER, OTHER}) == {SENDER}
    assert holds_party(packed, {SENDER})
    assert not holds_party(packed, {OTHER})

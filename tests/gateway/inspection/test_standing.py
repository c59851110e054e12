"""Who is a stranger to whom."""

from __future__ import annotations

from dataclasses import replace

from gateway.inspection.knowledge.provenance import created_address
from gateway.inspection.subject import Inspection
from gateway.model.primitive import Address
from tests.makers import ENTRY, SENDER, Tape, account

FUND = account(10)


def begun(fund: Address, nonce: int) -> Inspection:
    """The sender's helper has a fund that knows nobody write down who may pay."""
    tape = Tape()
    with tape.call(ENTRY), tape.call(fund, data=b"\1\2\3\4" + account(50).rjust(32, b"\0")):
        tape.write(fund, 0, 0, int.from_bytes(account(50), "big"))
    subject = tape.subject()
    return replace(subject, transaction=replace(subject.transaction, nonce=nonce))


def test_a_contract_that_knows_nobody_was_begun_by_a_stranger() -> None:
    subject = begun(FUND, 8)
    assert subject.unknown_caller(FUND, 1, 10**6) == ENTRY
    assert [word.named for word in subject.said] == [account(50)]


def test_who_made_it_is_no_stranger_however_long_ago() -> None:
    made = created_address(SENDER, 3)
    assert begun(made, 8).unknown_caller(made, 1, 10**6) is None
    assert begun(made, 8).said == ()
    assert begun(made, 2).said != ()  # not made yet


def test_of_many_contracts_only_the_first_are_looked_up() -> None:
    made = created_address(SENDER, 3)
    subject = begun(made, 8)
    for number in range(20, 24):
        subject.unknown_caller(account(number), 1, 10**6)
    assert subject.unknown_caller(made, 1, 10**6) == ENTRY

"""One payment that several parts of a bundle took for their own."""

from __future__ import annotations

import pytest

from detectors.recounted_payment import RecountedPayment
from gateway.model.finding import Finding, Severity
from gateway.model.primitive import ZERO_ADDRESS
from gateway.model.trace import FrameKind
from tests.detectors.acts import act, findings, first_held
from tests.makers import ENTRY, Tape, account

WELL, PAID = account(40), 10**18


def filled(*, parts: int = 3, each: int = PAID, noted: int = 0) -> list[Finding]:
    """A bundle of calls to itself, paid once, makes `each` units a part, and adds `noted` to a record of the caller."""
    tape = Tape()
    with tape.call(ENTRY), tape.call(WELL, value=PAID):
        for _ in range(parts):
            with tape.call(WELL, value=PAID, kind=FrameKind.DELEGATECALL):
                if each:
                    tape.transfer(WELL, ZERO_ADDRESS, ENTRY, each)
        if noted:
            tape.write(WELL, tape.entry(ENTRY, 3), 5, 5 + noted)
    return list(RecountedPayment().inspect(tape.subject()))


def test_units_made_by_each_part_are_seen() -> None:
    (finding,) = filled(each=PAID - PAID // 1000)
    assert finding.severity is Severity.HIGH
    assert finding.victim == WELL
    assert finding.evidence["times"] == "3"


def test_a_record_that_grew_by_a_multiple_is_seen() -> None:
    (finding,) = filled(each=0, noted=2 * PAID)
    assert finding.evidence["times"] == "2"


@pytest.mark.parametrize(
    "found",
    [
        filled(parts=1),
        filled(each=PAID // 3),
        filled(each=0, noted=PAID),
        filled(each=0, noted=10 * PAID),
        filled(parts=1, each=0, noted=2 * PAID),
    ],
    ids=["one part", "a third each", "noted once", "more than parts", "a doubled record"],
)
def test_what_was_counted_once_is_none(found: list[Finding]) -> None:
    assert found == []


def claimed(*, looks: int, grown: int) -> list[Finding]:
    """A ledger pays nine times 10^18, looks at one record so often, and notes what it says was paid."""
    token = account(41)
    tape = Tape()
    with tape.call(ENTRY), tape.call(WELL):
        for _ in range(looks):
            tape.read(WELL, 77, 5)
        tape.write(WELL, 77, 5, 5 + grown)
        with tape.call(token):
            tape.move(token, WELL, ENTRY, 9 * PAID, had=90 * PAID)
    return list(RecountedPayment().inspect(tape.subject()))


def test_a_claim_that_is_listed_many_times_is_seen() -> None:
    (finding,) = claimed(looks=9, grown=PAID)
    assert finding.evidence["times"] == "9"
    assert claimed(looks=8, grown=PAID) == []
    assert claimed(looks=9, grown=9 * PAID) == []
    assert claimed(looks=9, grown=4 * PAID) == []


@pytest.mark.parametrize(("exploit", "held_at"), [("raid-vesting.claimed-nine-times", 1)])
def test_it_names_the_claimed_again(exploit: str, held_at: int) -> None:
    assert findings(exploit, RecountedPayment.id)
    assert first_held(exploit) == held_at


def test_it_names_the_exploit_and_the_transaction_is_held() -> None:
    found = findings("raid-well.filled-four-times", RecountedPayment.id)
    assert max(finding.severity for finding in found) is Severity.HIGH
    assert first_held("raid-well.filled-four-times") == 0


@pytest.mark.parametrize("twin", ["raid-well.fill", "raid-well.give-and-draw"])
def test_it_says_nothing_of_an_honest_twin(twin: str) -> None:
    assert findings(twin, RecountedPayment.id) == []
    assert not act(twin).held

"""Payments for what was only passing through."""

from __future__ import annotations

import pytest

from detectors.borrowed_standing import BorrowedStanding
from gateway.model.finding import Finding, Severity
from tests.detectors.acts import act, findings
from tests.makers import ENTRY, Tape, account, word

ITEMS, LENDER, PRIZE, DROP = account(30), account(31), account(32), account(33)


def claim(*, owned: int = 0, amount: int = 100, late: bool = False, paid: int = 0) -> list[Finding]:
    """Ten units of ITEMS are lent, DROP asks for them and pays PRIZE out of a stock of 10,000, and they go back."""
    tape = Tape()
    with tape.call(ENTRY):
        with tape.call(LENDER), tape.call(ITEMS):
            tape.move(ITEMS, LENDER, ENTRY, 10, had=1000, has=owned)
        if late:
            give_back(tape, owned)
        with tape.call(DROP):
            with tape.call(
                ITEMS, data=bytes.fromhex("70a08231") + word(ENTRY), output=(10 + owned).to_bytes(32, "big")
            ):
                pass
            if paid:
                with tape.call(ITEMS):
                    tape.move(ITEMS, ENTRY, DROP, paid, had=10 + owned)
            with tape.call(PRIZE):
                tape.move(PRIZE, DROP, ENTRY, amount, had=10_000)
        if not late:
            give_back(tape, owned)
    return list(BorrowedStanding().inspect(tape.subject()))


def give_back(tape: Tape, owned: int) -> None:
    with tape.call(ITEMS):
        tape.move(ITEMS, ENTRY, LENDER, 10, had=10 + owned, has=990)


def test_a_payment_for_a_borrowed_balance_is_seen() -> None:
    (finding,) = claim()
    assert finding.severity is Severity.HIGH
    assert (finding.victim, finding.instrument) == (DROP, ITEMS)


def test_who_owned_more_than_was_lent_claims_what_is_due() -> None:
    assert claim(owned=50) == []


def test_who_asks_when_all_is_gone_again_was_not_deceived() -> None:
    assert claim(late=True) == []


def test_a_payment_of_nothing_worth_mentioning_is_let_pass() -> None:
    assert claim(amount=10) != []
    assert claim(amount=9) == []


def test_who_was_paid_for_it_sold_something() -> None:
    assert claim(paid=1) == []


def test_it_sees_votes_that_were_borrowed() -> None:
    assert findings("governance.borrowed-votes", BorrowedStanding.id) != []


@pytest.mark.parametrize(
    "twin", ["growth.house-arbitrage", "spot-oracle.flash-arbitrage", "rewards.claim-and-unstake", "airdrop.late-claim"]
)
def test_it_says_nothing_of_an_honest_twin(twin: str) -> None:
    assert findings(twin, BorrowedStanding.id) == []
    assert not act(twin).held

from __future__ import annotations

import pytest

from detectors.uncovered_debt import UncoveredDebt
from gateway.model.finding import Finding, Severity
from gateway.model.fold import TRANSFER
from gateway.model.primitive import ZERO_ADDRESS
from tests.detectors.acts import act, findings, first_held
from tests.makers import ENTRY, Tape, account, word


@pytest.mark.parametrize(
    ("exploit", "held_at"),
    [
        ("solvency.emergency-exit", 2),
        ("solvency.self-liquidation", 2),
    ],
)
def test_it_names_the_exploit_and_the_transaction_is_held(exploit: str, held_at: int) -> None:
    found = findings(exploit, UncoveredDebt.id)
    assert max(finding.severity for finding in found) is Severity.HIGH
    assert first_held(exploit) == held_at


@pytest.mark.parametrize(
    "twin",
    [
        "solvency.loan",
        "solvency.emergency-withdrawal",
        "solvency.liquidation-of-bad-debt",
        "solvency.repayment",
        "spot-oracle.leverage-loop",
        "spot-oracle.flash-liquidation",
    ],
)
def test_it_says_nothing_of_an_honest_twin(twin: str) -> None:
    assert findings(twin, UncoveredDebt.id) == []
    assert not act(twin).held


LENDER, STREAMS, COIN = (account(number) for number in range(40, 43))


def borrow(back: int) -> list[Finding]:
    """A stream to oneself is begun with 1,000, pledged for 600, and `back` of the deposit comes back."""
    tape = Tape()
    with tape.call(ENTRY):
        with tape.call(STREAMS):
            tape.log(STREAMS, (TRANSFER, word(ZERO_ADDRESS), word(ENTRY), word(4)), b"")
            with tape.call(COIN):
                tape.transfer(COIN, ENTRY, STREAMS, 1_000)
        with tape.call(LENDER):
            tape.read(LENDER, tape.entry(account(50)), 1)
            with tape.call(STREAMS):
                tape.log(STREAMS, (TRANSFER, word(ENTRY), word(LENDER), word(4)), b"")
            with tape.call(COIN):
                tape.move(COIN, LENDER, ENTRY, 600, had=1_000)
        if back:
            with tape.call(STREAMS), tape.call(COIN):
                tape.transfer(COIN, STREAMS, ENTRY, back)
    return list(UncoveredDebt().inspect(tape.subject()))


@pytest.mark.parametrize(("back", "told"), [(1_000, 1), (100, 0), (0, 0)])
def test_a_pledge_that_its_owner_revoked_covers_nothing(back: int, told: int) -> None:
    assert len(borrow(back)) == told

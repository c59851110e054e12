from __future__ import annotations

import pytest

from detectors.re_entrancy import ReEntrancy
from gateway.model.finding import Severity
from tests.detectors.acts import act, findings, first_held


@pytest.mark.parametrize(
    ("exploit", "held_at"),
    [
        ("reentrancy.bank-reentry", 1),
        ("callback-reentrancy.token-hook-reentry", 1),
        ("half-done.nested-deposit", 0),
        ("raid-toll.passed-while-paid", 0),
    ],
)
def test_it_names_the_exploit_and_the_transaction_is_held(exploit: str, held_at: int) -> None:
    found = findings(exploit, ReEntrancy.id)
    assert max(finding.severity for finding in found) is Severity.HIGH
    assert first_held(exploit) == held_at


@pytest.mark.parametrize(
    "twin",
    [
        "reentrancy.bank-withdrawal",
        "reentrancy.receive-hook",
        "reentrancy.credit-transfer",
        "callback-reentrancy.pool-withdrawal",
        "half-done.paired-deposit",
        "half-done.two-loans",
        "raid-toll.pay-and-pass",
    ],
)
def test_it_says_nothing_of_an_honest_twin(twin: str) -> None:
    assert findings(twin, ReEntrancy.id) == []
    assert not act(twin).held

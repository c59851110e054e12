from __future__ import annotations

import pytest

from detectors.read_only_re_entrancy import ReadOnlyReEntrancy
from gateway.model.finding import Severity
from tests.detectors.acts import act, findings, first_held


@pytest.mark.parametrize(
    ("exploit", "held_at"),
    [
        ("callback-reentrancy.read-only-reentry", 2),
        ("half-done.cross-market-reentry", 0),
    ],
)
def test_it_names_the_exploit_and_the_transaction_is_held(exploit: str, held_at: int) -> None:
    found = findings(exploit, ReadOnlyReEntrancy.id)
    assert max(finding.severity for finding in found) is Severity.HIGH
    assert first_held(exploit) == held_at


@pytest.mark.parametrize(
    "twin",
    [
        "callback-reentrancy.pool-withdrawal",
        "callback-reentrancy.pool-deposit",
        "callback-reentrancy.hook-forwarder",
        "spot-oracle.loan",
        "half-done.two-loans",
        "half-done.paired-withdrawal",
    ],
)
def test_it_says_nothing_of_an_honest_twin(twin: str) -> None:
    assert findings(twin, ReadOnlyReEntrancy.id) == []
    assert not act(twin).held

from __future__ import annotations

import pytest

from detectors.uncovered_debt import UncoveredDebt
from gateway.model.finding import Severity
from tests.detectors.acts import act, findings, first_held


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

from __future__ import annotations

import pytest

from detectors.grown_deposit import GrownDeposit
from gateway.model.finding import Severity
from tests.detectors.acts import act, findings, first_held


@pytest.mark.parametrize(
    ("exploit", "held_at"),
    [
        ("growth.round-staker", 1),
        ("growth.refund-collector", 1),
    ],
)
def test_it_names_the_exploit_and_the_transaction_is_held(exploit: str, held_at: int) -> None:
    found = findings(exploit, GrownDeposit.id)
    assert max(finding.severity for finding in found) is Severity.HIGH
    assert first_held(exploit) == held_at


@pytest.mark.parametrize(
    "twin",
    [
        "growth.stake",
        "growth.top-up-and-leave",
        "growth.lucky-bet",
        "growth.house-arbitrage",
        "growth.refund",
        "rewards.claim-and-unstake",
        "spot-oracle.flash-arbitrage",
    ],
)
def test_it_says_nothing_of_an_honest_twin(twin: str) -> None:
    assert findings(twin, GrownDeposit.id) == []
    assert not act(twin).held

from __future__ import annotations

import pytest

from detectors.inflated_share import InflatedShare
from gateway.model.finding import Severity
from tests.detectors.acts import act, findings, first_held


@pytest.mark.parametrize(
    ("exploit", "held_at"),
    [
        ("share-price.empty-market-donation", 2),
        ("share-price.first-depositor", 2),
        ("raid-eddy.dear-share-by-delegated", 0),
        ("raid-spring.two-hands", 1),
    ],
)
def test_it_names_the_exploit_and_the_transaction_is_held(exploit: str, held_at: int) -> None:
    found = findings(exploit, InflatedShare.id)
    assert max(finding.severity for finding in found) is Severity.HIGH
    assert first_held(exploit) == held_at


@pytest.mark.parametrize(
    "twin",
    [
        "share-price.first-deposit",
        "share-price.deposit",
        "share-price.vault-harvest",
        "share-price.redeem",
        "share-price.loan-on-shares",
        "share-price.withdrawal",
        "raid-eddy.first-deposit",
        "raid-eddy.gift-of-yield",
    ],
)
def test_it_says_nothing_of_an_honest_twin(twin: str) -> None:
    assert findings(twin, InflatedShare.id) == []
    assert not act(twin).held

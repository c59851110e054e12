from __future__ import annotations

import pytest

from detectors.wrung_allowance import WrungAllowance
from gateway.model.finding import Severity
from tests.detectors.acts import act, findings, first_held


@pytest.mark.parametrize(
    ("exploit", "held_at"),
    [
        ("open-hands.wrung-allowance", 0),
        ("raid-permits.signed-by-nobody", 0),
    ],
)
def test_it_names_the_exploit_and_the_transaction_is_held(exploit: str, held_at: int) -> None:
    found = findings(exploit, WrungAllowance.id)
    assert max(finding.severity for finding in found) is Severity.HIGH
    assert first_held(exploit) == held_at


@pytest.mark.parametrize(
    "twin",
    [
        "open-hands.strategy-pull",
        "confused-deputy.aggregated-swap",
        "open-hands.standing-order",
        "share-price.vault-harvest",
    ],
)
def test_it_says_nothing_of_an_honest_twin(twin: str) -> None:
    assert findings(twin, WrungAllowance.id) == []
    assert not act(twin).held

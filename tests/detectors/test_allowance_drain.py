from __future__ import annotations

import pytest

from detectors.allowance_drain import AllowanceDrain
from gateway.model.finding import Severity
from tests.detectors.acts import act, findings, first_held


@pytest.mark.parametrize(
    ("exploit", "held_at"),
    [
        ("confused-deputy.allowance-drain", 0),
        ("open-hands.paid-drain", 0),
    ],
)
def test_it_names_the_exploit_and_the_transaction_is_held(exploit: str, held_at: int) -> None:
    found = findings(exploit, AllowanceDrain.id)
    assert max(finding.severity for finding in found) is Severity.HIGH
    assert first_held(exploit) == held_at


@pytest.mark.parametrize(
    "twin",
    [
        "confused-deputy.aggregated-swap",
        "confused-deputy.batch-payment",
        "confused-deputy.order-settlement",
        "drainer.subscriptions-charged",
        "offices.deal-signed-by-both",
        "offices.bid-accepted",
        "open-hands.listing-paid-elsewhere",
    ],
)
def test_it_says_nothing_of_an_honest_twin(twin: str) -> None:
    assert findings(twin, AllowanceDrain.id) == []
    assert not act(twin).held

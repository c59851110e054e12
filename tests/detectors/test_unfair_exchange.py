from __future__ import annotations

import pytest

from detectors.unfair_exchange import UnfairExchange
from gateway.model.finding import Severity
from tests.detectors.acts import act, findings, first_held


@pytest.mark.parametrize(
    ("exploit", "held_at"),
    [
        ("spot-oracle.spot-oracle-borrow", 1),
        ("offices.one-sided-deal", 0),
    ],
)
def test_it_names_the_exploit_and_the_transaction_is_held(exploit: str, held_at: int) -> None:
    found = findings(exploit, UnfairExchange.id)
    assert max(finding.severity for finding in found) is Severity.HIGH
    assert first_held(exploit) == held_at


@pytest.mark.parametrize(
    "twin",
    [
        "spot-oracle.loan",
        "spot-oracle.flash-arbitrage",
        "spot-oracle.leverage-loop",
        "spot-oracle.flash-liquidation",
        "payments.whale-swap",
        "offices.deal-signed-by-both",
        "offices.bid-accepted",
    ],
)
def test_it_says_nothing_of_an_honest_twin(twin: str) -> None:
    assert findings(twin, UnfairExchange.id) == []
    assert not act(twin).held

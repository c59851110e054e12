from __future__ import annotations

import pytest

from detectors.foreign_burn import ForeignBurn
from gateway.model.finding import Severity
from tests.detectors.acts import act, findings, first_held


@pytest.mark.parametrize(
    ("exploit", "held_at"),
    [
        ("items.foreign-burn", 0),
    ],
)
def test_it_names_the_exploit_and_the_transaction_is_held(exploit: str, held_at: int) -> None:
    found = findings(exploit, ForeignBurn.id)
    assert max(finding.severity for finding in found) is Severity.HIGH
    assert first_held(exploit) == held_at


@pytest.mark.parametrize(
    "twin",
    [
        "items.own-burn",
        "items.redeemed-parcel",
        "payments.remove-liquidity",
        "pool-drain.deflation",
    ],
)
def test_it_says_nothing_of_an_honest_twin(twin: str) -> None:
    assert findings(twin, ForeignBurn.id) == []
    assert not act(twin).held

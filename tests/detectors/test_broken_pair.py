from __future__ import annotations

import pytest

from detectors.broken_pair import BrokenPair
from gateway.model.finding import Severity
from tests.detectors.acts import act, findings, first_held


@pytest.mark.parametrize(
    ("exploit", "held_at"),
    [
        ("pool-drain.pool-burn", 1),
        ("pool-drain.wrong-product-check", 1),
    ],
)
def test_it_names_the_exploit_and_the_transaction_is_held(exploit: str, held_at: int) -> None:
    found = findings(exploit, BrokenPair.id)
    assert max(finding.severity for finding in found) is Severity.HIGH
    assert first_held(exploit) == held_at


@pytest.mark.parametrize(
    "twin",
    [
        "pool-drain.skim",
        "pool-drain.taxed-sale",
        "pool-drain.deflation",
        "payments.whale-swap",
        "payments.remove-liquidity",
        "raid-scale.swapped",
    ],
)
def test_it_says_nothing_of_an_honest_twin(twin: str) -> None:
    assert findings(twin, BrokenPair.id) == []
    assert not act(twin).held

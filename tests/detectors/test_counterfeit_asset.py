from __future__ import annotations

import pytest

from detectors.counterfeit_asset import CounterfeitAsset
from gateway.model.finding import Severity
from tests.detectors.acts import act, findings, first_held


@pytest.mark.parametrize(
    ("exploit", "held_at"),
    [
        ("fake-asset.fake-token", 3),
        ("raid-board.fits-by-amount", 4),
    ],
)
def test_it_names_the_exploit_and_the_transaction_is_held(exploit: str, held_at: int) -> None:
    found = findings(exploit, CounterfeitAsset.id)
    assert max(finding.severity for finding in found) is Severity.HIGH
    assert first_held(exploit) == held_at


@pytest.mark.parametrize(
    "twin",
    [
        "fake-asset.pawn",
        "fake-asset.launch",
        "fake-asset.migration",
        "payments.swap",
    ],
)
def test_it_says_nothing_of_an_honest_twin(twin: str) -> None:
    assert findings(twin, CounterfeitAsset.id) == []
    assert not act(twin).held

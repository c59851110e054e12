from __future__ import annotations

import pytest

from detectors.unbacked_mint import UnbackedMint
from gateway.model.finding import Severity
from tests.detectors.acts import act, findings, first_held


@pytest.mark.parametrize(
    ("exploit", "held_at"),
    [
        ("unbacked-mint.unbacked-issue", 0),
    ],
)
def test_it_names_the_exploit_and_the_transaction_is_held(exploit: str, held_at: int) -> None:
    found = findings(exploit, UnbackedMint.id)
    assert max(finding.severity for finding in found) is Severity.HIGH
    assert first_held(exploit) == held_at


@pytest.mark.parametrize(
    "twin",
    [
        "unbacked-mint.backed-issue",
        "unbacked-mint.bridge-mint",
        "unbacked-mint.redemption",
    ],
)
def test_it_says_nothing_of_an_honest_twin(twin: str) -> None:
    assert findings(twin, UnbackedMint.id) == []
    assert not act(twin).held

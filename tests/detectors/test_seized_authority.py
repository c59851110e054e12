from __future__ import annotations

import pytest

from detectors.seized_authority import SeizedAuthority
from gateway.model.finding import Severity
from tests.detectors.acts import act, findings, first_held


@pytest.mark.parametrize(
    ("exploit", "held_at"),
    [
        ("missing-authority.open-operator", 0),
        ("uninitialised.forgotten-initialisation", 1),
    ],
)
def test_it_names_the_exploit_and_the_transaction_is_held(exploit: str, held_at: int) -> None:
    found = findings(exploit, SeizedAuthority.id)
    assert max(finding.severity for finding in found) is Severity.HIGH
    assert first_held(exploit) == held_at


@pytest.mark.parametrize(
    "twin",
    [
        "missing-authority.operator-change",
        "missing-authority.owner-rescue",
        "missing-authority.large-own-withdrawal",
        "uninitialised.two-step-wallet",
        "uninitialised.wallet-payment",
    ],
)
def test_it_says_nothing_of_an_honest_twin(twin: str) -> None:
    assert findings(twin, SeizedAuthority.id) == []
    assert not act(twin).held

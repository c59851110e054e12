from __future__ import annotations

import pytest

from detectors.unauthorised_outflow import UnauthorisedOutflow
from gateway.model.finding import Severity
from tests.detectors.acts import act, findings, first_held


@pytest.mark.parametrize(
    ("exploit", "held_at"),
    [
        ("missing-authority.open-sweep", 0),
        ("share-price.rounding-loop", 0),
        ("offices.keeper-coup", 0),
        ("open-hands.open-gate", 0),
        ("open-hands.fees-taken", 0),
    ],
)
def test_it_names_the_exploit_and_the_transaction_is_held(exploit: str, held_at: int) -> None:
    found = findings(exploit, UnauthorisedOutflow.id)
    assert max(finding.severity for finding in found) is Severity.HIGH
    assert first_held(exploit) == held_at


@pytest.mark.parametrize(
    "twin",
    [
        "airdrop.late-claim",
        "growth.lucky-bet",
        "missing-authority.keeper-payout",
        "missing-authority.large-own-withdrawal",
        "missing-authority.owner-rescue",
        "payments.token-transfer",
        "bridge.proved-withdrawal",
        "offices.keepers-release",
        "offices.keepers-rotated",
        "open-hands.gated-withdrawal",
        "open-hands.fees-converted",
    ],
)
def test_it_says_nothing_of_an_honest_twin(twin: str) -> None:
    assert findings(twin, UnauthorisedOutflow.id) == []
    assert not act(twin).held

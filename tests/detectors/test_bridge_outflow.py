from __future__ import annotations

import pytest

from detectors.bridge_outflow import BridgeOutflow
from gateway.model.finding import Severity
from tests.detectors.acts import act, findings, first_held


@pytest.mark.parametrize(
    ("exploit", "held_at"),
    [
        ("bridge.stolen-validator-keys", 0),
        ("bridge.unproved-message-forger", 0),
        ("bridge.unproved-message-copycat", 0),
    ],
)
def test_it_names_the_exploit_and_the_transaction_is_held(exploit: str, held_at: int) -> None:
    found = findings(exploit, BridgeOutflow.id)
    assert max(finding.severity for finding in found) is Severity.HIGH
    assert first_held(exploit) == held_at


@pytest.mark.parametrize(
    "twin",
    [
        "bridge.bridge-deposit",
        "bridge.proved-withdrawal",
        "bridge.signed-withdrawal",
        "takeover.multisig-payment",
    ],
)
def test_it_says_nothing_of_an_honest_twin(twin: str) -> None:
    assert findings(twin, BridgeOutflow.id) == []
    assert not act(twin).held

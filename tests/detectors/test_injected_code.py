from __future__ import annotations

import pytest

from detectors.injected_code import InjectedCode
from gateway.model.finding import Severity
from tests.detectors.acts import act, findings, first_held


@pytest.mark.parametrize(
    ("exploit", "held_at"),
    [
        ("delegatecall-injection.owner-plugin", 1),
        ("delegatecall-injection.thieving-module", 1),
        ("takeover.signed-takeover", 3),
        ("takeover.stolen-admin-key", 3),
        ("raid-hatter.spell-for-itself", 2),
    ],
)
def test_it_names_the_exploit_and_the_transaction_is_held(exploit: str, held_at: int) -> None:
    found = findings(exploit, InjectedCode.id)
    assert max(finding.severity for finding in found) is Severity.HIGH
    assert first_held(exploit) == held_at


@pytest.mark.parametrize(
    "twin",
    [
        "delegatecall-injection.module-payment",
        "delegatecall-injection.module-split",
        "delegatecall-injection.plugin-report",
        "takeover.multisig-migration",
        "takeover.timelocked-upgrade",
    ],
)
def test_it_says_nothing_of_an_honest_twin(twin: str) -> None:
    assert findings(twin, InjectedCode.id) == []
    assert not act(twin).held

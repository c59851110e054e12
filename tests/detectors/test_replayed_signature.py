from __future__ import annotations

import pytest

from detectors.replayed_signature import ReplayedSignature
from gateway.model.finding import Severity
from tests.detectors.acts import act, findings, first_held


@pytest.mark.parametrize(
    ("exploit", "held_at"),
    [
        ("signatures.replayed-signature", 1),
        ("raid-cheques.cashed-elsewhere", 1),
    ],
)
def test_it_names_the_exploit_and_the_transaction_is_held(exploit: str, held_at: int) -> None:
    found = findings(exploit, ReplayedSignature.id)
    assert max(finding.severity for finding in found) is Severity.HIGH
    assert first_held(exploit) == held_at


@pytest.mark.parametrize(
    "twin",
    [
        "signatures.relayed-transfer",
        "signatures.permitted-payment",
        "confused-deputy.order-settlement",
    ],
)
def test_it_says_nothing_of_an_honest_twin(twin: str) -> None:
    assert findings(twin, ReplayedSignature.id) == []
    assert not act(twin).held

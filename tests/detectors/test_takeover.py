from __future__ import annotations

import pytest

from detectors.takeover import Takeover
from gateway.model.finding import Severity
from tests.detectors.acts import act, findings, first_held


@pytest.mark.parametrize(
    ("exploit", "held_at"),
    [
        ("offices.offices-taken", 0),
        ("raid-daily.router-under-keeper", 0),
        ("raid-feed.dear-feed-by-two", 1),
        ("raid-cellar.started-again-by-three", 0),
    ],
)
def test_it_names_the_exploit_and_the_transaction_is_held(exploit: str, held_at: int) -> None:
    found = findings(exploit, Takeover.id)
    assert max(finding.severity for finding in found) is Severity.HIGH
    assert first_held(exploit) == held_at


@pytest.mark.parametrize(
    "twin",
    [
        "offices.last-look",
        "offices.offices-handed-over",
        "takeover.timelocked-upgrade",
        "takeover.multisig-new-owner",
        "uninitialised.two-step-wallet",
        "uninitialised.factory-wallet",
        "raid-daily.first-day",
        "raid-bids.bids",
    ],
)
def test_it_says_nothing_of_an_honest_twin(twin: str) -> None:
    assert findings(twin, Takeover.id) == []
    assert not act(twin).held

from __future__ import annotations

import pytest

from detectors.instant_reward import InstantReward
from gateway.model.finding import Severity
from tests.detectors.acts import act, findings, first_held


@pytest.mark.parametrize(
    ("exploit", "held_at"),
    [
        ("rewards.instant-farmer", 2),
        ("raid-apiary.stake-of-three-blocks", 2),
        ("raid-ledger.pledge-moved-away", 3),
        ("raid-sunfarm.stake-wanders", 5),
    ],
)
def test_it_names_the_exploit_and_the_transaction_is_held(exploit: str, held_at: int) -> None:
    found = findings(exploit, InstantReward.id)
    assert max(finding.severity for finding in found) is Severity.HIGH
    assert first_held(exploit) == held_at


@pytest.mark.parametrize(
    "twin",
    [
        "rewards.claim",
        "rewards.claim-and-unstake",
        "rewards.compound",
        "rewards.stake",
        "spot-oracle.flash-arbitrage",
    ],
)
def test_it_says_nothing_of_an_honest_twin(twin: str) -> None:
    assert findings(twin, InstantReward.id) == []
    assert not act(twin).held

from __future__ import annotations

import pytest

from detectors.bent_price import BentPriceBelieved
from gateway.model.finding import Severity
from tests.detectors.acts import act, findings, first_held


@pytest.mark.parametrize(
    ("exploit", "held_at"),
    [
        ("bent-price.flash-claim", 0),
        ("bent-price.sale-raid", 1),
        ("spot-oracle.spot-oracle-borrow", 1),
        ("raid-toybox.sold-to-itself", 0),
        ("raid-twin.swapped-for-itself", 0),
        ("raid-tower.leaned-on-by-another", 2),
        ("raid-almanac.noted-in-between", 3),
    ],
)
def test_it_names_the_exploit_and_the_transaction_is_held(exploit: str, held_at: int) -> None:
    found = findings(exploit, BentPriceBelieved.id)
    assert max(finding.severity for finding in found) is Severity.HIGH
    assert first_held(exploit) == held_at


@pytest.mark.parametrize(
    "twin",
    [
        "bent-price.claim",
        "bent-price.purchase",
        "bent-price.sell-and-claim",
        "bent-price.great-sale-and-claim",
        "spot-oracle.flash-liquidation",
        "spot-oracle.leverage-loop",
        "raid-tower.pledged-and-borrowed",
        "raid-almanac.note-and-borrow",
        "payments.whale-swap",
        "raid-toybox.sold",
        "raid-toybox.pawned",
    ],
)
def test_it_says_nothing_of_an_honest_twin(twin: str) -> None:
    assert findings(twin, BentPriceBelieved.id) == []
    assert not act(twin).held

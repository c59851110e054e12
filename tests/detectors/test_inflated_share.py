from __future__ import annotations

import pytest

from detectors.inflated_share import InflatedShare
from gateway.inspection.past.deal import Deal, Dealings
from gateway.inspection.past.memory import Memory
from gateway.model.finding import Finding, Severity
from tests.detectors.acts import act, findings, first_held
from tests.makers import ENTRY, SENDER, Tape, account


@pytest.mark.parametrize(
    ("exploit", "held_at"),
    [
        ("share-price.empty-market-donation", 2),
        ("share-price.first-depositor", 1),
        ("raid-eddy.dear-share-by-delegated", 0),
        ("raid-spring.two-hands", 1),
    ],
)
def test_it_names_the_exploit_and_the_transaction_is_held(exploit: str, held_at: int) -> None:
    found = findings(exploit, InflatedShare.id)
    assert max(finding.severity for finding in found) is Severity.HIGH
    assert first_held(exploit) == held_at


@pytest.mark.parametrize(
    "twin",
    [
        "share-price.first-deposit",
        "share-price.deposit",
        "share-price.vault-harvest",
        "share-price.redeem",
        "share-price.loan-on-shares",
        "share-price.withdrawal",
        "raid-eddy.first-deposit",
        "raid-eddy.gift-of-yield",
    ],
)
def test_it_says_nothing_of_an_honest_twin(twin: str) -> None:
    assert findings(twin, InflatedShare.id) == []
    assert not act(twin).held


MARKET, GRAIN = account(40), account(41)


def give(deals: Dealings, amount: int = 10**9) -> list[Finding]:
    """Grain is sent to a market whose code does not run."""
    tape = Tape()
    with tape.call(GRAIN):
        tape.move(GRAIN, SENDER, MARKET, amount, had=10**12)
    return list(InflatedShare().inspect(tape.subject(Memory(deals=deals))))


@pytest.mark.parametrize(
    ("stock", "left", "amount", "told"),
    [(0, 2, 10**9, 1), (5_000, 2, 10**9, 0), (0, 10**6, 10**9, 0), (0, 2, 10**6, 0)],
)
def test_a_gift_to_a_market_that_was_left_with_few_shares_is_told(
    stock: int, left: int, amount: int, told: int
) -> None:
    deals = {
        (MARKET, GRAIN, None): Deal(10**10, 10**10 - 4, stock, True),
        (MARKET, MARKET, None): Deal(5 * 10**9 - left, 5 * 10**9, 0, True),
    }
    assert len(give(deals, amount)) == told


@pytest.mark.parametrize(("due", "told"), [(2, 1), (1, 0)])
def test_a_market_that_says_transfer_from_itself_makes_shares_too(due: int, told: int) -> None:
    """Who pays nearly twice what one unit of share is worth gets one unit."""
    tape = Tape()
    with tape.call(ENTRY), tape.call(MARKET):
        tape.read(MARKET, tape.entry(account(50)), 1)
        with tape.call(GRAIN):
            tape.move(GRAIN, ENTRY, MARKET, due * 1_000, had=10_000, has=1_000)
        tape.write(MARKET, tape.entry(ENTRY), 0, 1)
        tape.write(MARKET, 3, 1, 2)
        tape.transfer(MARKET, MARKET, ENTRY, 1)
    assert len(list(InflatedShare().inspect(tape.subject()))) == told

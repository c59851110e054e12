from __future__ import annotations

import pytest

from detectors.grown_deposit import GrownDeposit
from gateway.model.finding import Finding, Severity
from tests.detectors.acts import act, findings, first_held
from tests.makers import ENTRY, Tape, account

TILL, COIN = account(60), account(61)


@pytest.mark.parametrize(
    ("exploit", "held_at"),
    [
        ("growth.round-staker", 1),
        ("growth.refund-collector", 1),
        ("raid-sprinkler.dash-on-foot", 2),
        ("raid-platter.left-with-debt", 3),
        ("raid-lattice.by-hand", 3),
    ],
)
def test_it_names_the_exploit_and_the_transaction_is_held(exploit: str, held_at: int) -> None:
    found = findings(exploit, GrownDeposit.id)
    assert max(finding.severity for finding in found) is Severity.HIGH
    assert first_held(exploit) == held_at


@pytest.mark.parametrize(
    "twin",
    [
        "growth.stake",
        "growth.top-up-and-leave",
        "growth.lucky-bet",
        "growth.house-arbitrage",
        "growth.refund",
        "rewards.claim-and-unstake",
        "spot-oracle.flash-arbitrage",
    ],
)
def test_it_says_nothing_of_an_honest_twin(twin: str) -> None:
    assert findings(twin, GrownDeposit.id) == []
    assert not act(twin).held


def top_up(owed: int) -> list[Finding]:
    """A till that owed `owed` takes in 1000 and pays 1900 back, by another call, out of a stock of 10,000."""
    tape = Tape()
    with tape.call(ENTRY):
        with tape.call(TILL):
            tape.read(TILL, tape.entry(ENTRY, 3), owed)
            with tape.call(COIN):
                tape.move(COIN, ENTRY, TILL, 1000, had=1000, has=10_000)
        with tape.call(TILL), tape.call(COIN):
            tape.move(COIN, TILL, ENTRY, 1900, had=11_000)
    return list(GrownDeposit().inspect(tape.subject()))


def test_an_entry_explains_no_more_than_it_says() -> None:
    (finding,) = top_up(owed=8)
    assert finding.victim == TILL
    assert top_up(owed=9) == []

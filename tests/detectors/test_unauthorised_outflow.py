from __future__ import annotations

import pytest

from detectors.unauthorised_outflow import UnauthorisedOutflow
from gateway.model.finding import Severity
from tests.detectors.acts import act, findings, first_held
from tests.makers import ENTRY, Tape, account


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


VAULT, TOKEN, POOL, MONEY = (account(number) for number in range(10, 14))


@pytest.mark.parametrize(
    ("stolen", "proceeds", "held"),
    [(5, 300, True), (5, 10, False), (1, 300, False), (30, 10, True)],
    ids=["small, and the pool feels it", "small, and it does not", "a tip", "much"],
)
def test_a_small_part_counts_if_its_sale_moved_the_buyer(stolen: int, proceeds: int, held: bool) -> None:
    tape = Tape()
    with tape.call(ENTRY):
        with tape.call(VAULT), tape.call(TOKEN):
            tape.move(TOKEN, VAULT, ENTRY, stolen, had=1000)
        with tape.call(POOL):
            with tape.call(TOKEN):
                tape.move(TOKEN, ENTRY, POOL, stolen, had=stolen, has=50)
            with tape.call(MONEY):
                tape.move(MONEY, POOL, ENTRY, proceeds, had=1000)
    found = [finding for finding in UnauthorisedOutflow().inspect(tape.subject()) if finding.victim == VAULT]
    assert bool(found) is held

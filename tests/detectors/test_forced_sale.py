from __future__ import annotations

import pytest

from detectors.forced_sale import ForcedSale
from gateway.inspection.trace.facts import SYNC
from gateway.model.finding import Finding, Severity
from tests.detectors.acts import act, findings, first_held
from tests.makers import ENTRY, SENDER, Tape, account, word


@pytest.mark.parametrize(
    ("exploit", "held_at"),
    [
        ("open-hands.forced-sale", 0),
    ],
)
def test_it_names_the_exploit_and_the_transaction_is_held(exploit: str, held_at: int) -> None:
    found = findings(exploit, ForcedSale.id)
    assert max(finding.severity for finding in found) is Severity.HIGH
    assert first_held(exploit) == held_at


@pytest.mark.parametrize(
    "twin",
    [
        "open-hands.standing-order",
        "open-hands.thin-standing-order",
        "confused-deputy.order-settlement",
        "drainer.subscriptions-charged",
    ],
)
def test_it_says_nothing_of_an_honest_twin(twin: str) -> None:
    assert findings(twin, ForcedSale.id) == []
    assert not act(twin).held


CROP, COIN, POOL, OWNER = (account(number) for number in range(40, 44))


def compound(reserve: int, *, caller_known: bool = False) -> list[Finding]:
    """Anybody has the called vault sell nine tenths of its crop into a pool."""
    tape = Tape()
    with tape.call(ENTRY):
        tape.read(ENTRY, 0, int.from_bytes(SENDER if caller_known else OWNER, "big"))
        with tape.call(CROP):
            tape.move(CROP, ENTRY, POOL, 9_000, had=10_000, has=reserve)
        with tape.call(POOL):
            with tape.call(COIN):
                tape.move(COIN, POOL, ENTRY, 900, had=1_000)
            tape.log(POOL, (SYNC,), word(reserve + 9_000) + word(100))
    return list(ForcedSale().inspect(tape.subject()))


@pytest.mark.parametrize(("reserve", "known", "told"), [(900, False, 1), (900, True, 0), (9_000, False, 0)])
def test_savings_are_not_sold_into_an_empty_pool_for_a_stranger(reserve: int, known: bool, told: int) -> None:
    assert len(compound(reserve, caller_known=known)) == told

from __future__ import annotations

import pytest

from detectors.mass_drain import MassDrain
from gateway.inspection.consent.given import ECRECOVER
from gateway.inspection.trace.facts import APPROVAL
from gateway.model.finding import Finding, Severity
from tests.detectors.acts import act, findings, first_held
from tests.makers import ENTRY, Tape, account, word


@pytest.mark.parametrize(
    ("exploit", "held_at"),
    [
        ("drainer.claim-drainer", 0),
    ],
)
def test_it_names_the_exploit_and_the_transaction_is_held(exploit: str, held_at: int) -> None:
    found = findings(exploit, MassDrain.id)
    assert max(finding.severity for finding in found) is Severity.HIGH
    assert first_held(exploit) == held_at


@pytest.mark.parametrize(
    "twin",
    [
        "drainer.subscriptions-charged",
        "drainer.subscription-agreed",
        "confused-deputy.batch-payment",
        "airdrop.airdrop-of-hundreds",
    ],
)
def test_it_says_nothing_of_an_honest_twin(twin: str) -> None:
    assert findings(twin, MassDrain.id) == []
    assert not act(twin).held


HANDS, COIN, TAKER, PARTNER = (account(number) for number in range(40, 44))


def reel_in(amount: int) -> list[Finding]:
    """Permits of three people are shown, and all that they have is split between two."""
    tape = Tape()
    with tape.call(ENTRY):
        for number in range(3):
            owner = account(60 + number)
            with tape.call(COIN):
                with tape.call(
                    ECRECOVER, data=word(number) + word(27) + word(5) + word(6), output=word(owner), code=None
                ):
                    pass
                tape.log(COIN, (APPROVAL, word(owner), word(ENTRY)), word(amount))
            for target, part in ((TAKER, 80), (PARTNER, 20)):
                with tape.call(COIN):
                    tape.transfer(COIN, owner, target, part)
                    if target == TAKER:
                        tape.write(COIN, tape.entry(owner), 100, 0)
    return list(MassDrain().inspect(tape.subject()))


@pytest.mark.parametrize(("amount", "told"), [(2**256 - 1, 1), (100, 0)])
def test_a_permit_without_limit_is_no_payment(amount: int, told: int) -> None:
    assert len(reel_in(amount)) == told

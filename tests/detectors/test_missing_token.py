"""A payment in a token that is no contract."""

from __future__ import annotations

import pytest

from detectors.missing_token import MissingToken
from gateway.inspection.past.memory import EMPTY_MEMORY
from gateway.model.finding import Finding, Severity
from gateway.model.primitive import Address
from tests.detectors.acts import act, findings, first_held
from tests.makers import ENTRY, SENDER, Tape, account, word

BRIDGE, NOTHING = account(40), account(41)
PULL = bytes.fromhex("23b872dd")


def deposited(
    *, token: Address = NOTHING, amount: int = 900, to: Address = BRIDGE, answer: bytes = b"", books: bool = True
) -> list[Finding]:
    """A bridge calls an account without code for a payment, and books it."""
    tape = Tape()
    with tape.call(ENTRY), tape.call(BRIDGE):
        tape.write(BRIDGE, 1, 4, 5)
        with tape.call(token, data=PULL + word(SENDER) + word(to) + word(amount), output=answer, code=None):
            pass
        if books:
            tape.write(BRIDGE, 2, 0, amount)
    return list(MissingToken().inspect(tape.subject(EMPTY_MEMORY)))


def test_a_deposit_of_nothing_is_seen() -> None:
    (finding,) = deposited()
    assert finding.severity is Severity.HIGH
    assert (finding.victim, finding.instrument) == (BRIDGE, NOTHING)


@pytest.mark.parametrize(
    "found",
    [
        deposited(books=False),
        deposited(amount=0),
        deposited(to=SENDER),
        deposited(answer=word(1)),
        deposited(token=Address((4).to_bytes(20, "big"))),
    ],
    ids=["not booked", "nothing asked", "for another", "answered", "precompile"],
)
def test_what_was_not_booked_or_was_answered_is_none(found: list[Finding]) -> None:
    assert found == []


def test_it_names_the_exploit_and_the_transaction_is_held() -> None:
    found = findings("raid-guards.deposit-of-nothing", MissingToken.id)
    assert max(finding.severity for finding in found) is Severity.HIGH
    assert first_held("raid-guards.deposit-of-nothing") == 0


@pytest.mark.parametrize("twin", ["raid-guards.deposit", "raid-guards.release"])
def test_it_says_nothing_of_an_honest_twin(twin: str) -> None:
    assert findings(twin, MissingToken.id) == []
    assert not act(twin).held

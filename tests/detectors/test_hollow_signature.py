from __future__ import annotations

import pytest

from detectors.hollow_signature import HollowSignature
from gateway.model.finding import Finding, Severity
from gateway.model.primitive import Address
from tests.detectors.acts import act, findings, first_held
from tests.makers import ENTRY, SENDER, Tape, account, word

ECRECOVER = Address(bytes(19) + b"\x01")
TOKEN, HOLDER = account(50), account(51)


@pytest.mark.parametrize(
    ("exploit", "held_at"),
    [
        ("signatures.hollow-permit", 0),
    ],
)
def test_it_names_the_exploit_and_the_transaction_is_held(exploit: str, held_at: int) -> None:
    found = findings(exploit, HollowSignature.id)
    assert max(finding.severity for finding in found) is Severity.HIGH
    assert first_held(exploit) == held_at


@pytest.mark.parametrize(
    "twin",
    [
        "signatures.permitted-payment",
        "signatures.routed-payment",
        "signatures.relayed-transfer",
    ],
)
def test_it_says_nothing_of_an_honest_twin(twin: str) -> None:
    assert findings(twin, HollowSignature.id) == []
    assert not act(twin).held


def permitted(recovered: bytes, spender: Address = ENTRY) -> list[Finding]:
    """A token is shown a signature of which `recovered` is left, and writes down an allowance of its holder."""
    tape = Tape()
    approval = bytes.fromhex("8c5be1e5ebec7d5bd14f71427d1e84f3dd0314c0f7b2291e5b200ac8c7c3b925")
    with tape.call(ENTRY), tape.call(TOKEN):
        with tape.call(ECRECOVER, output=recovered, code=None):
            pass
        tape.log(TOKEN, (approval, word(HOLDER), word(spender)), (10**18).to_bytes(32, "big"))
    return list(HollowSignature().inspect(tape.subject()))


def test_an_allowance_on_nobodys_signature_is_seen_before_it_is_spent() -> None:
    (finding,) = permitted(b"")
    assert (finding.victim, finding.instrument) == (HOLDER, TOKEN)


def test_an_allowance_that_somebody_signed_is_let_pass() -> None:
    assert permitted(word(HOLDER)) == []


def test_an_allowance_for_somebody_else_is_not_the_strikers() -> None:
    assert permitted(b"", spender=account(77)) == []


ACCOUNT, COIN = account(40), account(41)


def pay(amount: int, recovered: bytes) -> list[Finding]:
    """An office has an account look at a signature, and then pay."""
    tape = Tape()
    with tape.call(ENTRY):
        with tape.call(ACCOUNT):
            tape.read(ACCOUNT, 0, int.from_bytes(ENTRY, "big"))
            asked = word(1) + word(27) + word(5) + word(6)
            with tape.call(ECRECOVER, data=asked, output=recovered, code=None):
                pass
        with tape.call(ACCOUNT), tape.call(COIN):
            tape.move(COIN, ACCOUNT, SENDER, amount, had=1_000)
    return list(HollowSignature().inspect(tape.subject()))


@pytest.mark.parametrize(("amount", "recovered", "told"), [(900, b"", 1), (5, b"", 0), (900, word(account(60)), 0)])
def test_an_account_does_not_pay_by_the_signature_of_nobody(amount: int, recovered: bytes, told: int) -> None:
    assert len(pay(amount, recovered)) == told

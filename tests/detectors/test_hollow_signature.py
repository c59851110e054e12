from __future__ import annotations

import pytest

from detectors.hollow_signature import HollowSignature
from gateway.model.finding import Finding, Severity
from gateway.model.primitive import Address
from gateway.model.trace import FrameKind
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


@pytest.mark.parametrize(
    ("recovered", "owner", "paid", "held"),
    [
        (b"", None, 900, True),
        (word(HOLDER), None, 900, False),
        (b"", SENDER, 900, False),
        (b"", None, 10, False),
    ],
    ids=["nobody's", "somebody's", "its owner asks", "gas"],
)
def test_an_account_that_took_silence_for_its_owners_word(
    recovered: bytes, owner: Address | None, paid: int, *, held: bool
) -> None:
    wallet = account(52)
    tape = Tape()
    with tape.call(ENTRY):
        with tape.call(wallet):
            tape.read(wallet, 0, int.from_bytes(owner or ENTRY, "big"))
            with tape.call(ECRECOVER, output=recovered, kind=FrameKind.STATICCALL):
                pass
        with tape.call(wallet), tape.call(TOKEN):
            tape.move(TOKEN, wallet, ENTRY, paid, had=1000)
    assert bool(list(HollowSignature().inspect(tape.subject()))) is held

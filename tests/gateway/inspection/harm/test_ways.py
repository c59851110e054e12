"""What lets somebody act on the way to a loss."""

from __future__ import annotations

import pytest

from gateway.inspection.consent.given import ECRECOVER
from gateway.model.primitive import Address
from tests.makers import ENTRY, SENDER, Tape, account, word

TOKEN, VAULT, SIGNER, VICTIM, PURSE = (account(number) for number in range(10, 15))
SELECTOR = b"\1\2\3\4"


def forwarded(
    token: Address, payer: Address, *, name: Address = SIGNER, allowed: bool = False, noted: bool = False
) -> bool:
    """A forwarder that `token` names lands the word of a signer, whose name it puts behind the data."""
    tape = Tape()
    with tape.call(ENTRY):
        with tape.call(ECRECOVER, output=word(SIGNER)):
            pass
        with tape.call(token, data=SELECTOR + word(7) + name):
            tape.read(token, 0, int.from_bytes(ENTRY, "big"))
            if allowed:
                tape.read(TOKEN, tape.allowance(payer, SIGNER), 10**6)
            if noted:
                tape.read(token, tape.entry(SIGNER, 3), 1)
            if token == TOKEN:
                tape.move(TOKEN, payer, PURSE, 900, had=1000)
            else:
                with tape.call(TOKEN):
                    tape.move(TOKEN, payer, PURSE, 900, had=1000)
    (loss,) = tape.subject().losses
    return loss.agreed


def test_a_forwarder_speaks_for_who_signed_and_for_nobody_else() -> None:
    assert forwarded(TOKEN, SIGNER)
    assert not forwarded(TOKEN, VICTIM)
    assert forwarded(TOKEN, VICTIM, allowed=True)


def test_a_house_hears_a_signer_whom_it_knew() -> None:
    assert forwarded(VAULT, VAULT, noted=True)
    assert not forwarded(VAULT, VAULT)


def test_who_puts_no_signers_name_behind_the_data_is_no_forwarder() -> None:
    assert forwarded(VAULT, VAULT, name=account(77))


@pytest.mark.parametrize(("named", "agreed"), [(ENTRY, True), (account(70), False)], ids=["caller", "another"])
def test_a_name_may_lie_behind_two_hashes(named: Address, agreed: bool) -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(VAULT):
        top = tape.hashed(tape.hashed(word(TOKEN) + word(named) + word(5)))
        tape.read(VAULT, 4, int.from_bytes(top, "big"))
        with tape.call(TOKEN):
            tape.move(TOKEN, VAULT, ENTRY, 900, had=1000)
    (loss,) = tape.subject().losses
    assert loss.agreed is agreed


@pytest.mark.parametrize("promised", [True, False], ids=["promised", "out of the blue"])
def test_whose_credit_was_promised_by_a_hash_is_no_hearsay(promised: bool) -> None:
    winner = account(71)
    tape = Tape()
    with tape.call(ENTRY), tape.call(VAULT, data=SELECTOR + word(winner)):
        top = tape.hashed(bytes(32) + (winner if promised else account(72)))
        tape.write(VAULT, 4, int.from_bytes(top, "big"), 0)
        tape.write(VAULT, tape.entry(winner, 1), 0, 500)
    said = tape.subject().said
    assert bool(said) is not promised
    assert SENDER not in {one.named for one in said}

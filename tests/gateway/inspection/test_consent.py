from __future__ import annotations

from gateway.decoding.keccak import keccak256
from gateway.inspection.consent import Bond
from gateway.model.primitive import Address
from gateway.model.trace import FrameKind
from tests.makers import ENTRY, SENDER, Tape, account, word

DROP, TOKEN = account(10), account(11)
LEAF, SIBLING = (keccak256(bytes([number])) for number in range(2))
ROOT = keccak256(LEAF + SIBLING)


def processed(before: int, after: int) -> bool:
    """Whether a bridge that finds `before` under a message's hash and leaves `after` there agreed to its payout."""
    tape = Tape()
    with tape.call(ENTRY), tape.call(DROP):
        preimage = LEAF + bytes(32)
        tape.hashed(preimage)
        tape.write(DROP, int.from_bytes(keccak256(preimage), "big"), before, after)
        with tape.call(TOKEN):
            tape.move(TOKEN, DROP, ENTRY, 9, had=10)
    (loss,) = tape.subject().losses
    return loss.agreed


def test_a_message_proved_earlier_and_struck_off_is_consent() -> None:
    assert processed(before=int.from_bytes(ROOT, "big"), after=2)
    assert processed(before=1, after=0)


def test_a_message_that_nobody_had_noted_is_none() -> None:
    assert not processed(before=0, after=2)
    assert not processed(before=10**20, after=10**19)


def test_what_was_created_here_obeys_its_maker() -> None:
    child = account(12)
    tape = Tape()
    with tape.call(ENTRY), tape.call(DROP):
        tape.read(DROP, 0, int.from_bytes(SENDER, "big"))
        with tape.call(child, kind=FrameKind.CREATE):
            pass
        with tape.call(child), tape.call(TOKEN):
            tape.move(TOKEN, child, ENTRY, 9, had=10)
    subject = tape.subject()
    assert Bond.MAKER in subject.consent.bonds(child, {DROP}, before=0)
    assert Bond.MAKER not in subject.consent.bonds(child, {ENTRY}, before=0)


def test_a_proof_argues_for_those_who_knew_whom_they_asked() -> None:
    """A wallet asks a verifier that it stores; a lender that calls a stranger back has been told nothing."""
    pairing, wallet, verifier, lender, stranger = (
        Address(b"\0" * 19 + b"\x08"), account(30), account(31), account(32), account(33)
    )  # fmt: skip
    tape = Tape()
    with tape.call(ENTRY):
        with tape.call(wallet):
            tape.read(wallet, 0, int.from_bytes(verifier, "big"))
            with tape.call(verifier), tape.call(pairing, output=word(1)):
                pass
        with tape.call(lender), tape.call(stranger), tape.call(pairing, output=word(1)):
            pass
    argued = tape.subject().consent.argued
    assert {wallet, verifier, stranger} <= argued
    assert lender not in argued

from __future__ import annotations

from gateway.decoding.keccak import keccak256
from gateway.inspection.consent import Bond
from gateway.inspection.subject import Inspection
from gateway.model.primitive import Hash32
from gateway.model.trace import FrameKind
from tests.makers import ENTRY, SENDER, TRANSACTION, Tape, account

DROP, TOKEN = account(10), account(11)
LEAF, SIBLING, UNCLE = (keccak256(bytes([number])) for number in range(3))
NODE = keccak256(LEAF + SIBLING)
ROOT = keccak256(NODE + UNCLE)


def claim(kept: Hash32) -> Tape:
    """The drop hashes its way from a leaf to the root, and keeps the word `kept`."""
    tape = Tape()
    with tape.call(ENTRY), tape.call(DROP):
        tape.hashed(LEAF + SIBLING)
        tape.hashed(NODE + UNCLE)
        tape.read(DROP, 0, int.from_bytes(kept, "big"))
        with tape.call(TOKEN):
            tape.move(TOKEN, DROP, ENTRY, 9, had=10)
    return tape


def test_a_proof_that_leads_to_a_stored_word_is_consent() -> None:
    (loss,) = claim(ROOT).subject().losses
    assert loss.agreed
    assert loss.bonds == (f"{DROP} {Bond.PROOF}",)


def test_a_root_may_lie_in_the_code() -> None:
    code = b"\x60\x7f" + ROOT + b"\x55"
    result = claim(UNCLE).result({Hash32(b"\x07" * 32): code})
    assert DROP in Inspection(TRANSACTION, result).consent.proved


def test_a_node_on_the_way_or_another_word_is_no_root() -> None:
    for kept in (NODE, UNCLE):
        (loss,) = claim(kept).subject().losses
        assert not loss.agreed


def test_the_slot_of_an_entry_is_no_root() -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(DROP):
        slot = tape.entry(SENDER)
        tape.read(DROP, slot, 0)
        tape.read(DROP, 0, slot)
    assert tape.subject().consent.proved == frozenset()


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

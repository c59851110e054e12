from __future__ import annotations

from gateway.decoding.keccak import keccak256
from gateway.inspection.consent import Bond
from gateway.inspection.subject import Inspection
from gateway.model.primitive import Hash32
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

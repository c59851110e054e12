from gateway.inspection.consent.proof import proven
from gateway.model.primitive import Address, Hash32
from tests.makers import ENTRY, Tape, account, keccak256, word

DROP = account(60)
LEAF, SISTER = keccak256(b"leaf"), keccak256(b"sister")


def claim(root: bytes, but: frozenset[tuple[Address, int]] = frozenset(), code: bytes = b"") -> frozenset[Address]:
    """What counts as proven where a pair of hashes is hashed and the drop reads `root` from its storage."""
    tape = Tape()
    with tape.call(ENTRY), tape.call(DROP, code=Hash32(b"\x08" * 32)):
        tape.hashed(LEAF + SISTER)
        tape.read(DROP, 0, int.from_bytes(root, "big"))
    return proven(tape.result(codes={Hash32(b"\x08" * 32): code}), but)


def test_a_stored_root_that_was_reached_is_a_proof() -> None:
    assert claim(keccak256(LEAF + SISTER)) == {DROP}


def test_a_root_in_the_code_is_one_too() -> None:
    assert claim(bytes(32), code=b"\x7f" + keccak256(LEAF + SISTER)) == {DROP}


def test_another_root_proves_nothing() -> None:
    assert claim(keccak256(b"another")) == frozenset()


def test_a_root_that_the_sender_wrote_lately_proves_nothing() -> None:
    assert claim(keccak256(LEAF + SISTER), but=frozenset({(DROP, 0)})) == frozenset()


def test_mapping_entries_are_no_tree() -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(DROP):
        tape.read(DROP, 0, tape.entry(ENTRY))
    assert proven(tape.result(), frozenset()) == frozenset()


def test_a_claim_that_went_into_no_hash_was_not_proven() -> None:
    """The drop hashes what is claimed; the pair holds that hash, or two that were only brought along."""
    for whole in (True, False):
        tape = Tape()
        with tape.call(ENTRY), tape.call(DROP):
            leaf = tape.hashed(word(ENTRY) + word(7) + word(900))
            pair = (leaf if whole else LEAF) + SISTER
            tape.hashed(pair)
            tape.read(DROP, 0, int.from_bytes(keccak256(pair), "big"))
        assert proven(tape.result(), frozenset(), frozenset({ENTRY})) == ({DROP} if whole else frozenset())

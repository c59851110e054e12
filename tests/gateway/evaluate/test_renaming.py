from __future__ import annotations

from gateway.decoding.keccak import keccak256
from gateway.evaluate.renaming import Renaming, create_address, stand_in, with_children
from gateway.model.primitive import Address
from gateway.model.state import AccountState
from gateway.model.trace import FrameKind
from tests.makers import ENTRY, SENDER, Tape, account, word

OLD, NEW, TOKEN = account(30), account(31), account(32)


def slot_of(*words: bytes) -> int:
    """The slot of nested mappings: keys outermost last."""
    at = word(3)
    for key in words:
        at = keccak256(key + at)
    return int.from_bytes(at, "big")


def renaming() -> Renaming:
    outer = word(OLD) + word(3)
    inner = word(ENTRY) + keccak256(outer)
    preimages = {int.from_bytes(keccak256(data), "big"): data for data in (outer, inner, word(ENTRY) + word(3))}
    return Renaming({OLD: NEW}, preimages, (b"\x01\x02\x03\x04" + word(OLD), b"\x05"))


def test_entries_move_with_their_keys_also_nested_ones_and_structs() -> None:
    made = renaming()
    assert made.slot(slot_of(word(OLD))) == slot_of(word(NEW))
    assert made.slot(slot_of(word(OLD)) + 2) == slot_of(word(NEW)) + 2
    assert made.slot(slot_of(word(OLD), word(ENTRY))) == slot_of(word(NEW), word(ENTRY))
    assert made.slot(slot_of(word(ENTRY))) == slot_of(word(ENTRY))
    assert made.slot(5) == 5


def test_words_and_texts_are_renamed_where_the_address_stands() -> None:
    made = renaming()
    assert made.value(int.from_bytes(word(OLD), "big")) == int.from_bytes(word(NEW), "big")
    packed = (int.from_bytes(OLD, "big") << 8) | 1
    assert made.value(packed) == (int.from_bytes(NEW, "big") << 8) | 1
    assert made.value(77) == 77
    assert made.text(b"a" + OLD + b"b") == b"a" + NEW + b"b"


def test_code_keeps_the_calls_that_it_waits_for() -> None:
    made = renaming()
    data = b"\x01\x02\x03\x04"
    waiting = keccak256(data + word(OLD))[:8]
    assert made.code(b"\x60" + waiting + OLD) == b"\x60" + keccak256(data + word(NEW))[:8] + NEW


def test_state_moves_and_the_old_place_is_empty() -> None:
    accounts = {OLD: AccountState(3, 7), TOKEN: AccountState(1, 0, b"\x73" + OLD, keccak256(b"\x73" + OLD))}
    slots = {(TOKEN, slot_of(word(OLD))): 9, (TOKEN, 1): int.from_bytes(OLD, "big"), (TOKEN, 2): 5, (OLD, 0): 4}
    batch = renaming().state(accounts, slots)
    assert batch.accounts[NEW] == AccountState(3, 7)
    assert batch.accounts[OLD] == AccountState()
    assert batch.accounts[TOKEN].code == b"\x73" + NEW
    assert batch.accounts[TOKEN].code_hash == keccak256(b"\x73" + NEW)
    assert batch.slots == {
        (TOKEN, slot_of(word(OLD))): 0,
        (TOKEN, slot_of(word(NEW))): 9,
        (TOKEN, 1): int.from_bytes(NEW, "big"),
        (OLD, 0): 0,
        (NEW, 0): 4,
    }


def test_children_follow_their_makers() -> None:
    child = create_address(ENTRY, 5)
    tape = Tape()
    with tape.call(ENTRY), tape.call(child, kind=FrameKind.CREATE):
        pass
    names = with_children({ENTRY: NEW}, [tape.result()], {ENTRY: -4})
    assert names == {ENTRY: NEW, child: create_address(NEW, 1)}


def test_create_address_is_that_of_the_yellow_paper() -> None:
    creator = Address(bytes.fromhex("6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0"))
    assert create_address(creator, 0).hex() == "cd234a471b72ba2f1ccf0a70fcaba648a5eecd8d"


def test_a_stand_in_is_always_the_same_and_another() -> None:
    assert stand_in(SENDER, "a") == stand_in(SENDER, "a")
    assert len({stand_in(SENDER, "a"), stand_in(SENDER, "b"), stand_in(ENTRY, "a"), SENDER}) == 4

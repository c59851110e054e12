"""What contracts had kept about accounts: by which layouts of storage it is read, and what does not count."""

from __future__ import annotations

import pytest

from gateway.decoding.keccak import keccak256
from gateway.model.fold import Kept, fold_kept
from gateway.model.frame import SlotUse
from gateway.model.primitive import Address
from tests.makers import account, word

CONTRACT, ALICE, BOB, STRANGER = account(1), account(2), account(3), account(4)
PARTIES = {ALICE, BOB, STRANGER}


def number(data: bytes) -> int:
    return int.from_bytes(keccak256(data), "big")


def kept(slot: int, value: int, *hashed: bytes, but: bool = False) -> Kept:
    uses = [SlotUse(CONTRACT, slot, value, False, -1, -1)]
    left_out = frozenset({(CONTRACT, slot)}) if but else frozenset()
    return fold_kept(uses, {number(data): data for data in hashed}, PARTIES, left_out)


def test_a_solidity_entry_and_its_struct() -> None:
    key = word(ALICE) + word(3)
    assert kept(number(key), 5, key).entries == {CONTRACT: {ALICE}}
    assert kept(number(key) + 7, 5, key).entries == {CONTRACT: {ALICE}}
    assert kept(number(key) + 8, 5, key).entries == {}
    assert kept(number(key), 0, key).entries == {}
    assert kept(number(key), 5, key, but=True).entries == {}


@pytest.mark.parametrize("vyper", [False, True])
def test_an_allowance_in_the_order_of_each_language(vyper: bool) -> None:
    if vyper:
        inner = word(4) + word(ALICE)
        outer = keccak256(inner) + word(BOB)
    else:
        inner = word(ALICE) + word(4)
        outer = word(BOB) + keccak256(inner)
    assert (CONTRACT, ALICE, BOB) in kept(number(outer), 9, inner, outer).allowances


def test_packed_keys() -> None:
    seeded = bytes(ALICE) + b"\x87\xa2\x11\xa2" + bytes(8)
    assert kept(number(seeded), 1, seeded).entries == {CONTRACT: {ALICE}}
    flagged = bytes(ALICE) + b"\x01"
    assert kept(number(flagged), 1, flagged).entries == {CONTRACT: {ALICE}}
    tight = bytes(ALICE) + bytes(12) + bytes(BOB)
    assert kept(number(tight), 1, tight).allowances == {(CONTRACT, ALICE, BOB)}


TERMS = word(7) + word(ALICE) + word(10**18) + word(BOB)


def test_terms_that_are_kept_as_their_hash() -> None:
    assert kept(2, number(TERMS), TERMS).terms == {CONTRACT: {ALICE, BOB}}
    assert kept(2, number(TERMS) ^ 1, TERMS).terms == {}


def test_terms_that_are_the_key_of_an_entry() -> None:
    key = keccak256(TERMS) + word(5)
    assert kept(number(key), 1, TERMS, key).terms == {CONTRACT: {ALICE, BOB}}
    assert kept(number(key), 0, TERMS, key).terms == {}
    assert kept(number(key), 1, TERMS, key, but=True).terms == {}


def test_a_contract_is_no_party_to_its_own_terms() -> None:
    terms = word(ALICE) + word(CONTRACT) + word(1)
    uses = [SlotUse(CONTRACT, 2, number(terms), False, -1, -1)]
    found = fold_kept(uses, {number(terms): terms}, {ALICE, CONTRACT})
    assert found.terms == {CONTRACT: {ALICE}}


def test_an_address_in_a_word() -> None:
    packed = int.from_bytes(bytes(4) + bytes(BOB) + bytes(8), "big")
    assert kept(0, packed, word(0)).stored == {CONTRACT: {BOB}}
    assert kept(0, int.from_bytes(bytes(Address(bytes(19) + b"\x04")), "big")).stored == {}

from __future__ import annotations

from pathlib import Path

from gateway.live.codes import CodeStore, code_hash
from gateway.model.primitive import EMPTY_CODE_HASH, Address

ONE, TWO = Address(b"\x01" * 20), Address(b"\x02" * 20)


def test_code_is_kept_once_and_the_least_used_leaves_first() -> None:
    codes = CodeStore(max_bytes=25)
    first = codes.put(ONE, b"a" * 10)
    second = codes.put(TWO, b"b" * 10)
    assert codes.put(TWO, b"b" * 10) == second
    assert codes.get(first) == b"a" * 10
    codes.put(Address(b"\x03" * 20), b"c" * 10)
    assert codes.get(second) is None
    assert codes.hint(TWO) is None
    assert codes.hint(ONE) == first
    assert codes.get(EMPTY_CODE_HASH) == b""
    assert codes.put(TWO, b"") == EMPTY_CODE_HASH


def test_it_is_there_after_a_restart_and_damage_costs_only_a_fetch(tmp_path: Path) -> None:
    codes = CodeStore(tmp_path)
    first, second = codes.put(ONE, b"one"), codes.put(TWO, b"two")
    codes.save(codes.take_unsaved())
    codes.save(codes.take_unsaved())
    (tmp_path / second.hex()).write_bytes(b"not two")
    with (tmp_path / "addresses").open("a") as file:
        file.write("half a li")
    again = CodeStore(tmp_path)
    assert (again.hint(ONE), again.get(first)) == (first, b"one")
    assert (again.hint(TWO), again.get(second)) == (None, None)
    assert not again.take_unsaved()


def test_other_code_at_an_address_is_remembered_but_delegations_are_not() -> None:
    codes = CodeStore()
    first = codes.put(ONE, b"one")
    assert codes.recreated(ONE) is None
    assert codes.would_recreate(ONE, b"other") == (first, code_hash(b"other"))
    assert codes.would_recreate(ONE, b"one") is None
    assert codes.would_recreate(TWO, b"other") is None
    codes.put(ONE, b"")
    second = codes.put(ONE, b"other")
    assert codes.recreated(ONE) == (first, second)
    codes.put(TWO, b"\xef\x01\x00" + bytes(20))
    codes.put(TWO, b"\xef\x01\x00" + bytes([1]) * 20)
    assert codes.recreated(TWO) is None

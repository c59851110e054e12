from __future__ import annotations

import pytest
import rlp as reference
from hypothesis import given
from hypothesis import strategies as st

from gateway.decoding import rlp
from gateway.errors import DecodingError

ITEMS = st.recursive(st.binary(max_size=80), lambda inner: st.lists(inner, max_size=5), max_leaves=12)


def depth(item: object) -> int:
    return 1 + max((depth(part) for part in item), default=0) if isinstance(item, list) else 0


@given(ITEMS.filter(lambda item: depth(item) <= rlp.MAX_DEPTH))
def test_decode_undoes_encode_and_agrees_with_pyrlp(item: rlp.Item) -> None:
    encoded = rlp.encode(item)
    assert encoded == reference.encode(item)
    assert rlp.decode(encoded) == item


@given(st.binary(max_size=200))
def test_whatever_decodes_has_exactly_one_spelling(data: bytes) -> None:
    try:
        item = rlp.decode(data)
    except DecodingError:
        return
    assert rlp.encode(item) == data


@given(st.integers(min_value=0, max_value=2**256 - 1))
def test_numbers_are_written_without_leading_zero(number: int) -> None:
    assert rlp.encode(number) == reference.encode(number)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "ends at byte 0"),
        (b"\x80\x00", "trailing"),
        (b"\x81\x7f", "stand for itself"),
        (b"\xb8\x01a", "short form"),
        (b"\xb9\x00\x38" + b"a" * 56, "leading zero"),
        (b"\xb9\x01", "truncated"),
        (b"\x83ab", "needs 3 bytes, 2 are left"),
        (b"\xc3\x83ab", "needs 3 bytes, 2 are left"),
        (b"\xc5\xc4\xc3\xc2\xc1\xc0", "nested deeper"),
        (b"\xbf" + b"\xff" * 8, "are left"),
    ],
)
def test_each_broken_rule_is_named(data: bytes, words: str) -> None:
    with pytest.raises(DecodingError, match=words):
        rlp.decode(data)

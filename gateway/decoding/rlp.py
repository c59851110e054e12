"""Canonical RLP in both directions: bytes and lists, nothing else.

Own code because a decoder that accepts two spellings of one transaction would give it two hashes,
and because the message must say which rule was broken. Source: Yellow Paper, appendix B.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from gateway.errors import DecodingError

Item: TypeAlias = "bytes | list[Item]"
Encodable: TypeAlias = "bytes | int | Sequence[Encodable]"

MAX_DEPTH = 4
"""An access list lies three lists deep, an authorization two; deeper nesting is no transaction."""


def decode(data: bytes) -> Item:
    """Decode exactly one item that fills `data`.

    Raises:
        DecodingError: truncated, trailing bytes, a length that is not minimal, or nesting beyond MAX_DEPTH.
    """
    item, end = _decode_at(data, 0, len(data), MAX_DEPTH)
    if end != len(data):
        raise DecodingError(f"RLP has {len(data) - end} trailing bytes after the item")
    return item


def _decode_at(data: bytes, start: int, limit: int, depth: int) -> tuple[Item, int]:
    if start >= limit:
        raise DecodingError(f"RLP ends at byte {start} where an item should begin")
    first = data[start]
    if first < 0x80:
        return data[start : start + 1], start + 1
    if first < 0xC0:
        begin, end = _span(data, start, limit, first, 0x80)
        if end - begin == 1 and data[begin] < 0x80:
            raise DecodingError(f"RLP byte {data[begin]:#04x} at {begin} must stand for itself, without a length")
        return data[begin:end], end
    if depth == 0:
        raise DecodingError(f"RLP is nested deeper than {MAX_DEPTH} lists")
    begin, end = _span(data, start, limit, first, 0xC0)
    items: list[Item] = []
    position = begin
    while position < end:
        item, position = _decode_at(data, position, end, depth - 1)
        items.append(item)
    return items, end


def _span(data: bytes, start: int, limit: int, first: int, offset: int) -> tuple[int, int]:
    """First and last byte of the payload of the string or list that begins at `start`."""
    length = first - offset
    begin = start + 1
    if length > 55:
        size = length - 55
        digits = data[begin : begin + size]
        begin += size
        if len(digits) < size or begin > limit:
            raise DecodingError(f"RLP length at byte {start} is truncated")
        if digits[0] == 0:
            raise DecodingError(f"RLP length at byte {start} has a leading zero")
        length = int.from_bytes(digits, "big")
        if length <= 55:
            raise DecodingError(f"RLP length {length} at byte {start} is not in its short form")
    if begin + length > limit:
        raise DecodingError(f"RLP item at byte {start} needs {length} bytes, {limit - begin} are left")
    return begin, begin + length


def encode(item: Encodable) -> bytes:
    """Encode bytes, non-negative integers (big-endian, no leading zero) and sequences of them."""
    if isinstance(item, int):
        item = item.to_bytes((item.bit_length() + 7) // 8, "big")
    if isinstance(item, bytes):
        if len(item) == 1 and item[0] < 0x80:
            return item
        return _prefix(len(item), 0x80) + item
    payload = b"".join([encode(part) for part in item])
    return _prefix(len(payload), 0xC0) + payload


def _prefix(length: int, offset: int) -> bytes:
    if length <= 55:
        return bytes([offset + length])
    digits = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([offset + 55 + len(digits)]) + digits

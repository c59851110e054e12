"""Addresses and hashes: bytes inside, hex only at the edges."""

from __future__ import annotations

from typing import Self


class _FixedBytes(bytes):
    """Bytes of one fixed length; the subclass names it."""

    __slots__ = ()
    size = 0

    def __new__(cls, data: bytes = b"") -> Self:
        """Wrap `data`; empty means all zero.

        Raises:
            ValueError: `data` has another length.
        """
        if len(data) != cls.size:
            if data:
                raise ValueError(f"{cls.__name__} needs {cls.size} bytes, got {len(data)}")
            data = bytes(cls.size)
        return super().__new__(cls, data)

    @classmethod
    def from_hex(cls, text: str) -> Self:
        """Parse `0x` plus exactly `2 * size` hex digits; raises ValueError otherwise."""
        if len(text) != 2 + 2 * cls.size or text[:2] not in ("0x", "0X"):
            raise ValueError(f"{cls.__name__} needs 0x and {2 * cls.size} hex digits, got {text[:80]!r}")
        return cls(bytes.fromhex(text[2:]))

    def __str__(self) -> str:
        return "0x" + self.hex()

    __repr__ = __str__


class Address(_FixedBytes):
    """An account address, 20 bytes."""

    __slots__ = ()
    size = 20


class Hash32(_FixedBytes):
    """A 32-byte hash: transaction, block or code."""

    __slots__ = ()
    size = 32


ZERO_ADDRESS = Address(bytes(20))
EMPTY_CODE_HASH = Hash32.from_hex("0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470")
"""keccak256 of no bytes: the code hash of an account without code."""

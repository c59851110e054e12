"""JSON-RPC values to state values; every malformed answer is named, none is read as zero."""

from __future__ import annotations

from gateway.errors import UpstreamNonsense, UpstreamRefused
from gateway.model.primitive import Address, Hash32


def at_block(block: Hash32) -> dict[str, str]:
    """EIP-1898: a block named by hash, so that a reorg cannot change what is meant."""
    return {"blockHash": str(block)}


def quantity(value: object, what: str) -> int:
    """A 0x number, padded or not. Raises UpstreamRefused if the node refused, UpstreamNonsense if it is no number."""
    if isinstance(value, UpstreamRefused):
        raise value
    if isinstance(value, str) and value[:2] in ("0x", "0X") and 2 < len(value) <= 66:
        try:
            return int(value, 16)
        except ValueError:
            pass
    raise UpstreamNonsense(f"{what}: not a number: {str(value)[:80]!r}")


def data(value: object, what: str) -> bytes:
    """0x bytes. Raises as `quantity` does."""
    if isinstance(value, UpstreamRefused):
        raise value
    if isinstance(value, str) and value[:2] in ("0x", "0X"):
        try:
            return bytes.fromhex(value[2:])
        except ValueError:
            pass
    raise UpstreamNonsense(f"{what}: not bytes: {str(value)[:80]!r}")


def address(value: object, what: str) -> Address:
    """A 0x address. Raises as `quantity` does."""
    raw = data(value, what)
    if len(raw) != Address.size:
        raise UpstreamNonsense(f"{what}: not an address: {str(value)[:80]!r}")
    return Address(raw)


def hash32(value: object, what: str) -> Hash32:
    """A 0x hash. Raises as `quantity` does."""
    raw = data(value, what)
    if len(raw) != Hash32.size:
        raise UpstreamNonsense(f"{what}: not a hash: {str(value)[:80]!r}")
    return Hash32(raw)


def members(value: object, what: str) -> dict[str, object]:
    """A JSON object. Raises as `quantity` does."""
    if isinstance(value, UpstreamRefused):
        raise value
    if not isinstance(value, dict):
        raise UpstreamNonsense(f"{what}: not an object: {str(value)[:80]!r}")
    return value


def items(value: object, what: str) -> list[object]:
    """A JSON array. Raises as `quantity` does."""
    if isinstance(value, UpstreamRefused):
        raise value
    if not isinstance(value, list):
        raise UpstreamNonsense(f"{what}: not an array: {str(value)[:80]!r}")
    return value

"""Reads the positional parameters of the few methods that the gateway answers or inspects itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import msgspec

from gateway.jsonrpc.errors import Code, RpcError
from gateway.jsonrpc.message import Request
from gateway.model.primitive import Hash32
from gateway.model.transaction import RawTransaction

_decode = msgspec.json.Decoder(list[object]).decode


def positional(request: Request, least: int, most: int) -> list[object]:
    """The parameters as JSON values. Raises RpcError if they are no array of `least` to `most` items."""
    try:
        values = _decode(request.params)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise RpcError(Code.INVALID_PARAMS, f"{request.method} takes an array of parameters") from None
    if not least <= len(values) <= most:
        expected = str(least) if least == most else f"{least} to {most}"
        raise RpcError(Code.INVALID_PARAMS, f"{request.method} takes {expected} parameters, got {len(values)}")
    return values


def raw_transaction(value: object, limit: int, keccak: Callable[[bytes], bytes]) -> RawTransaction:
    """Signed bytes from `0x` hex, at most `limit` bytes."""
    if not isinstance(value, str) or not value.startswith("0x"):
        raise RpcError(Code.INVALID_PARAMS, "a raw transaction is a string of hex digits after 0x")
    if len(value) > 2 + 2 * limit:
        raise RpcError(Code.LIMIT_EXCEEDED, f"oversized data: a transaction has at most {limit} bytes")
    try:
        data = bytes.fromhex(value[2:])
    except ValueError:
        data = b""
    # fromhex passes over white space; what is not exactly two digits a byte is refused with the rest.
    if not data or 2 * len(data) != len(value) - 2:
        raise RpcError(Code.INVALID_PARAMS, "a raw transaction is an even number of hex digits after 0x, at least two")
    return RawTransaction(data, Hash32(keccak(data)))


def transaction_hash(value: object) -> Hash32:
    """A 32-byte hash from `0x` hex."""
    if isinstance(value, str):
        try:
            return Hash32.from_hex(value)
        except ValueError:
            pass
    raise RpcError(Code.INVALID_PARAMS, "a transaction hash is 64 hex digits after 0x")


def timeout(value: object, default: timedelta, most: timedelta) -> timedelta:
    """A time limit in milliseconds, as a number or a 0x quantity; never more than `most`."""
    if value is None:
        return default
    if isinstance(value, str) and value.startswith("0x"):
        try:
            value = int(value, 16)
        except ValueError:
            value = None
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise RpcError(Code.INVALID_PARAMS, "the time limit is a positive number of milliseconds")
    return min(timedelta(milliseconds=min(value, 10**9)), most)

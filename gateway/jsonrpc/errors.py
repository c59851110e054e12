"""Every error code the gateway answers with, and the shape of its data, in one block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum


class Code(IntEnum):
    """JSON-RPC 2.0 and EIP-1474 codes, with what each means *here*."""

    PARSE = -32700
    """the body is no JSON"""
    INVALID_REQUEST = -32600
    """JSON, but no JSON-RPC 2.0 request"""
    METHOD_NOT_FOUND = -32601
    """unknown here, or never served to the public"""
    INVALID_PARAMS = -32602
    """wrong number or kind of parameters"""
    INTERNAL = -32603
    """the gateway or its upstream failed; `data.status` RECEIVED if a submission's fate is still open"""
    INVALID_INPUT = -32000
    """no transaction that this chain takes; the message is geth's where geth has one"""
    RESOURCE_NOT_FOUND = -32001
    RESOURCE_UNAVAILABLE = -32002
    """not used: wallets read it as "request already pending" """
    TRANSACTION_REJECTED = -32003
    """held, deferred, parked or rejected; `data.status` says which"""
    NOT_SUPPORTED = -32004
    """a method refused by name, with the reason in the message"""
    LIMIT_EXCEEDED = -32005
    """too large, too deep, too many"""


@dataclass(frozen=True, slots=True)
class ErrorObject:
    """The `error` member of an answer."""

    code: int
    message: str
    data: Mapping[str, object] | None = None


class RpcError(Exception):
    """Ends one request with this error object; the endpoint turns it into the answer."""

    def __init__(self, code: int, message: str, data: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.error = ErrorObject(code, message, data)


def submission_data(
    *,
    status: str,
    reason_class: str,
    retry: str,
    case_id: str | None = None,
    status_url: str | None = None,
    expires_at: str | None = None,
) -> dict[str, object]:
    """The data of every answer about a submission that was not simply forwarded.

    `retry` is advice to a program: "no" (the same bytes will never pass), "same-hash" (asking again gives the same
    case and its present status), "later" (nothing is kept, submit again). Members that are None are left out.
    """
    data: dict[str, object] = {"status": status, "reasonClass": reason_class, "retry": retry}
    if case_id is not None:
        data["caseId"] = case_id
    if status_url is not None:
        data["statusUrl"] = status_url
    if expires_at is not None:
        data["expiresAt"] = expires_at
    return data

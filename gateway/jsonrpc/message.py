"""Strict JSON-RPC 2.0 messages: bytes to values and back, every value that is passed on kept as the bytes received.

Two parsers that read one text differently are a way around inspection: Go's `encoding/json`, for one, matches member
names without regard to case and has its own idea of duplicates. So nothing received is ever sent on as it came: the
envelope is built anew from the parsed method and the untouched slice of `params`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import msgspec

from gateway.jsonrpc.errors import Code, ErrorObject, RpcError

NULL_ID = b"null"


@dataclass(frozen=True, slots=True)
class MessageLimits:
    """Bounds that are checked before anything is built."""

    body_bytes: int = 5 * 1024 * 1024
    """geth's own default"""
    depth: int = 64
    """brackets inside brackets"""
    batch_items: int = 100
    id_bytes: int = 256
    method_bytes: int = 128


class _Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Exactly these members, in exactly this case."""

    jsonrpc: Literal["2.0"]
    method: str
    params: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    id: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _UpstreamAnswer(msgspec.Struct, frozen=True):
    """An answer from upstream; members we do not know are let go."""

    jsonrpc: str = "2.0"
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


@dataclass(frozen=True, slots=True)
class Request:
    """One call. `id` is the client's id as the bytes it sent; None makes it a notification, which gets no answer."""

    method: str
    params: bytes
    """a JSON array or object, as received; `[]` if there were none"""
    id: bytes | None

    @property
    def answer_id(self) -> bytes:
        """The id for an answer; `null` if there is none to give."""
        return NULL_ID if self.id is None else self.id


@dataclass(frozen=True, slots=True)
class Refused:
    """An item that is no request; answered with its error, under its id where that could be read."""

    error: ErrorObject
    id: bytes = NULL_ID


Item = Request | Refused

_envelope = msgspec.json.Decoder(_Envelope)
_items = msgspec.json.Decoder(list[msgspec.Raw])
_answer = msgspec.json.Decoder(_UpstreamAnswer)
_encoder = msgspec.json.Encoder()
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_BRACKET = re.compile(rb"[\[\]{}]")
_LEADING_SPACE = b" \t\r\n"
_DIGITS = b"-0123456789"


def parse(body: bytes, limits: MessageLimits = MessageLimits()) -> Item | list[Item]:
    """Read a body: one item, or a batch as a list.

    Raises:
        RpcError: the body as a whole cannot be answered item by item (no JSON, too deep, an empty or too large batch).
    """
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError as error:
            raise RpcError(Code.PARSE, f"parse error: the body is not UTF-8 at byte {error.start}") from None
    _check_depth(body, limits.depth)
    if body.lstrip(_LEADING_SPACE)[:1] != b"[":
        return _parse_item(body, limits, whole=True)
    try:
        items = _items.decode(body)
    except (msgspec.MsgspecError, ValueError) as error:
        raise RpcError(Code.PARSE, f"parse error: {_brief(error)}") from None
    if not items:
        raise RpcError(Code.INVALID_REQUEST, "invalid request: the batch is empty")
    if len(items) > limits.batch_items:
        raise RpcError(
            Code.LIMIT_EXCEEDED, f"batch of {len(items)} items is over the limit of {limits.batch_items}; split it"
        )
    return [_parse_item(bytes(item), limits, whole=False) for item in items]


def _parse_item(data: bytes, limits: MessageLimits, *, whole: bool) -> Item:
    try:
        envelope = _envelope.decode(data)
    except msgspec.ValidationError as error:
        return Refused(
            ErrorObject(Code.INVALID_REQUEST, f"invalid request: {_brief(error)}"), _salvage_id(data, limits)
        )
    except (msgspec.MsgspecError, ValueError) as error:
        if whole:
            raise RpcError(Code.PARSE, f"parse error: {_brief(error)}") from None
        return Refused(ErrorObject(Code.PARSE, f"parse error: {_brief(error)}"))
    identity = None if isinstance(envelope.id, msgspec.UnsetType) else bytes(envelope.id)
    if identity is not None and not _is_id(identity, limits):
        message = f"invalid request: id must be a string, a number or null of at most {limits.id_bytes} bytes"
        return Refused(ErrorObject(Code.INVALID_REQUEST, message))
    if len(envelope.method) > limits.method_bytes:
        message = f"invalid request: method is longer than {limits.method_bytes} characters"
        return Refused(ErrorObject(Code.INVALID_REQUEST, message), identity or NULL_ID)
    params = b"[]" if isinstance(envelope.params, msgspec.UnsetType) else bytes(envelope.params)
    if params == b"null":
        params = b"[]"
    if params[:1] not in (b"[", b"{"):
        message = "invalid request: params must be an array or an object"
        return Refused(ErrorObject(Code.INVALID_REQUEST, message), identity or NULL_ID)
    return Request(envelope.method, params, identity)


def _is_id(raw: bytes, limits: MessageLimits) -> bool:
    return len(raw) <= limits.id_bytes and (raw == NULL_ID or raw[:1] == b'"' or raw[:1] in _DIGITS)


class _OnlyId(msgspec.Struct):
    id: msgspec.Raw = msgspec.Raw(NULL_ID)


_only_id = msgspec.json.Decoder(_OnlyId)


def _salvage_id(data: bytes, limits: MessageLimits) -> bytes:
    """The id of an item that is no request otherwise, so that its sender can tell which one failed."""
    try:
        raw = bytes(_only_id.decode(data).id)
    except msgspec.MsgspecError:
        return NULL_ID
    return raw if _is_id(raw, limits) else NULL_ID


def _check_depth(body: bytes, limit: int) -> None:
    """Refuse deep nesting before a recursive parser sees it. Counting openings alone settles nearly every body."""
    if body.count(b"[") + body.count(b"{") <= limit:
        return
    depth = 0
    for bracket in _BRACKET.finditer(_STRING.sub(b"", body)):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > limit:
            raise RpcError(Code.LIMIT_EXCEEDED, f"nested deeper than {limit} levels")


def _brief(error: Exception) -> str:
    return str(error)[:200]


def envelope(method: str, params: bytes, identity: int = 1) -> bytes:
    """The request that goes upstream; `params` is copied as it is."""
    return b'{"jsonrpc":"2.0","id":%d,"method":%s,"params":%s}' % (identity, _encoder.encode(method), params)


def read_answer(body: bytes) -> tuple[bytes, bytes]:
    """Split an upstream answer into (member name, raw value), where the name is `result` or `error`.

    Raises:
        ValueError: the body is no JSON-RPC answer; the message says in which way.
    """
    try:
        answer = _answer.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ValueError(f"the answer is no JSON-RPC object: {_brief(error)}") from None
    failed = not isinstance(answer.error, msgspec.UnsetType) and bytes(answer.error) != b"null"
    if failed and isinstance(answer.error, msgspec.Raw):
        if bytes(answer.error)[:1] != b"{":
            raise ValueError("the answer's error is no object")
        return b"error", bytes(answer.error)
    if isinstance(answer.result, msgspec.UnsetType):
        raise ValueError("the answer has neither result nor error")
    return b"result", bytes(answer.result)


def answer(identity: bytes, member: bytes, value: bytes) -> bytes:
    """An answer around a raw `result` or `error` value."""
    return b'{"jsonrpc":"2.0","id":%s,"%s":%s}' % (identity, member, value)


def result(identity: bytes, value: object) -> bytes:
    """An answer with a value of our own."""
    return answer(identity, b"result", _encoder.encode(value))


def failure(identity: bytes, error: ErrorObject) -> bytes:
    """An answer with an error of our own."""
    body: dict[str, object] = {"code": int(error.code), "message": error.message}
    if error.data is not None:
        body["data"] = error.data
    return answer(identity, b"error", _encoder.encode(body))


def join(answers: list[bytes]) -> bytes:
    """A batch answer."""
    return b"[" + b",".join(answers) + b"]"

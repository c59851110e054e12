"""The one protocol through which anything reaches a node's RPC."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from gateway.errors import UpstreamRefused
from gateway.model.transaction import RawTransaction

Call = tuple[str, Sequence[object]]
"""Method and positional parameters, as plain JSON values."""


@dataclass(frozen=True, slots=True)
class UpstreamLimits:
    """Bounds of one upstream client."""

    connect_timeout: float = 2.0
    """seconds"""
    read_timeout: float = 10.0
    """seconds for one request, connection included"""
    send_timeout: float = 20.0
    """seconds for one submission: longer, because giving up on it is expensive"""
    answer_bytes: int = 64 * 1024 * 1024
    connections: int = 64
    """kept open and reused"""


class Upstream(Protocol):
    """A node's JSON-RPC.

    Reads may be repeated, also at another node. A submission is never repeated by this layer: after
    `UpstreamSilent` or `UpstreamNonsense` it may have been taken, and only a look-up by hash can tell.

    `within` is the time limit of one request in seconds, instead of the client's own. Every method raises:
        UpstreamUnreachable: nothing was sent.
        UpstreamSilent: sent, no whole answer within the time limit.
        UpstreamNonsense: the answer is unusable.
    """

    async def call(self, method: str, params: Sequence[object] = (), *, within: float | None = None) -> object:
        """The result of one read. Raises UpstreamRefused for a JSON-RPC error."""

    async def batch(self, calls: Sequence[Call], *, within: float | None = None) -> list[object | UpstreamRefused]:
        """The results of several reads sent as one JSON-RPC batch, in the order of `calls`."""

    async def forward(self, body: bytes) -> bytes:
        """Pass one read request through and return the answer's bytes untouched."""

    async def submit(self, body: bytes) -> bytes:
        """Pass one request that changes the chain through, once; the answer's bytes untouched."""

    async def send_raw(self, raw: RawTransaction) -> bytes:
        """Submit `raw` by eth_sendRawTransaction, once; the answer's bytes, JSON-RPC id 1."""

    async def close(self) -> None:
        """Close all connections; idempotent."""


def submission_body(raw: RawTransaction) -> bytes:
    """The request that `send_raw` makes."""
    return b'{"jsonrpc":"2.0","id":1,"method":"eth_sendRawTransaction","params":["0x' + raw.data.hex().encode() + b'"]}'


def place_of(url: str) -> str:
    """Host and port of a URL: what may be shown, for path, query and user often hold a provider's key."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.hostname or '?'}{port}"

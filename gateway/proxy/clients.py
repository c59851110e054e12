"""Who a connection belongs to: an API key where one is given, else an address."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from gateway.model.transaction import Client

KEY_PATH = "/key/"
"""wallets can set no header, but any URL: POST /key/<API key>"""


class UnknownKey(Exception):
    """The key is not one of ours, or none was given where one is needed."""


def key_digest(key: str) -> str:
    """What is kept of an API key: its SHA-256 in hex. Keys are long and random, so that no salt is needed."""
    return hashlib.sha256(key.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ClientDesk:
    """Tells clients apart."""

    keys: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """digest of the key -> its id"""
    required: bool = False
    """True: nobody is served without a key"""

    def identify(self, scope: MutableMapping[str, Any]) -> Client:
        """The client of an ASGI connection. Its address is the proxy's word where the server trusts the proxy.

        Raises:
            UnknownKey: says why nobody is served here.
        """
        peer = scope.get("client")
        key = _key(scope["path"], scope["headers"])
        if not key:
            if self.required:
                raise UnknownKey("an API key is needed: send it as X-Api-Key, or POST to /key/<API key>")
            return Client(peer[0] if peer else "")
        digest = key_digest(key)
        for known, name in self.keys.items():
            if hmac.compare_digest(known, digest):
                return Client(peer[0] if peer else "", name)
        raise UnknownKey("this API key is not known here")


def is_rpc_path(path: str) -> bool:
    """True where JSON-RPC is served."""
    return path == "/" or path.startswith(KEY_PATH)


def _key(path: str, headers: Iterable[tuple[bytes, bytes]]) -> str:
    if path.startswith(KEY_PATH):
        return path[len(KEY_PATH) :]
    for name, value in headers:
        text = value.decode("latin-1").strip()
        if name == b"x-api-key":
            return text
        if name == b"authorization" and text[:7].lower() == "bearer ":
            return text[7:].strip()
    return ""

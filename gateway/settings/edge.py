"""Settings of the public edge: where it listens, what it takes, and what one client may ask for."""

from __future__ import annotations

import re
from ipaddress import ip_network

from pydantic import Field, field_validator

from gateway.settings.group import Group, Words, WordSet
from gateway.settings.listen import split_listen


class RpcSettings(Group):
    """The public edge."""

    listen: str = "127.0.0.1:8080"
    """host:port"""
    public_url: str = ""
    """what clients reach this gateway by, for status links; empty: http:// and `listen`"""
    body_bytes: int = Field(default=5 * 1024 * 1024, ge=1024)
    depth: int = Field(default=64, ge=4, le=500)
    batch_items: int = Field(default=100, ge=1)
    transaction_bytes: int = Field(default=128 * 1024, ge=1024)
    body_seconds: float = Field(default=15.0, gt=0)
    in_flight: int = Field(default=512, ge=1)
    """HTTP requests answered at once"""
    connections: int = Field(default=2048, ge=1)
    """open connections; beyond it new ones are answered 503"""
    websockets: int = Field(default=512, ge=0)
    """open WebSocket connections; 0 serves none"""
    websockets_per_client: int = Field(default=32, ge=1)
    websocket_idle_seconds: float = Field(default=300.0, gt=0)
    """without a message and without a subscription, until a WebSocket is closed"""
    subscriptions: int = Field(default=32, ge=0)
    """of one WebSocket connection; passed through to STOPGATE_UPSTREAM__WEBSOCKET_URL"""
    extra_methods: WordSet = frozenset()
    """optional methods to pass through, separated by commas"""
    allow_origin: str = "*"
    """for pages in browsers; empty sends no CORS headers"""
    forwarded_allow_ips: str = "127.0.0.1"
    """proxies whose X-Forwarded-For is believed, separated by commas"""
    operator_ips: Words = ("127.0.0.0/8", "::1")
    """addresses and networks, separated by commas, that may read /metrics and see in /readyz what is wrong; to all
    others /metrics does not exist, for its counters would tell an attacker which clause spoke"""
    sync_seconds: float = Field(default=2.0, gt=0)
    """wait of eth_sendRawTransactionSync if the client names none"""
    sync_most_seconds: float = Field(default=10.0, gt=0)

    @field_validator("operator_ips")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            ip_network(text)
        return value

    @field_validator("listen")
    @classmethod
    def _has_port(cls, value: str) -> str:
        split_listen(value)
        return value


class LimitSettings(Group):
    """What one client may ask for: a client is an API key, or an address (of IPv6 its /64) without one.

    Replicas on one Redis tell each other what was spent, four times a second: rates hold for all of them together, and
    a burst may be had once from each and is then owed. Without Redis each counts for itself. A rate of 0: no limit.
    """

    api_keys: Words = ()
    """NAME:SHA256 or NAME:SHA256:FACTOR, separated by commas: the key's name, the SHA-256 of the key in hex, and what
    its limits are multiplied by. Clients send the key as X-Api-Key, as a bearer token, or as the path /key/KEY"""
    require_key: bool = False
    """serve nobody without a key"""
    requests_per_second: float = Field(default=1000.0, ge=0)
    """JSON-RPC calls, each item of a batch by itself"""
    requests_burst: float = Field(default=2000.0, ge=1)
    inspection_share: float = Field(default=0.5, ge=0)
    """seconds of engine and detectors in a second, for all transactions of a client together"""
    inspection_burst: float = Field(default=3.0, gt=0)
    """seconds of them at once after a rest"""
    gas_per_second: float = Field(default=30e6, ge=0)
    """gas that simulations of a client's transactions use; what one client alone may fill of the chain"""
    gas_burst: float = Field(default=120e6, ge=1)
    waiting_cases: int = Field(default=500, ge=1)
    """held, deferred and parked transactions of one client"""
    heavy_inspections: int = Field(default=0, ge=0)
    """transactions of much gas inspected at a time; one client has all but one. 0: two more than processors"""

    @field_validator("api_keys")
    @classmethod
    def _are_keys(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        names = [parse_api_key(text)[0] for text in value]
        if len(set(names)) != len(names):
            raise ValueError("two API keys have the same name")
        return value


_API_KEY = re.compile(r"([A-Za-z0-9._-]{1,64}):([0-9a-f]{64})(?::([0-9]+(?:\.[0-9]+)?))?")


def parse_api_key(text: str) -> tuple[str, str, float]:
    """Name, digest and factor of one entry of STOPGATE_LIMITS__API_KEYS. Raises ValueError for anything else."""
    found = _API_KEY.fullmatch(text)
    if found is None or (found[3] is not None and float(found[3]) == 0):
        raise ValueError(
            "an API key is written NAME:SHA256 or NAME:SHA256:FACTOR; make the digest with `printf %s KEY | sha256sum`"
        )
    return found[1], found[2], float(found[3] or 1)

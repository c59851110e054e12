"""Settings of what the gateway depends on and speaks to: upstreams, stores, people, the log."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr, field_validator

from gateway.settings.group import Group, Words


class UpstreamSettings(Group):
    """The sequencer's RPC and those that stand in for it."""

    urls: Words = ()
    """separated by commas; the first is the sequencer"""
    websocket_url: str = ""
    """for new heads and for clients' subscriptions; empty: heads by polling alone, and no subscriptions"""
    connect_timeout: float = Field(default=2.0, gt=0)
    read_timeout: float = Field(default=10.0, gt=0)
    send_timeout: float = Field(default=20.0, gt=0)
    settle_seconds: float = Field(default=3.0, ge=0)
    """how long to look for a transaction whose answer was lost"""
    connections: int = Field(default=64, ge=1)
    max_head_age: float = Field(default=60.0, gt=0)
    """without a new head for longer, nothing is judged and a stand-in is preferred"""
    profile: str = ""
    """name of a built-in chain profile to use for a chain id that has none"""

    @field_validator("urls")
    @classmethod
    def _is_http(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for url in value:
            if not url.startswith(("http://", "https://")):
                raise ValueError(f"{url!r} is no http:// or https:// URL")
        return value


class StoreSettings(Group):
    """Where cases and the live queue are kept; the same for gateway and dashboard."""

    database_url: SecretStr = SecretStr("")
    """sqlite:///FILE or postgresql://...; empty: SQLite below the data folder"""
    redis_url: SecretStr = SecretStr("")
    """redis://, rediss:// or unix://; empty: an embedded Valkey below the data folder"""
    secret_keys: SecretStr = SecretStr("")
    """what second factors and channels are sealed with in SQL: Fernet keys, the first seals, all open; the same for
    gateway and dashboard. Empty: a file beside a database below the data folder, else they are kept plain"""


class NotifySettings(Group):
    """Notifications; the channels themselves are made in the dashboard."""

    enabled: bool = True
    """False: this process sends nothing (another replica may)"""
    dashboard_url: str = "http://127.0.0.1:8081"
    """what people reach the dashboard by, for the links"""
    expiring: float = Field(default=1800.0, gt=0)
    """seconds before its time limit at which a held case is told of once more"""

    @field_validator("dashboard_url")
    @classmethod
    def _is_http(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError(f"{value!r} is no http:// or https:// URL")
        return value.rstrip("/")


class LogSettings(Group):
    """Log lines on standard error."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    format: Literal["json", "text"] = "json"

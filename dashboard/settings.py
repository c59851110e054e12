"""Settings of the dashboard: where it listens, what needs two people, and the same stores as the gateway's.

Every value has a name STOPGATE_DASHBOARD__<NAME>; the stores and the data folder are read with the gateway's names.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from gateway.errors import ConfigurationError
from gateway.settings import StoreSettings, load_settings, split_listen


class DashboardSettings(BaseSettings):
    """Everything a dashboard process is configured with."""

    model_config = SettingsConfigDict(
        env_prefix="STOPGATE_DASHBOARD__", frozen=True, extra="ignore", env_ignore_empty=True
    )

    data_dir: Path = Path(".stopgate")
    store: StoreSettings = StoreSettings()
    listen: str = "127.0.0.1:8081"
    """host:port"""
    public_url: str = ""
    """what browsers reach it by; with https:// cookies are Secure and bound to the host. Empty: http:// and `listen`"""
    chain_name: str = "local chain"
    native_symbol: str = "ETH"
    loss_unit: str = ""
    """the unit of estimated losses; empty: the gateway's (STOPGATE_VALUE__UNIT), or the chain's own coin"""
    two_person_loss: float | None = Field(default=None, ge=0)
    """a release with at least this estimated loss needs a second person and a fresh second factor; empty: 100,000 in a
    currency, 30 in the coin"""
    longest_hold_hours: int = Field(default=24, ge=1)
    """nobody can extend a hold beyond this, counted from the hold; keep it below the forced-inclusion window"""
    idle_minutes: int = Field(default=30, ge=1)
    session_hours: int = Field(default=12, ge=1)
    step_up_minutes: int = Field(default=10, ge=1)
    """for how long a second factor counts as fresh"""
    explorer_url: str = ""
    """the chain's explorer; links are <explorer_url>/tx/<hash> and /address/<address>. Empty: no links"""
    public_status: bool = True
    """serve /status/<hash> to anybody who knows the hash"""

    @field_validator("listen")
    @classmethod
    def _has_port(cls, value: str) -> str:
        split_listen(value)
        return value

    @field_validator("public_url", "explorer_url")
    @classmethod
    def _is_http(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError(f"{value!r} is no http:// or https:// URL")
        return value.rstrip("/")

    @property
    def two_person_limit(self) -> float:
        """`two_person_loss`, or its default for the unit."""
        if self.two_person_loss is not None:
            return self.two_person_loss
        return 100_000.0 if self.loss_unit else 30.0

    @property
    def unit(self) -> str:
        """What estimated losses are told in."""
        return self.loss_unit or self.native_symbol

    @property
    def origin(self) -> str:
        """Scheme, host and port that requests must come from."""
        return self.public_url or f"http://{self.listen}"

    @property
    def secure(self) -> bool:
        """True if browsers reach the dashboard by https."""
        return self.origin.startswith("https://")

    @property
    def idle(self) -> timedelta:
        """How long a session may stand unused."""
        return timedelta(minutes=self.idle_minutes)

    @property
    def session_lasts(self) -> timedelta:
        """How long a session may last at most."""
        return timedelta(hours=self.session_hours)


def load_dashboard_settings(**overrides: Any) -> DashboardSettings:
    """Read the environment; `overrides` win over it.

    Raises:
        ConfigurationError: a value is unusable; names the setting.
    """
    gateway = load_settings()
    shared: dict[str, Any] = {"data_dir": gateway.data_dir, "store": gateway.store}
    if gateway.value.unit and "STOPGATE_DASHBOARD__LOSS_UNIT" not in os.environ:
        shared["loss_unit"] = gateway.value.unit
    try:
        return DashboardSettings(**{**shared, **overrides})
    except ValidationError as error:
        problems = "; ".join(
            f"STOPGATE_DASHBOARD__{'__'.join(map(str, item['loc'])).upper()}: {item['msg']}" for item in error.errors()
        )
        raise ConfigurationError(problems) from error

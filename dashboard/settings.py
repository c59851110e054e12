"""Settings of the dashboard: where it listens, what needs two people, and the same stores as the gateway's.

Every value has a name STOPGATE_DASHBOARD__<NAME>; the stores and the data folder are read with the gateway's names.
"""

from __future__ import annotations

import os
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from gateway.errors import ConfigurationError
from gateway.model.account import Role
from gateway.settings import FileSource, PlainSource, StoreSettings, load_settings, split_listen


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
    two_person_unpriced: bool = True
    """a release also needs two if the loss, or part of it, has no price; false: what has no price counts as nothing"""
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

    public_figures: bool = False
    """serve /figures to anybody: rounded counts of what was held, released, rejected"""
    oidc_issuer: str = ""
    """the OpenID Connect provider, exactly as it calls itself. Empty: no single sign-on"""
    oidc_client_id: str = ""
    oidc_client_secret: SecretStr = SecretStr("")
    """empty: a public client, kept by PKCE alone"""
    oidc_scopes: str = "openid profile"
    oidc_label: str = "single sign-on"
    """what the button calls the provider"""
    oidc_role_claim: str = "groups"
    """the claim of the ID token that says what somebody is: a word or a list of words"""
    oidc_roles: dict[str, Role] = Field(default_factory=dict)
    """value of that claim -> role, as JSON: {"chain-security": "analyst"}. Of several, the one that allows most"""
    oidc_create: bool = False
    """make an account at the first sign-in of somebody who has a role; else accounts are linked by their owners"""

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

    @model_validator(mode="after")
    def _oidc_is_whole(self) -> Self:
        if self.oidc_issuer:
            local = self.oidc_issuer.startswith(("http://127.0.0.1", "http://localhost", "http://[::1]"))
            if not self.oidc_issuer.startswith("https://") and not local:
                raise ValueError("STOPGATE_DASHBOARD__OIDC_ISSUER must be an https:// URL")
            if not self.oidc_client_id:
                raise ValueError("STOPGATE_DASHBOARD__OIDC_ISSUER is set, but no STOPGATE_DASHBOARD__OIDC_CLIENT_ID")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then environment, then files named by the environment, as the gateway's."""
        return init_settings, PlainSource(settings_cls), FileSource(settings_cls)

    @property
    def oidc_redirect(self) -> str:
        """Where the provider sends browsers back to; to be registered there."""
        return f"{self.origin}/login/sso/callback"

    @property
    def passkey_host(self) -> str:
        """The host name that passkeys are bound to; empty if browsers reach the dashboard by an address alone."""
        host = urlsplit(self.passkey_origin).hostname or ""
        try:
            ip_address(host)
        except ValueError:
            return host
        return ""

    @property
    def passkey_origin(self) -> str:
        """The origin that passkeys answer to. Addresses have no passkeys, so this machine is called localhost."""
        if not self.public_url and split_listen(self.listen)[0] in ("127.0.0.1", "::1", "localhost"):
            return f"http://localhost:{split_listen(self.listen)[1]}"
        return self.origin

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
            ": ".join(filter(None, ("__".join(("STOPGATE_DASHBOARD", *map(str, item["loc"]))).upper(), item["msg"])))
            for item in error.errors()
        )
        raise ConfigurationError(problems) from error

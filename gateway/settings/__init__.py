"""The settings tree: read once at start from the environment, then handed down and never changed.

Every value has a name STOPGATE_<GROUP>__<NAME>; with _FILE appended it is read from a file, for secrets. `REDIS_URL` is
the one bare name accepted. Times are in seconds unless the name says otherwise.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from gateway.errors import ConfigurationError
from gateway.settings.edge import LimitSettings, RpcSettings, parse_api_key
from gateway.settings.judgement import Engine, InspectionSettings, PolicySettings, ValueSettings
from gateway.settings.listen import check_listen, split_listen
from gateway.settings.outside import LogSettings, NotifySettings, StoreSettings, UpstreamSettings
from gateway.settings.source import FileSource, PlainSource

__all__ = [
    "Engine",
    "FileSource",
    "InspectionSettings",
    "LimitSettings",
    "LogSettings",
    "NotifySettings",
    "PlainSource",
    "PolicySettings",
    "RpcSettings",
    "Settings",
    "StoreSettings",
    "UpstreamSettings",
    "ValueSettings",
    "check_listen",
    "load_settings",
    "parse_api_key",
    "split_listen",
]


class Settings(BaseSettings):
    """Everything a gateway process is configured with."""

    model_config = SettingsConfigDict(
        env_prefix="STOPGATE_", env_nested_delimiter="__", frozen=True, extra="ignore", env_ignore_empty=True
    )

    data_dir: Path = Path(".stopgate")
    """embedded stores live here"""
    rpc: RpcSettings = RpcSettings()
    limits: LimitSettings = LimitSettings()
    upstream: UpstreamSettings = UpstreamSettings()
    inspection: InspectionSettings = InspectionSettings()
    policy: PolicySettings = PolicySettings()
    value: ValueSettings = ValueSettings()
    store: StoreSettings = StoreSettings()
    notify: NotifySettings = NotifySettings()
    log: LogSettings = LogSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then environment, then files named by the environment."""
        return init_settings, PlainSource(settings_cls), FileSource(settings_cls)


def load_settings(**overrides: Any) -> Settings:
    """Read the environment; `overrides` are nested dictionaries that win over it (command-line options).

    Raises:
        ConfigurationError: a value is unusable; names the setting and what it takes.
    """
    bare = os.environ.get("REDIS_URL", "")
    problems = [f"{name}: {_UNKNOWN}" for name in sorted(os.environ) if _is_of_no_group(name)]
    try:
        settings = Settings(**overrides)
    except SettingsError as error:
        raise ConfigurationError(
            f"{error}: STOPGATE_<GROUP> by itself, and values that are JSON objects, take JSON; "
            "single settings are STOPGATE_<GROUP>__<NAME>, docs/settings.md lists them"
        ) from error
    except ValidationError as error:
        raise ConfigurationError("; ".join([*problems, *map(_told, error.errors())])) from error
    if problems:
        raise ConfigurationError("; ".join(problems))
    if bare and not settings.store.redis_url.get_secret_value():
        store = settings.store.model_copy(update={"redis_url": SecretStr(bare)})
        settings = settings.model_copy(update={"store": store})
    return settings


_UNKNOWN = "there is no such setting; docs/settings.md lists them"
_OTHERS = frozenset({"dashboard"})
"""groups of other processes that read the same environment"""


def _is_of_no_group(name: str) -> bool:
    """True for STOPGATE_<GROUP>__<NAME> with a group that nobody has: such a slip would leave a default standing."""
    group, nested, _ = name.removeprefix("STOPGATE_").lower().partition("__")
    return name.startswith("STOPGATE_") and bool(nested) and group not in Settings.model_fields.keys() | _OTHERS


def _told(problem: ErrorDetails) -> str:
    name = "STOPGATE_" + "__".join(map(str, problem["loc"])).upper()
    if problem["type"] == "extra_forbidden":
        return f"{name}: {_UNKNOWN}"
    return f"{name}: {problem['msg'].removeprefix('Value error, ')}"

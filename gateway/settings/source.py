"""Where settings are read from: the environment, and files that it names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic_settings.sources import EnvSettingsSource

from gateway.errors import ConfigurationError

_FILE = "_file"


class PlainSource(EnvSettingsSource):
    """The environment without names that `FileSource` reads."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name: value for name, value in super()._load_env_vars().items() if not name.endswith(_FILE)}


class FileSource(EnvSettingsSource):
    """NAME_FILE: the value is what that file holds, without surrounding white space."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        found: dict[str, str | None] = {}
        for name, path in super()._load_env_vars().items():
            if path and name.startswith("stopgate_") and name.endswith(_FILE):
                try:
                    found[name.removesuffix(_FILE)] = Path(path).read_text("utf-8").strip()
                except OSError as error:
                    raise ConfigurationError(f"{name.upper()} names a file that cannot be read: {error}") from error
        return found

"""Secrets at rest: what SQL holds of second factors and channels can only be read with a key that is not in SQL."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from gateway.errors import ConfigurationError, RecordUnavailable
from gateway.settings import StoreSettings

KEY_FILE = "secret.key"
_MARK = "sealed:1:"
"""before what is sealed; rows from before there were keys have no mark and are read as they are"""


class SealedElsewhere(RecordUnavailable):
    """A secret was sealed with a key that this process does not have."""


class Seal:
    """Seals with the first key and opens with any: keys are changed by putting a new one in front. Without, plain."""

    def __init__(self, keys: Sequence[str] = ()) -> None:
        """Raises ConfigurationError: a key is none."""
        try:
            fernets = [Fernet(key) for key in keys]
        except ValueError as error:
            raise ConfigurationError(
                "STOPGATE_STORE__SECRET_KEYS: a key is 32 random bytes as URL-safe base64, several are divided by "
                "spaces; make one: head -c 32 /dev/urandom | base64 | tr +/ -_"
            ) from error
        self._first = fernets[0] if fernets else None
        self._any = MultiFernet(fernets) if fernets else None

    @property
    def is_plain(self) -> bool:
        """True if there is no key, and secrets are kept as they are."""
        return self._first is None

    def close(self, secret: str) -> str:
        """What SQL keeps of a secret."""
        return secret if self._first is None else _MARK + self._first.encrypt(secret.encode()).decode()

    def open(self, kept: str) -> str:
        """The secret again.

        Raises:
            SealedElsewhere: none of the keys opens it.
        """
        if not kept.startswith(_MARK):
            return kept
        try:
            if self._any is None:
                raise InvalidToken
            return self._any.decrypt(kept[len(_MARK) :]).decode()
        except InvalidToken as error:
            raise SealedElsewhere(
                "a secret was sealed with a key that is not among STOPGATE_STORE__SECRET_KEYS; "
                "give gateway and dashboard the same keys, old ones behind the new one"
            ) from error

    def is_fresh(self, kept: str) -> bool:
        """True if it is as `close` would keep it now."""
        if self._first is None or not kept.startswith(_MARK):
            return self.is_plain and not kept.startswith(_MARK)
        try:
            self._first.decrypt(kept[len(_MARK) :])
        except InvalidToken:
            return False
        return True


def load_seal(store: StoreSettings, data_dir: Path) -> Seal:
    """The keys of the settings; without them, and with the database in the data folder, a key file beside it.

    A database elsewhere has readers on other machines, which a file made here would lock out: there the keys have to
    be set, and until then secrets stay plain.

    Raises:
        ConfigurationError: a key is none, or the file cannot be read or made.
    """
    if keys := store.secret_keys.get_secret_value().split():
        return Seal(keys)
    file = data_dir / KEY_FILE
    if store.database_url.get_secret_value() and not file.exists():
        return Seal()
    try:
        _make(file)
        return Seal(file.read_text().split())
    except OSError as error:
        raise ConfigurationError(
            f"the key file {file} cannot be used: {error}; or set STOPGATE_STORE__SECRET_KEYS"
        ) from error


def _make(file: Path) -> None:
    """Of two processes that start together one makes it, whole or not at all."""
    if file.exists():
        return
    descriptor, draft = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)  # for its owner alone
    try:
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(Fernet.generate_key() + b"\n")
            handle.flush()
            os.fsync(handle.fileno())
        with suppress(FileExistsError):
            os.link(draft, file)
    finally:
        os.unlink(draft)

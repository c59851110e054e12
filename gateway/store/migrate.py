"""Brings the schema of a database to the version this program needs. Run at every start; does nothing when current."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import URL, Connection, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from gateway.errors import ConfigurationError, RecordUnavailable
from gateway.store.database import synchronous_url

_MIGRATIONS = Path(__file__).with_name("migrations")
_LOCK = 0x73746F7067617465
"""Postgres advisory lock: two replicas that start together migrate one after the other."""


def migrate(url: str, target: str = "head") -> tuple[str | None, str | None]:
    """Upgrade (or, for an older `target`, downgrade) and give (version before, version after). Blocks.

    Raises:
        RecordUnavailable: the database did not answer.
        ConfigurationError: it was written by a newer program.
    """
    with _locked(synchronous_url(url)) as connection:
        before = MigrationContext.configure(connection).get_current_revision()
        configuration = _configuration(connection)
        try:
            if target == "base" or _is_older(configuration, target, before):
                command.downgrade(configuration, target)
            else:
                command.upgrade(configuration, target)
        except CommandError as error:
            raise ConfigurationError(
                f"the database has schema version {before}, which this program does not know: {error}; "
                "use the program that wrote it, or a newer one"
            ) from error
        connection.commit()
        return before, MigrationContext.configure(connection).get_current_revision()


def draft(url: str, message: str) -> None:
    """Write a new version file by comparing the tables with an up-to-date database (for developers)."""
    with _locked(synchronous_url(url)) as connection:
        command.revision(_configuration(connection), message=message, autogenerate=True)


def differences(url: str) -> list[object]:
    """What the tables say and the migrated database does not have; empty when they agree."""
    from alembic.autogenerate import compare_metadata
    from sqlmodel import SQLModel

    from gateway.store.tables import (  # noqa: F401 - importing them fills the metadata
        case,
        casework,
        keys,
        knowledge,
        notice,
        people,
    )

    with _locked(synchronous_url(url)) as connection:
        return list(compare_metadata(MigrationContext.configure(connection), SQLModel.metadata))


def _configuration(connection: Connection) -> Config:
    configuration = Config()
    configuration.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    configuration.set_main_option("path_separator", "os")
    configuration.attributes["connection"] = connection
    return configuration


def _is_older(configuration: Config, target: str, current: str | None) -> bool:
    if current is None or target in ("head", "heads"):
        return False
    script = ScriptDirectory.from_config(configuration)
    return any(older.revision == target for older in script.iterate_revisions(current, "base")) and target != current


@contextmanager
def _locked(url: URL) -> Iterator[Connection]:
    """One connection, alone: by a file beside a SQLite database, by an advisory lock in Postgres."""
    engine = create_engine(url, poolclass=NullPool)
    try:
        if url.drivername == "sqlite":
            file = Path(url.database or "")
            file.parent.mkdir(parents=True, exist_ok=True)
            with open(file.with_name(file.name + ".migrate.lock"), "ab") as gate:
                fcntl.flock(gate, fcntl.LOCK_EX)
                with engine.connect() as connection:
                    yield connection
        else:
            with engine.connect() as connection:
                connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
                connection.commit()
                try:
                    yield connection
                finally:
                    connection.rollback()
                    connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})
                    connection.commit()
    except OperationalError as error:
        problem = str(error.orig).strip().splitlines()[0]
        where = url.render_as_string(hide_password=True)
        raise RecordUnavailable(f"the database at {where} cannot be migrated: {problem}") from error
    finally:
        engine.dispose()

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.errors import ConfigurationError, RecordUnavailable
from gateway.store.database import Database, parse_url, sqlite_url, synchronous_url


@pytest.mark.parametrize(
    ("text", "driver"),
    [
        ("sqlite:///a.db", "sqlite"),
        ("sqlite+aiosqlite:////tmp/a.db", "sqlite"),
        ("postgres://u:p@db/x", "postgresql+psycopg"),
        ("postgresql+asyncpg://u@db/x", "postgresql+psycopg"),
    ],
)
def test_common_spellings_of_a_url(text: str, driver: str) -> None:
    assert synchronous_url(text).drivername == driver


@pytest.mark.parametrize("text", ["", "nonsense", "mysql://u@db/x", "sqlite://", "sqlite:///:memory:"])
def test_what_keeps_nothing_or_is_unknown_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="sqlite:///FILE"):
        parse_url(text)


def test_the_default_lies_below_the_data_folder(tmp_path: Path) -> None:
    assert parse_url(sqlite_url(tmp_path)).database == str(tmp_path / "stopgate.sqlite3")


async def test_a_password_is_never_shown() -> None:
    database = Database("postgresql://ann:secret@127.0.0.1:1/none")
    assert "secret" not in database.where
    with pytest.raises(RecordUnavailable) as caught:
        async with database.read():
            pass
    assert "secret" not in str(caught.value)
    await database.close()


async def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    file = tmp_path / "x.sqlite3"
    file.write_bytes(b"this is not a database" * 100)
    database = Database(f"sqlite:///{file}")
    with pytest.raises(RecordUnavailable, match="did not answer"):
        async with database.read():
            pass
    await database.close()


async def test_sqlite_survives_a_power_failure(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/x.sqlite3")
    async with database.read() as session:
        answers = [(await session.execute(text(f"PRAGMA {name}"))).scalar() for name in ("journal_mode", "synchronous")]
    await database.close()
    assert answers == ["wal", 2], "2 is FULL"


INSERT = """INSERT INTO users (name, role, totp_last_step, contracts, service, created_at)
            VALUES ('ann', 'lead', 0, '[]', false, CURRENT_TIMESTAMP)"""


async def insert_and_fail(database: Database) -> None:
    async with database.write() as session:
        await session.execute(text(INSERT))
        raise KeyError("after the insert")


async def test_what_raises_is_rolled_back(database: Database) -> None:
    with pytest.raises(KeyError):
        await insert_and_fail(database)
    async with database.read() as session:
        assert (await session.execute(text("SELECT count(*) FROM users"))).scalar() == 0


async def test_one_read_is_one_moment(database: Database) -> None:
    async with database.read() as reading:
        before = (await reading.execute(text("SELECT count(*) FROM users"))).scalar()
        async with database.write() as session:
            await session.execute(text(INSERT))
        after = (await reading.execute(text("SELECT count(*) FROM users"))).scalar()
    assert (before, after) == (0, 0)
    async with database.read() as later:
        assert (await later.execute(text("SELECT count(*) FROM users"))).scalar() == 1

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

import gateway.store.migrations
from gateway.errors import ConfigurationError, RecordUnavailable
from gateway.store.migrate import differences, migrate

_VERSIONS = Path(gateway.store.migrations.__file__).with_name("versions")
HEAD = max(file.name for file in _VERSIONS.glob("[0-9]*.py"))[:4]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/new/folder/x.sqlite3"
    server: str = request.getfixturevalue("postgres_server")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS migrated WITH (FORCE)")
        connection.execute("CREATE DATABASE migrated")
    return server.replace("/stopgate?", "/migrated?")


def test_up_matches_the_tables_down_leaves_nothing_and_up_again(empty_url: str) -> None:
    assert migrate(empty_url) == (None, HEAD)
    assert differences(empty_url) == []
    assert migrate(empty_url) == (HEAD, HEAD)
    assert migrate(empty_url, "base") == (HEAD, None)
    assert migrate(empty_url) == (None, HEAD)
    assert differences(empty_url) == []


def test_replicas_that_start_together(empty_url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: migrate(empty_url), range(4)))
    assert sorted(before or "" for before, _ in answers) == ["", HEAD, HEAD, HEAD]
    assert {after for _, after in answers} == {HEAD}


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.sqlite3"
    migrate(f"sqlite:///{file}")
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(ConfigurationError, match="9999"):
        migrate(f"sqlite:///{file}")


def test_a_database_that_is_away_is_named() -> None:
    with pytest.raises(RecordUnavailable, match="cannot be migrated"):
        migrate("postgresql://ann@127.0.0.1:1/none")

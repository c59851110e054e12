"""The SQL engine: SQLite by default, Postgres by URL, the same promises on both.

SQLite: WAL, `synchronous=FULL` so that a commit survives a power failure, and writers begin IMMEDIATE, one at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from gateway.errors import ConfigurationError, RecordUnavailable
from gateway.store.seal import Seal

_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000", "foreign_keys=ON")


def make_data_dir(data_dir: Path) -> None:
    """The folder of the embedded stores, made if it is not there, for its owner alone.

    Raises:
        ConfigurationError: there can be no such folder.
    """
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"the data folder {data_dir} cannot be used: {error.strerror}; name another one with --data-dir or "
            "STOPGATE_DATA_DIR"
        ) from error


def sqlite_url(data_dir: Path) -> str:
    """The default database below a data folder."""
    return URL.create("sqlite", database=str(data_dir / "stopgate.sqlite3")).render_as_string()


def parse_url(text: str) -> URL:
    """Any common spelling of a SQLite or Postgres URL, without a driver.

    Raises:
        ConfigurationError: another database, or no URL at all.
    """
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise ConfigurationError("the database URL cannot be read; write sqlite:///FILE or postgresql://...") from error
    backend = url.drivername.split("+")[0]
    if backend == "postgres":
        backend = "postgresql"
    if backend not in ("sqlite", "postgresql"):
        raise ConfigurationError(f"database {backend!r} is not supported; write sqlite:///FILE or postgresql://...")
    if backend == "sqlite" and url.database in (None, "", ":memory:"):
        raise ConfigurationError("a SQLite database in memory keeps nothing; give a file: sqlite:///FILE")
    return url.set(drivername=backend)


def synchronous_url(text: str) -> URL:
    """For migrations, which run before there is an event loop."""
    url = parse_url(text)
    return url.set(drivername="sqlite" if url.drivername == "sqlite" else "postgresql+psycopg")


_shared: ContextVar[tuple[Database, AsyncSession] | None] = ContextVar("shared read", default=None)


class Database:
    """One pool of connections. `read` and `write` are the only ways in; `together` makes several reads one."""

    def __init__(self, url: str, *, pool_size: int = 5, seal: Seal | None = None) -> None:
        """`seal`: what secrets are kept under; without one they are plain."""
        parsed = parse_url(url)
        self.is_sqlite = parsed.drivername == "sqlite"
        self.where = parsed.render_as_string(hide_password=True)
        driver = "sqlite+aiosqlite" if self.is_sqlite else "postgresql+psycopg"
        options: dict[str, Any] = {} if self.is_sqlite else {"pool_pre_ping": True, "max_overflow": 10}
        self._engine = create_async_engine(
            parsed.set(drivername=driver), pool_size=pool_size, pool_timeout=5.0, **options
        )
        self.seal = seal or Seal()
        self._turn = asyncio.Lock()
        if self.is_sqlite:
            event.listen(self._engine.sync_engine, "connect", _prepare_sqlite)
            event.listen(self._engine.sync_engine, "begin", _begin_sqlite)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A session that only reads, rolled back at the end.

        Raises:
            RecordUnavailable: the database did not answer.
        """
        shared = _shared.get()
        if shared is not None and shared[0] is self:
            yield shared[1]
            return
        async with self._session(immediate=False) as session:
            yield session

    @asynccontextmanager
    async def together(self) -> AsyncIterator[None]:
        """Every `read` of this task inside answers from one session: one moment, and one begin and end for all.

        Raises:
            RecordUnavailable: the database did not answer.
        """
        async with self.read() as session:
            token = _shared.set((self, session))
            try:
                yield
            finally:
                _shared.reset(token)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """One transaction: committed when the block ends, rolled back if it raises.

        Raises:
            RecordUnavailable: the database did not answer; the transaction may or may not be committed.
        """
        async with AsyncExitStack() as stack:
            if self.is_sqlite:
                # One writer at a time in this process: waiting here is a wake-up, waiting in SQLite is a poll.
                await stack.enter_async_context(self._turn)
            session = await stack.enter_async_context(self._session(immediate=True))
            yield session
            await session.commit()

    @asynccontextmanager
    async def _session(self, *, immediate: bool) -> AsyncIterator[AsyncSession]:
        try:
            async with AsyncSession(self._engine, expire_on_commit=False, autoflush=False) as session:
                await session.connection(execution_options=self._options(immediate=immediate))
                yield session
        except IntegrityError:
            raise
        except (DBAPIError, PoolTimeout, OSError) as error:
            problem = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
            raise RecordUnavailable(
                f"the database at {self.where} did not answer ({problem}); "
                "check that it runs, has space, and was migrated (`stopgate migrate`)"
            ) from error

    def _options(self, *, immediate: bool) -> dict[str, Any]:
        if self.is_sqlite:
            return {"stopgate_immediate": immediate}
        # The questions of one read are answered from one moment, as SQLite does by itself.
        return {} if immediate else {"isolation_level": "REPEATABLE READ"}

    async def close(self) -> None:
        """Close every connection; idempotent."""
        await self._engine.dispose()


def _prepare_sqlite(connection: Any, record: Any) -> None:
    connection.isolation_level = None  # the driver would begin by itself, and too late
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    immediate = connection.get_execution_options().get("stopgate_immediate")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

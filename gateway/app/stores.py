"""Opens the record and the live queue as the settings say: embedded ones below the data folder, or by URL."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gateway.settings import Settings, StoreSettings
from gateway.store.cases.record import SqlRecord
from gateway.store.casework.runs import Runs
from gateway.store.casework.tokens import Tokens
from gateway.store.database import Database, make_data_dir, sqlite_url
from gateway.store.migrate import migrate
from gateway.store.seal import load_seal
from gateway.store.shared.embedded import EmbeddedValkey
from gateway.store.shared.heartbeat import Heartbeats
from gateway.store.shared.memory_log import RedisMemoryLog
from gateway.store.shared.pending import RedisPendingLog
from gateway.store.shared.redis import RedisQueue
from gateway.store.shared.spending_log import SpendingLog


@dataclass(frozen=True, slots=True)
class OpenStores:
    """The stores of one process."""

    database: Database
    record: SqlRecord
    queue: RedisQueue
    order: RedisPendingLog
    """the order of forwarding, shared by all replicas"""
    memory: RedisMemoryLog
    """what transactions leave behind for later ones, shared by all replicas"""
    runs: Runs
    tokens: Tokens
    heartbeats: Heartbeats
    """where gateways leave signs of life for the dashboard"""
    spending: SpendingLog
    """what clients spend, told from replica to replica"""
    embedded: EmbeddedValkey | None
    """None if the queue is a server of the operator's own"""

    @property
    def descriptions(self) -> tuple[str, str]:
        """One line for each store: which one it is."""
        queue = self.embedded.description if self.embedded else "live queue: Redis by URL"
        return f"record: {self.database.where}", queue


def _utc_now() -> datetime:
    return datetime.now(UTC)


def database_url(store: StoreSettings, data_dir: Path) -> str:
    """The configured database, or SQLite below the data folder."""
    return store.database_url.get_secret_value() or sqlite_url(data_dir)


@asynccontextmanager
async def open_stores(settings: Settings) -> AsyncIterator[OpenStores]:
    """Migrate, connect, and close at the end.

    Raises:
        ConfigurationError: a URL is unusable, or the schema is newer than this program.
        RecordUnavailable, QueueUnavailable: a store does not answer.
    """
    make_data_dir(settings.data_dir)
    async with AsyncExitStack() as stack:
        url = database_url(settings.store, settings.data_dir)
        await asyncio.to_thread(migrate, url)
        database = Database(url, seal=load_seal(settings.store, settings.data_dir))
        record = SqlRecord(database)
        stack.push_async_callback(record.close)
        embedded = None
        redis_url = settings.store.redis_url.get_secret_value()
        if not redis_url:
            embedded = await asyncio.to_thread(EmbeddedValkey.start, settings.data_dir)
            stack.push_async_callback(asyncio.to_thread, embedded.close)
            redis_url = embedded.url
        queue = RedisQueue(redis_url)
        stack.push_async_callback(queue.close)
        order = RedisPendingLog(redis_url)
        stack.push_async_callback(order.close)
        memory = RedisMemoryLog(redis_url)
        stack.push_async_callback(memory.close)
        runs, tokens = Runs(database, now=_utc_now), Tokens(database, now=_utc_now)
        heartbeats = Heartbeats(redis_url)
        stack.push_async_callback(heartbeats.close)
        spending = SpendingLog(redis_url, secrets.token_hex(8))
        stack.push_async_callback(spending.close)
        yield OpenStores(database, record, queue, order, memory, runs, tokens, heartbeats, spending, embedded)

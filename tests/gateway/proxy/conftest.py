from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.store.cases.record import SqlRecord
from gateway.store.database import Database
from gateway.store.migrate import migrate
from gateway.store.shared.embedded import EmbeddedValkey
from gateway.store.shared.redis import RedisQueue
from tests.anvil import BINARY, Anvil, running_anvil
from tests.edge import Edge, Wallet, running_edge, valkey_queue


@pytest.fixture(scope="session")
def chain() -> Iterator[Anvil]:
    if not BINARY.exists():
        pytest.skip("anvil is not installed: run make setup on a machine with npm")
    with running_anvil() as anvil:
        yield anvil


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedValkey]:
    server = EmbeddedValkey.start(tmp_path_factory.mktemp("valkey"))
    yield server
    server.close()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty record of the present schema, to be copied."""
    file = tmp_path_factory.mktemp("record") / "record.sqlite3"
    migrate(f"sqlite:///{file}")
    return file


@pytest.fixture
async def record(migrated: Path, tmp_path: Path) -> AsyncIterator[SqlRecord]:
    file = shutil.copy(migrated, tmp_path)
    record = SqlRecord(Database(f"sqlite:///{file}"))
    yield record
    await record.close()


@pytest.fixture
async def queue(valkey: EmbeddedValkey) -> AsyncIterator[RedisQueue]:
    async with valkey_queue(valkey) as queue:
        yield queue


@pytest.fixture
async def edge(chain: Anvil, record: SqlRecord, queue: RedisQueue) -> AsyncIterator[Edge]:
    async with running_edge(chain.url, record, queue) as edge:
        yield edge


@pytest.fixture
def wallet(chain: Anvil) -> Wallet:
    return Wallet(chain)

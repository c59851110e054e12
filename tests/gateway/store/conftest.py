"""Real stores for the tests of this room."""

from tests.stores import (
    clock,
    database,
    database_url,
    postgres_databases,
    queue,
    record,
    sqlite_template,
    valkey,
)

__all__ = [
    "clock",
    "database",
    "database_url",
    "postgres_databases",
    "queue",
    "record",
    "sqlite_template",
    "valkey",
]

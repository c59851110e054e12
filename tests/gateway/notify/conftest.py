"""Real stores for the tests of this room."""

from tests.stores import (
    clock,
    database,
    database_url,
    postgres_server,
    postgres_url,
    record,
    sqlite_file_url,
    sqlite_template,
)

__all__ = [
    "clock",
    "database",
    "database_url",
    "postgres_server",
    "postgres_url",
    "record",
    "sqlite_file_url",
    "sqlite_template",
]

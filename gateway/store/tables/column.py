"""Column types that behave the same on SQLite and Postgres."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import DateTime, Dialect, String, Text
from sqlalchemy.types import TypeDecorator


class UtcTime(TypeDecorator[datetime]):
    """A moment in UTC. SQLite has no time zones, so they are taken off on the way in and put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a naive time: nobody knows which moment it means."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Always aware, always UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Uint(TypeDecorator[int]):
    """An unsigned integer as decimal text of fixed width, so that text order is number order.

    256-bit values fit no integer column, and SQLite turns NUMERIC beyond 64 bits into float.
    """

    impl = String
    cache_ok = True

    def __init__(self, bits: int = 256) -> None:
        self.bits = bits
        super().__init__(length=len(str(2**bits - 1)))

    def process_bind_param(self, value: int | None, dialect: Dialect) -> str | None:
        """Refuse what does not fit."""
        if value is None:
            return None
        if not 0 <= value < 2**self.bits:
            raise ValueError(f"{value} is no unsigned integer of {self.bits} bits")
        return str(value).zfill(len(str(2**self.bits - 1)))

    def process_result_value(self, value: str | None, dialect: Dialect) -> int | None:
        """Back to the number."""
        return None if value is None else int(value)


BYTE_ORDERED_TEXT = Text().with_variant(Text(collation="C"), "postgresql")
"""Text whose index answers prefix searches on both databases."""

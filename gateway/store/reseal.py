"""Seals what was kept plain, or under an older key. Run at the start of a dashboard; does nothing when all is fresh."""

from __future__ import annotations

from sqlalchemy import Column, Table, select, update
from sqlmodel import SQLModel

from gateway.store.database import Database
from gateway.store.tables.notice import ChannelRow
from gateway.store.tables.people import UserRow

_USERS, _CHANNELS = (SQLModel.metadata.tables[str(row.__tablename__)] for row in (UserRow, ChannelRow))
_COLUMNS: tuple[tuple[Table, Column[str]], ...] = (
    (_USERS, _USERS.c.totp_secret),
    (_CHANNELS, _CHANNELS.c.target),
    (_CHANNELS, _CHANNELS.c.secret),
)


async def reseal(database: Database) -> int:
    """Bring every secret under the first key; how many were changed. Without a key nothing is touched.

    Raises:
        SealedElsewhere: one of them was sealed with a key that is missing; nothing was changed.
        RecordUnavailable: the database did not answer.
    """
    seal = database.seal
    if seal.is_plain:
        return 0
    async with database.read() as session:
        stale = [
            (table, column, row_id, kept)
            for table, column in _COLUMNS
            for row_id, kept in (await session.execute(select(table.c.id, column).where(column != ""))).all()
            if not seal.is_fresh(kept)
        ]
    if not stale:
        return 0
    changed = 0
    async with database.write() as session:
        for table, column, row_id, kept in stale:
            done = await session.execute(
                update(table)
                .where(table.c.id == row_id, column == kept)  # unless somebody changed it in this moment
                .values({column.name: seal.close(seal.open(kept))})
                .returning(table.c.id)
            )
            changed += len(done.all())
    return changed

"""Files beside cases, and who was named in notes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import defer
from sqlmodel import col

from gateway.model.audit import AuditKind
from gateway.model.casework import Attachment, Mention
from gateway.store.audit import append
from gateway.store.database import Database
from gateway.store.tables.casework import AttachmentRow, MentionRow
from gateway.store.tables.people import CaseNoteRow

MOST_BYTES = 5 * 1024 * 1024
MOST_FILES = 20
"""of one case, those taken away not counted"""


class Evidence:
    """Every method raises RecordUnavailable if SQL is away. Each change is one audited transaction."""

    def __init__(self, database: Database, *, now: Callable[[], datetime]) -> None:
        self._database, self._now = database, now

    async def attach(self, case_id: str, author: str, name: str, media_type: str, data: bytes) -> bool:
        """Keep a file; False if the case has as many as it may have."""
        now, digest = self._now(), hashlib.sha256(data).hexdigest()
        standing = (col(AttachmentRow.case_id) == case_id, col(AttachmentRow.removed_by).is_(None))
        async with self._database.write() as session:
            kept = await session.execute(select(func.count()).select_from(AttachmentRow).where(*standing))
            if kept.scalar_one() >= MOST_FILES:
                return False
            row = {
                "case_id": case_id,
                "author": author,
                "at": now,
                "name": name,
                "media_type": media_type,
                "size": len(data),
                "digest": digest,
                "data": data,
            }
            await session.execute(insert(AttachmentRow).values(row))
            detail = {"step": "attachment", "name": name, "size": len(data), "sha256": digest}
            await append(session, AuditKind.DECISION, now, author, case_id, detail)
            return True

    async def attachments(self, case_id: str) -> Sequence[Attachment]:
        """The files of a case, those taken away too, without their bytes."""
        query = (
            select(AttachmentRow)
            .options(defer(AttachmentRow.data, raiseload=True))  # type: ignore[arg-type]  # a column here, bytes to mypy
            .where(col(AttachmentRow.case_id) == case_id)
            .order_by(col(AttachmentRow.id))
        )
        async with self._database.read() as session:
            return [_attachment(row) for row in (await session.execute(query)).scalars()]

    async def content(self, case_id: str, attachment_id: int) -> tuple[Attachment, bytes] | None:
        """One file with its bytes; None if it is not there, or was taken away."""
        query = select(AttachmentRow).where(
            col(AttachmentRow.id) == attachment_id, col(AttachmentRow.case_id) == case_id
        )
        async with self._database.read() as session:
            row = (await session.execute(query)).scalar_one_or_none()
        if row is None or row.data is None:
            return None
        return _attachment(row), row.data

    async def remove(self, case_id: str, attachment_id: int, actor: str) -> bool:
        """Delete the bytes; name, size and digest stay. False if it was not there any more."""
        async with self._database.write() as session:
            removed = await session.execute(
                update(AttachmentRow)
                .where(
                    col(AttachmentRow.id) == attachment_id,
                    col(AttachmentRow.case_id) == case_id,
                    col(AttachmentRow.removed_by).is_(None),
                )
                .values(data=None, removed_by=actor)
                .returning(col(AttachmentRow.digest))
            )
            digest = removed.scalar()
            if digest is None:
                return False
            detail = {"step": "attachment removed", "sha256": digest}
            await append(session, AuditKind.DECISION, self._now(), actor, case_id, detail)
            return True

    async def mention(self, case_id: str, author: str, names: Collection[str]) -> None:
        """Tell these accounts of the author's latest note on the case."""
        if not names:
            return
        async with self._database.write() as session:
            note = await session.execute(
                select(func.max(col(CaseNoteRow.id))).where(
                    col(CaseNoteRow.case_id) == case_id, col(CaseNoteRow.author) == author
                )
            )
            row = {"note_id": note.scalar_one(), "case_id": case_id, "author": author, "at": self._now()}
            await session.execute(insert(MentionRow), [{**row, "name": name} for name in sorted(names)])

    async def unseen(self, name: str, limit: int = 20) -> Sequence[Mention]:
        """Notes that name this account and were not opened by it since, the latest first."""
        query = (
            select(MentionRow, col(CaseNoteRow.text))
            .join(CaseNoteRow, col(CaseNoteRow.id) == col(MentionRow.note_id))
            .where(col(MentionRow.name) == name, col(MentionRow.seen_at).is_(None))
            .order_by(col(MentionRow.id).desc())
            .limit(limit)
        )
        async with self._database.read() as session:
            return [
                Mention(row.id or 0, row.case_id, row.name, row.author, row.at, text)
                for row, text in await session.execute(query)
            ]

    async def seen(self, case_id: str, name: str) -> None:
        """The account has the case before it."""
        mine = (
            col(MentionRow.case_id) == case_id,
            col(MentionRow.name) == name,
            col(MentionRow.seen_at).is_(None),
        )
        async with self._database.read() as session:
            if (await session.execute(select(col(MentionRow.id)).where(*mine).limit(1))).first() is None:
                return
        async with self._database.write() as session:
            await session.execute(update(MentionRow).where(*mine).values(seen_at=self._now()))


def _attachment(row: AttachmentRow) -> Attachment:
    return Attachment(
        id=row.id or 0,
        case_id=row.case_id,
        author=row.author,
        at=row.at,
        name=row.name,
        media_type=row.media_type,
        size=row.size,
        digest=row.digest,
        removed_by=row.removed_by,
    )

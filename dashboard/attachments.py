"""Files beside a case: kept, sent and taken away, the same for pages and API. Refusals are HTTPException."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import HTTPException
from fastapi.responses import Response

from dashboard.evidence import FileRefused, checked_file, may_take_away
from dashboard.room import Room
from gateway.model.account import Account
from gateway.model.quarantine import QuarantineEntry
from gateway.store.casework.evidence import MOST_FILES

_HEADERS = {"content-security-policy": "default-src 'none'; sandbox", "x-content-type-options": "nosniff"}
"""of every file that is sent: no browser may show it here"""


async def keep_file(room: Room, account: Account, entry: QuarantineEntry, name: str, data: bytes) -> None:
    """Put a file beside a case. 422 if it is not of a kind that is kept, or the case has too many."""
    try:
        kept, media_type = checked_file(name, data)
    except FileRefused as error:
        raise HTTPException(422, str(error)) from error
    if not await room.evidence.attach(entry.case_id, account.name, kept, media_type, data):
        raise HTTPException(422, f"A case keeps at most {MOST_FILES} files. Take one away first.")


async def sent_file(room: Room, entry: QuarantineEntry, attachment_id: int) -> Response:
    """The bytes as they came, to be saved. 404 if there is no such file."""
    found = await room.evidence.content(entry.case_id, attachment_id)
    if found is None:
        raise HTTPException(404, "There is no such file, or it was taken away.")
    kept, data = found
    named = {"content-disposition": f"attachment; filename*=UTF-8''{quote(kept.name, safe='')}"}
    return Response(data, media_type="application/octet-stream", headers={**_HEADERS, **named})


async def take_file_away(room: Room, account: Account, entry: QuarantineEntry, attachment_id: int) -> bool:
    """Take a file away; its digest stays in the record. False if somebody did before.

    404 if there is no such file, 403 for whoever is neither its author nor may decide.
    """
    kept = next((file for file in await room.evidence.attachments(entry.case_id) if file.id == attachment_id), None)
    if kept is None:
        raise HTTPException(404, "There is no such file.")
    if not may_take_away(account, kept):
        raise HTTPException(403, "Only its author, or somebody who may decide, can take a file away.")
    return await room.evidence.remove(entry.case_id, attachment_id, account.name)

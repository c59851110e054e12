"""What anybody may learn of a transaction by its hash: state, class of reason, time limit. Never the rule."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from dashboard.dependencies import TheRoom
from dashboard.pages import StatusPage
from dashboard.templating import page
from gateway.model.primitive import Hash32
from gateway.model.quarantine import PublicStatus

routes = APIRouter()

_SENTENCES: dict[PublicStatus, str] = {
    PublicStatus.RECEIVED: "The transaction has arrived and is being looked at.",
    PublicStatus.FORWARDED: "The transaction was sent to the sequencer.",
    PublicStatus.DEFERRED: "The inspection is not finished. A clean transaction is sent by itself; do nothing.",
    PublicStatus.PARKED: "An earlier transaction of the same sender has to go first.",
    PublicStatus.HELD: "The transaction is held for review by chain policy. It is delayed, not refused: people look "
    "at it before the time limit.",
    PublicStatus.RELEASED: "The transaction was released and is being sent to the sequencer.",
    PublicStatus.REJECTED: "The transaction was rejected by chain policy and will not be sent.",
    PublicStatus.EXPIRED: "The time limit passed without a decision. The transaction was not sent.",
    PublicStatus.SUPERSEDED: "Another transaction of the same sender took its place.",
    PublicStatus.INCLUDED: "The transaction is in a block.",
    PublicStatus.UNKNOWN: "Nothing is known of a transaction with this hash here.",
}


@routes.get("/status/{hash}")
async def status(request: Request, room: TheRoom, hash: str) -> Response:
    """The public page of one transaction; the address to give to a sender."""
    if not room.settings.public_status:
        raise HTTPException(404, "This page does not exist.")
    try:
        wanted = Hash32.from_hex(hash.lower())
    except ValueError as error:
        raise HTTPException(404, "That is no transaction hash: 0x and 64 hexadecimal digits.") from error
    found = await room.record.status(wanted)
    return page(request, "status.html", StatusPage(found, _SENTENCES[found.status]))

"""What anybody may learn of a transaction by its hash: state, class of reason, time limit; and how to be heard.

Never the rule. Whoever looks up a hash learns the same whether or not the case is interesting.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from dashboard.appeals import MAY_APPEAL, AppealRefused, issued_at, message_for, plain, signer_of
from dashboard.auth.sessions import client_address
from dashboard.dependencies import TheRoom
from dashboard.pages.public import StatusPage
from dashboard.room import Room
from dashboard.templating import page
from gateway.model.primitive import Hash32
from gateway.model.quarantine import PublicStatus, QuarantineEntry
from gateway.store.casework.appeals import MOST_FOR_A_CASE

routes = APIRouter()
_Text = Annotated[str, Form(max_length=8000)]

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
    return page(request, "status.html", await _status_page(room, _wanted(room, hash)))


@routes.post("/status/{hash}/appeal")
async def prepare(request: Request, room: TheRoom, hash: str, text: _Text = "") -> Response:
    """Show the text that the sender has to sign. Keeps nothing."""
    wanted = _wanted(room, hash)
    said = plain(text)
    if not said:
        context = await _status_page(room, wanted, problem="Write a few words first: who you are, and what it is for.")
        return page(request, "status.html", context, status=422)
    entry = await _appealable(room, wanted)
    issued = room.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    message = message_for(await _chain_of(room, entry), wanted, issued_at(issued, room.now()), said)
    context = await _status_page(room, wanted, text=said, issued=issued, message=message)
    return page(request, "status.html", context)


@routes.post("/status/{hash}/appeal/signed")
async def appeal(
    request: Request, room: TheRoom, hash: str, text: _Text = "", issued: _Text = "", signature: _Text = ""
) -> Response:
    """Take an appeal that the sender's key signed."""
    wanted = _wanted(room, hash)
    said = plain(text)
    if not room.throttle.allows(client_address(request)):
        context = await _status_page(room, wanted, text=said, problem="Too many tries from here. Wait ten minutes.")
        return page(request, "status.html", context, status=429)
    entry = await _appealable(room, wanted)
    message = ""
    try:
        moment = issued_at(issued, room.now())
        message = message_for(await _chain_of(room, entry), wanted, moment, said)
        if not said or signer_of(message, signature) != entry.sender:
            raise AppealRefused(
                "The signature is not of the account that sent the transaction, or of another text. "
                "Sign the text exactly as it is shown, with the sender's key."
            )
        if not await room.appeals.add(entry, said, message, signature.strip()[:200]):
            raise AppealRefused(f"An appeal is open already, or {MOST_FOR_A_CASE} were made. More are not taken.")
    except AppealRefused as error:
        context = await _status_page(room, wanted, text=said, issued=issued[:40], message=message, problem=str(error))
        return page(request, "status.html", context, status=422)
    return RedirectResponse(f"/status/{wanted}#appeal", 303)


def _wanted(room: Room, hash: str) -> Hash32:
    if not room.settings.public_status:
        raise HTTPException(404, "This page does not exist.")
    try:
        return Hash32.from_hex(hash.lower())
    except ValueError as error:
        raise HTTPException(404, "That is no transaction hash: 0x and 64 hexadecimal digits.") from error


async def _appealable(room: Room, wanted: Hash32) -> QuarantineEntry:
    entry = await room.record.by_hash(wanted)
    if entry is None or entry.state not in MAY_APPEAL:
        raise HTTPException(409, "There is nothing to appeal against for this transaction.")
    return entry


async def _chain_of(room: Room, entry: QuarantineEntry) -> int | None:
    detail = await room.details.get(entry)
    return detail.transaction.chain_id if detail is not None else None


async def _status_page(
    room: Room, wanted: Hash32, *, text: str = "", issued: str = "", message: str = "", problem: str = ""
) -> StatusPage:
    found = await room.record.status(wanted)
    entry = await room.record.by_hash(wanted) if found.case_id else None
    appeals = await room.appeals.of_case(entry.case_id) if entry else ()
    open_now = any(appeal.answered_at is None for appeal in appeals)
    room_left = len(appeals) < MOST_FOR_A_CASE and not open_now
    return StatusPage(
        found,
        _SENTENCES[found.status],
        appeals=appeals,
        may_appeal=entry is not None and entry.state in MAY_APPEAL and room_left,
        sender=str(entry.sender) if entry is not None and message else "",
        text=text,
        issued=issued,
        message=message,
        problem=problem,
    )

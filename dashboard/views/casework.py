"""Work on one case beside deciding it: runs on demand, answers to appeals, evidence."""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import FormData, UploadFile

from dashboard.attachments import keep_file, sent_file, take_file_away
from dashboard.cases import find_case
from dashboard.dependencies import Decider, Me, NoteTaker, Posted, RowId, TheRoom, field
from dashboard.pages.case import RunPage
from dashboard.render.difference import balance_rows, finding_difference
from dashboard.templating import page
from gateway.model.casework import BlockChanges
from gateway.model.primitive import Address, Hash32
from gateway.model.quarantine import WAITING
from gateway.store.casework.evidence import MOST_BYTES
from gateway.store.casework.runs import OPEN_AT_ONCE

routes = APIRouter(prefix="/cases/{case_id}")
_FORM_ROOM = 64 * 1024
"""bytes of a posted form beside its file"""
_PATIENCE = timedelta(seconds=30)


@routes.post("/runs")
async def ask_run(room: TheRoom, me: Decider, form: Posted, case_id: str) -> Response:
    """Ask for one run: at the head as it is, or in a changed block."""
    entry = await find_case(room, me.account, case_id)
    try:
        changes = _changes(form)
    except ValueError as error:
        raise HTTPException(422, f"The block cannot be changed like that: {error}.") from error
    number = await room.runs.ask(entry.case_id, changes, me.account.name)
    if number is None:
        raise HTTPException(429, f"{OPEN_AT_ONCE} runs of yours are waiting already. Look at those first.")
    return RedirectResponse(f"/cases/{entry.case_id}/runs/{number}", 303)


@routes.get("/runs/{run_id}")
async def show_run(request: Request, room: TheRoom, me: Me, case_id: str, run_id: RowId) -> Response:
    """The result of a run beside the verdict that holds the case, or that it is not there yet."""
    entry = await find_case(room, me.account, case_id)
    run = await room.runs.run(entry.case_id, run_id)
    if run is None:
        raise HTTPException(404, "This case has no such run.")
    first = await room.details.get(entry)
    after = run.detail and await room.details.named(run.detail)
    comparable = first is not None and after is not None
    context = RunPage(
        entry=entry,
        run=run,
        first=first,
        after=after,
        findings=finding_difference(entry.verdict.report, run.verdict.report) if run.verdict else None,
        balances=balance_rows(first, after, room.settings.native_symbol) if first and after and comparable else (),
        waits=run.finished_at is None and room.now() < run.asked_at + _PATIENCE,
        still_held=entry.state in WAITING,
    )
    return page(request, "run.html", context)


@routes.post("/appeals/{appeal_id}/answer")
async def answer_appeal(room: TheRoom, me: Decider, form: Posted, case_id: str, appeal_id: RowId) -> Response:
    """Answer the sender. The answer is public to whoever knows the hash."""
    entry = await find_case(room, me.account, case_id)
    text = field(form, "text", most=1000)
    if not text:
        raise HTTPException(422, "An answer needs words. The sender reads them on the status page.")
    if not await room.appeals.answer(entry.case_id, appeal_id, me.account.name, text):
        raise HTTPException(409, "This appeal was answered already.")
    return RedirectResponse(f"/cases/{entry.case_id}#appeals", 303)


async def posted_file(request: Request, me: NoteTaker) -> AsyncIterator[FormData]:
    """A form with one file, refused by its announced length before a byte of it is read."""
    length = request.headers.get("content-length", "")
    if not length.isdecimal():
        raise HTTPException(411, "The size of the upload must be announced.")
    if int(length) > MOST_BYTES + _FORM_ROOM:
        raise HTTPException(413, f"At most {MOST_BYTES:,} bytes are kept.")
    async with request.form(max_files=1, max_fields=4) as form:
        if not hmac.compare_digest(str(form.get("csrf", "")).encode(), me.csrf_token.encode()):
            raise HTTPException(403, "The form is not from this session. Go back, reload the page, and try again.")
        yield form


@routes.post("/attachments")
async def attach(
    room: TheRoom, me: NoteTaker, form: Annotated[FormData, Depends(posted_file)], case_id: str
) -> Response:
    """Put a file beside the case."""
    entry = await find_case(room, me.account, case_id)
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise HTTPException(422, "Choose a file.")
    data = await file.read(MOST_BYTES + 1)
    await keep_file(room, me.account, entry, file.filename or "", data)
    return RedirectResponse(f"/cases/{entry.case_id}#evidence", 303)


@routes.get("/attachments/{attachment_id}")
async def download(room: TheRoom, me: Me, case_id: str, attachment_id: RowId) -> Response:
    """The bytes as they came, to be saved: no browser may show them here."""
    entry = await find_case(room, me.account, case_id)
    return await sent_file(room, entry, attachment_id)


@routes.post("/attachments/{attachment_id}/remove")
async def remove(room: TheRoom, me: NoteTaker, form: Posted, case_id: str, attachment_id: RowId) -> Response:
    """Take a file away: its author, or anybody who may decide. Its digest stays in the record."""
    entry = await find_case(room, me.account, case_id)
    await take_file_away(room, me.account, entry, attachment_id)
    return RedirectResponse(f"/cases/{entry.case_id}#evidence", 303)


def _changes(form: FormData) -> BlockChanges:
    """Raises ValueError for a field that is no number or address of the right size."""
    numbers = {}
    for name, most in (("timestamp", 2**40), ("number", 2**40), ("base_fee", 2**128)):
        text = field(form, name, most=40)
        if text and (not text.isdecimal() or int(text) > most):
            raise ValueError(f"{name.replace('_', ' ')} {text!r} is no whole number in range")
        numbers[name] = int(text) if text else None
    coinbase, randao = field(form, "coinbase", most=80), field(form, "prev_randao", most=80)
    return BlockChanges(
        timestamp=numbers["timestamp"],
        number=numbers["number"],
        base_fee=numbers["base_fee"],
        coinbase=Address.from_hex(coinbase) if coinbase else None,
        prev_randao=Hash32.from_hex(randao) if randao else None,
    )

"""Work on a case beside deciding it, by API: runs on demand, appeals, evidence, notes and marks."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import Response

from dashboard.api.bodies import Problem
from dashboard.api.casework_bodies import (
    AnswerBody,
    AppealBody,
    AskedBody,
    AttachmentBody,
    BalanceBody,
    BlockChangesBody,
    KeptMarkBody,
    KeptNoteBody,
    RunBody,
    RunResultBody,
    run_fields,
)
from dashboard.api.routes import ABOUT_ONE, REFUSALS, CaseId, Judge, Reader, Writer
from dashboard.attachments import keep_file, sent_file, take_file_away
from dashboard.cases import find_case
from dashboard.dependencies import RowId, TheRoom
from dashboard.render.difference import balance_rows, finding_difference
from gateway.store.casework.evidence import MOST_BYTES
from gateway.store.casework.runs import OPEN_AT_ONCE

routes = APIRouter(prefix="/api/v1/cases/{case_id}", responses={**REFUSALS, **ABOUT_ONE}, tags=["work on a case"])
_BUSY: dict[int | str, dict[str, Any]] = {429: {"model": Problem, "description": "too many runs wait already"}}
_LARGE: dict[int | str, dict[str, Any]] = {413: {"model": Problem, "description": "more bytes than are kept"}}
_BYTES = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}


@routes.get("/runs")
async def list_runs(room: TheRoom, token: Reader, case_id: CaseId) -> list[RunBody]:
    """The latest runs of a case, the latest first."""
    entry = await find_case(room, token.account, case_id)
    return [RunBody.of(run) for run in await room.runs.of_case(entry.case_id)]


@routes.post("/runs", status_code=202, responses=_BUSY)
async def ask_run(room: TheRoom, token: Judge, case_id: CaseId, body: BlockChangesBody) -> AskedBody:
    """Have a gateway simulate and inspect it again: at the head as it is, or in a changed block."""
    entry = await find_case(room, token.account, case_id)
    number = await room.runs.ask(entry.case_id, body.changes(), token.account.name)
    if number is None:
        raise HTTPException(429, f"{OPEN_AT_ONCE} runs of yours are waiting already. Look at those first.")
    return AskedBody(id=number)


@routes.get("/runs/{run_id}")
async def read_run(room: TheRoom, token: Reader, case_id: CaseId, run_id: RowId) -> RunResultBody:
    """One run beside the verdict that holds the case; `finished_at` is null while it waits."""
    entry = await find_case(room, token.account, case_id)
    run = await room.runs.run(entry.case_id, run_id)
    if run is None:
        raise HTTPException(404, "This case has no such run.")
    first = await room.details.get(entry)
    after = run.detail and await room.details.named(run.detail)
    found = finding_difference(entry.verdict.report, run.verdict.report) if run.verdict else None
    rows = balance_rows(first, after, room.settings.native_symbol) if first is not None and after is not None else ()
    return RunResultBody(
        **run_fields(run),
        new=sorted({finding.detector_id for finding in found.new}) if found else [],
        gone=sorted({finding.detector_id for finding in found.gone}) if found else [],
        balances=[
            BalanceBody(
                address=str(row.address),
                label=row.label,
                role=row.role,
                before=row.before,
                after=row.after,
                same=row.same,
            )
            for row in rows
        ],
    )


@routes.get("/appeals")
async def list_appeals(room: TheRoom, token: Reader, case_id: CaseId) -> list[AppealBody]:
    """Appeals of the sender, the oldest first."""
    entry = await find_case(room, token.account, case_id)
    return [AppealBody.of(appeal) for appeal in await room.appeals.of_case(entry.case_id)]


@routes.post("/appeals/{appeal_id}/answer", status_code=204, response_class=Response)
async def answer_appeal(room: TheRoom, token: Judge, case_id: CaseId, appeal_id: RowId, body: AnswerBody) -> Response:
    """Answer the sender. The answer is public to whoever knows the hash."""
    entry = await find_case(room, token.account, case_id)
    if appeal_id not in {appeal.id for appeal in await room.appeals.of_case(entry.case_id)}:
        raise HTTPException(404, "This case has no such appeal.")
    if not await room.appeals.answer(entry.case_id, appeal_id, token.account.name, body.text):
        raise HTTPException(409, "This appeal was answered already.")
    return Response(status_code=204)


@routes.get("/attachments")
async def list_attachments(room: TheRoom, token: Reader, case_id: CaseId) -> list[AttachmentBody]:
    """Files beside a case, those taken away too."""
    entry = await find_case(room, token.account, case_id)
    return [AttachmentBody.of(kept) for kept in await room.evidence.attachments(entry.case_id)]


@routes.post(
    "/attachments",
    status_code=204,
    response_class=Response,
    responses=_LARGE,
    openapi_extra={"requestBody": {"required": True, **_BYTES}},
)
async def attach(
    request: Request,
    room: TheRoom,
    token: Writer,
    case_id: CaseId,
    name: Annotated[str, Query(min_length=1, max_length=200, description="the file's name; its ending says its type")],
) -> Response:
    """Put a file beside the case; its bytes are the body of the request."""
    entry = await find_case(room, token.account, case_id)
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > MOST_BYTES:
            raise HTTPException(413, f"At most {MOST_BYTES:,} bytes are kept.")
    await keep_file(room, token.account, entry, name, bytes(data))
    return Response(status_code=204)


@routes.get("/attachments/{attachment_id}", response_class=Response, responses={200: _BYTES})
async def download(room: TheRoom, token: Reader, case_id: CaseId, attachment_id: RowId) -> Response:
    """The bytes as they came."""
    entry = await find_case(room, token.account, case_id)
    return await sent_file(room, entry, attachment_id)


@routes.delete("/attachments/{attachment_id}", status_code=204, response_class=Response)
async def take_away(room: TheRoom, token: Writer, case_id: CaseId, attachment_id: RowId) -> Response:
    """Take a file away: its author, or anybody who may decide. Its digest stays in the record."""
    entry = await find_case(room, token.account, case_id)
    if not await take_file_away(room, token.account, entry, attachment_id):
        raise HTTPException(409, "It was taken away already.")
    return Response(status_code=204)


@routes.get("/notes")
async def list_notes(room: TheRoom, token: Reader, case_id: CaseId) -> list[KeptNoteBody]:
    """Remarks on a case, the oldest first."""
    entry = await find_case(room, token.account, case_id)
    return [KeptNoteBody.model_validate(note) for note in await room.desk.notes(entry.case_id)]


@routes.get("/marks")
async def list_marks(room: TheRoom, token: Reader, case_id: CaseId) -> list[KeptMarkBody]:
    """What the case was said to be, as far as it stands."""
    entry = await find_case(room, token.account, case_id)
    return [KeptMarkBody.of(mark) for mark in (await room.desk.marks([entry.case_id])).get(entry.case_id, ())]


@routes.delete("/marks/{mark_id}", status_code=204, response_class=Response)
async def undo_mark(room: TheRoom, token: Judge, case_id: CaseId, mark_id: RowId) -> Response:
    """Take a mark back, and with it the signatures that it made."""
    entry = await find_case(room, token.account, case_id)
    if not await room.desk.undo_mark(entry.case_id, mark_id, token.account.name):
        raise HTTPException(404, "This case has no such mark, or it was taken back.")
    return Response(status_code=204)


@routes.delete("/first-voice", status_code=204, response_class=Response)
async def withdraw(room: TheRoom, token: Judge, case_id: CaseId) -> Response:
    """Take a waiting first voice back; anybody who may decide can."""
    entry = await find_case(room, token.account, case_id)
    if not await room.desk.close_asked(entry.case_id, token.account.name, "withdrawn"):
        raise HTTPException(404, "No first voice waits on this case.")
    return Response(status_code=204)

"""The endpoints of /api/v1. Each checks the token's scope and the account's rights, then does what the page does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, HTTPException, Path, Query, Security
from fastapi.responses import Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from dashboard.api.bodies import (
    AssignmentBody,
    CaseBody,
    CasesBody,
    DecisionBody,
    DoneBody,
    ExtensionBody,
    MarkBody,
    MeBody,
    NoteBody,
    Problem,
    StepBody,
)
from dashboard.cases import find_case
from dashboard.decisions import (
    Decided,
    DecisionRefused,
    Outcome,
    SecondVoiceNeeded,
    assign,
    decide,
    extend,
    why_two,
)
from dashboard.dependencies import TheRoom
from dashboard.views.case import add_note_of
from dashboard.views.queue import query_of
from gateway.model.account import ApiToken, Permission
from gateway.model.case import CaseOrder
from gateway.model.geth import geth_call_tracer
from gateway.model.quarantine import CaseState

REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "the body cannot be read: it is not UTF-8"},
    401: {"model": Problem, "description": "no token, or one that is over, revoked, or of a closed account"},
    403: {"model": Problem, "description": "the token's scopes or the account's role do not allow it"},
    422: {"model": Problem, "description": "the request is not well formed, or the desk's rules refuse it"},
    503: {"model": Problem, "description": "the record does not answer; nothing was changed"},
}
"""What every endpoint may answer beside its own."""
ABOUT_ONE: dict[int | str, dict[str, Any]] = {
    404: {"model": Problem, "description": "no such case for this account, or nothing of the kind on it"},
    409: {"model": Problem, "description": "the case is no longer where the request needs it"},
}
_TOKEN = HTTPBearer(auto_error=False, scheme_name="token", description="An API token: Authorization: Bearer sg_…")
routes = APIRouter(prefix="/api/v1", responses={**REFUSALS, **ABOUT_ONE})
_TABS = "held, deferred, parked, released, rejected, ended or all"
CaseId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_.:-]{1,80}$")]


async def bearer(room: TheRoom, given: Annotated[HTTPAuthorizationCredentials | None, Security(_TOKEN)]) -> ApiToken:
    """The token of the Authorization header."""
    token = await room.sign_in.api_token(given.credentials.strip()) if given is not None else None
    if token is None:
        raise HTTPException(
            401, "Send a live API token: Authorization: Bearer sg_…", headers={"www-authenticate": "Bearer"}
        )
    return token


def scoped(permission: Permission) -> Callable[..., Awaitable[ApiToken]]:
    """A dependency that lets through tokens with this scope, of accounts whose role still has it."""

    async def check(token: Annotated[ApiToken, Depends(bearer)]) -> ApiToken:
        if permission not in token.scopes or not token.account.may(permission):
            raise HTTPException(403, f"The token needs the scope {permission}, and its account a role that has it.")
        return token

    return check


Reader = Annotated[ApiToken, Depends(scoped(Permission.READ))]
Writer = Annotated[ApiToken, Depends(scoped(Permission.NOTE))]
Judge = Annotated[ApiToken, Depends(scoped(Permission.DECIDE))]


@routes.get("/me")
async def me(token: Annotated[ApiToken, Depends(bearer)]) -> MeBody:
    """Whose token this is, and what it may do."""
    scopes = sorted(scope.value for scope in token.scopes)
    return MeBody(name=token.account.name, role=token.account.role, scopes=scopes, expires_at=token.expires_at)


@routes.get("/cases")
async def list_cases(
    room: TheRoom,
    token: Reader,
    tab: Annotated[str, Query(max_length=20, description=_TABS)] = "",
    q: Annotated[str, Query(max_length=200, description="words that must all match")] = "",
    severity: Annotated[str, Query(max_length=10)] = "",
    detector: Annotated[str, Query(max_length=100)] = "",
    group: Annotated[str, Query(max_length=64)] = "",
    order: CaseOrder = CaseOrder.PRIORITY,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> CasesBody:
    """One page of at most 50 cases, as the queue shows them."""
    filters = {"tab": tab, "q": q, "severity": severity, "detector": detector, "group": group, "order": order.value}
    found = await room.record.cases(query_of(filters, token.account, offset))
    return CasesBody(total=found.total, offset=offset, cases=[CaseBody.of(entry) for entry in found.entries])


@routes.get("/cases/{case_id}")
async def read_case(room: TheRoom, token: Reader, case_id: CaseId) -> CaseBody:
    """One case."""
    return CaseBody.of(await find_case(room, token.account, case_id))


@routes.get("/cases/{case_id}/history")
async def read_history(room: TheRoom, token: Reader, case_id: CaseId) -> list[StepBody]:
    """Every step of a case, the oldest first."""
    entry = await find_case(room, token.account, case_id)
    return [StepBody.model_validate(step) for step in await room.record.history(entry.case_id)]


@routes.get("/cases/{case_id}/trace", response_class=Response, responses={200: {"content": {"application/json": {}}}})
async def read_trace(room: TheRoom, token: Reader, case_id: CaseId) -> Response:
    """The trace as geth's callTracer prints it."""
    entry = await find_case(room, token.account, case_id)
    detail = await room.details.get(entry)
    if detail is None or detail.simulation is None or not detail.simulation.trace.frames:
        raise HTTPException(404, "This case has no trace: it was not simulated.")
    return Response(msgspec.json.encode(geth_call_tracer(detail.simulation.trace)), media_type="application/json")


@routes.post("/cases/{case_id}/decision")
async def decide_case(room: TheRoom, token: Judge, case_id: CaseId, body: DecisionBody) -> DoneBody:
    """Release or reject. A release that needs two people is for pages only: a token has no second factor."""
    entry = await find_case(room, token.account, case_id)
    target = CaseState(body.target)
    if why := await why_two(room, entry, target):
        raise HTTPException(
            403, f"This release needs two people and a fresh second factor: {why}. Decide it in the dashboard."
        )
    return await _done(decide(room, token.account, entry, target, body.reason))


@routes.post("/cases/{case_id}/extension")
async def extend_case(room: TheRoom, token: Judge, case_id: CaseId, body: ExtensionBody) -> DoneBody:
    """Give more time, never beyond the longest hold."""
    entry = await find_case(room, token.account, case_id)
    return await _done(extend(room, token.account, entry, timedelta(hours=body.hours), body.reason))


@routes.post("/cases/{case_id}/assignment")
async def assign_case(room: TheRoom, token: Judge, case_id: CaseId, body: AssignmentBody) -> DoneBody:
    """Claim, hand over or give back."""
    entry = await find_case(room, token.account, case_id)
    return await _done(assign(room, token.account, entry, body.to))


@routes.post("/cases/{case_id}/notes", status_code=204, response_class=Response)
async def note_case(room: TheRoom, token: Writer, case_id: CaseId, body: NoteBody) -> Response:
    """Add a remark."""
    entry = await find_case(room, token.account, case_id)
    await add_note_of(room, token.account, entry, body.text)
    return Response(status_code=204)


@routes.post("/cases/{case_id}/marks", status_code=204, response_class=Response)
async def mark_case(room: TheRoom, token: Judge, case_id: CaseId, body: MarkBody) -> Response:
    """Escalate, or say what the case turned out to be."""
    entry = await find_case(room, token.account, case_id)
    await room.desk.mark(entry.case_id, body.mark, token.account.name, body.reason)
    return Response(status_code=204)


async def _done(step: Awaitable[Outcome]) -> DoneBody:
    try:
        outcome = await step
    except DecisionRefused as error:
        raise HTTPException(422, str(error)) from error
    if isinstance(outcome, Decided):
        return DoneBody(done=outcome.entry.state.value, case=CaseBody.of(outcome.entry))
    if isinstance(outcome, SecondVoiceNeeded):
        return DoneBody(done="second voice needed", case=CaseBody.of(outcome.entry))
    raise HTTPException(409, f"Nothing was changed: {outcome}.")

"""What the pages' script asks about passkeys, in JSON; names and removal by ordinary forms."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, HTTPException, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from dashboard.auth import passkeys
from dashboard.auth.passwords import TooManyFailures, WrongCredentials
from dashboard.auth.sessions import begin_session
from dashboard.dependencies import Me, Posted, RowId, TheRoom, field, own_path, require_step_up
from dashboard.room import Room
from gateway.errors import ConfigurationError
from gateway.model.account import Session
from gateway.store.people.keys import TooManySteps

routes = APIRouter()
_Json = Annotated[dict[str, Any], Body()]


@routes.post("/login/passkey/question")
async def ask(request: Request, room: TheRoom) -> Response:
    """What the authenticator has to sign to sign in."""
    response = JSONResponse({})
    try:
        return _filled(response, await passkeys.question(room, request, response, None))
    except (TooManySteps, ConfigurationError) as error:
        return _refused(error)


@routes.post("/login/passkey")
async def sign_in(request: Request, room: TheRoom, body: _Json) -> Response:
    """Sign in by a passkey."""
    response = JSONResponse({})
    try:
        account = await passkeys.sign_in(room, request, response, body.get("credential"))
    except (TooManyFailures, WrongCredentials) as error:
        return _refused(error)
    session = await begin_session(room, request, response, account)
    await room.sign_in.step_up(session.id_hash)  # possession and knowledge were shown a moment ago
    return _filled(response, {"next": own_path(str(body.get("next", "/")))})


@routes.post("/step-up/passkey/question")
async def ask_again(request: Request, room: TheRoom, me: Me, form: Posted) -> Response:
    """What one of one's own passkeys has to sign before a large step."""
    response = JSONResponse({})
    try:
        return _filled(response, await passkeys.question(room, request, response, me.account))
    except (TooManySteps, ConfigurationError) as error:
        return _refused(error)


@routes.post("/step-up/passkey")
async def step_up(request: Request, room: TheRoom, me: Me, form: Posted, body: _Json) -> Response:
    """Confirm by a passkey."""
    response = JSONResponse({})
    try:
        await passkeys.confirm(room, request, response, me, body.get("credential"))
    except (TooManyFailures, WrongCredentials) as error:
        return _refused(error)
    await room.sign_in.step_up(me.id_hash)
    return _filled(response, {"next": own_path(str(body.get("next", "/")))})


@routes.post("/account/passkeys/question")
async def ask_to_make(request: Request, room: TheRoom, me: Me, form: Posted) -> Response:
    """What the authenticator makes a passkey from."""
    _fresh(room, me)
    response = JSONResponse({})
    try:
        return _filled(response, await passkeys.registration_options(room, request, response, me.account))
    except (TooManySteps, ConfigurationError) as error:
        return _refused(error)


@routes.post("/account/passkeys")
async def register(request: Request, room: TheRoom, me: Me, form: Posted, body: _Json) -> Response:
    """Take a new passkey on."""
    _fresh(room, me)
    response = JSONResponse({})
    name = str(body.get("name", "")).strip()[:64] or "passkey"
    try:
        await passkeys.register(room, request, response, me.account, body.get("credential"), name)
    except (WrongCredentials, ConfigurationError) as error:
        return _refused(error)
    return _filled(response, {"next": "/account"})


@routes.post("/account/passkeys/{passkey_id}/name")
async def rename(room: TheRoom, me: Me, form: Posted, passkey_id: RowId) -> Response:
    """Call one of one's own passkeys something else."""
    name = field(form, "name", most=64)
    if not name:
        raise HTTPException(422, "A passkey needs a name.")
    if not await room.keys.rename_passkey(me.account, passkey_id, name):
        raise HTTPException(404, "You have no such passkey.")
    return RedirectResponse("/account", 303)


@routes.post("/account/passkeys/{passkey_id}/remove")
async def remove(room: TheRoom, me: Me, form: Posted, passkey_id: RowId) -> Response:
    """Remove one of one's own passkeys."""
    require_step_up(room, me, "/account")
    if not await room.keys.remove_passkey(me.account, passkey_id):
        raise HTTPException(404, "You have no such passkey.")
    return RedirectResponse("/account", 303)


def _fresh(room: Room, me: Session) -> None:
    """A session that somebody stole must not make itself a key: who has anything to confirm with, confirms."""
    if me.account.has_password or me.account.needs_more_than_password:
        require_step_up(room, me, "/account")


def _filled(response: JSONResponse, content: Any) -> Response:
    response.body = response.render(content)
    response.headers["content-length"] = str(len(response.body))
    return response


def _refused(error: Exception) -> Response:
    status = 429 if isinstance(error, TooManyFailures | TooManySteps) else 401
    status = 422 if isinstance(error, ConfigurationError) and status == 401 else status
    text = str(error)
    return JSONResponse({"error": text[:1].upper() + text[1:].rstrip(".") + "."}, status)

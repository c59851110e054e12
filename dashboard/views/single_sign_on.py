"""Sign in, confirm and link by an OpenID Connect provider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from dashboard.auth import half_done, single_sign_on
from dashboard.auth.oidc import Begun, OidcClient, SignOnRefused
from dashboard.auth.passkeys import NOBODY
from dashboard.auth.passwords import TooManyFailures, refuse_guessing
from dashboard.auth.sessions import begin_session, client_address, present_session
from dashboard.dependencies import Me, Posted, RowId, TheRoom, own_path, require_step_up
from dashboard.pages.people import LinkPage, LoginPage
from dashboard.pages.public import MessagePage
from dashboard.room import Room
from dashboard.templating import page
from gateway.store.people.keys import StepKind, TooManySteps

routes = APIRouter()


@routes.get("/login/sso")
async def begin(request: Request, room: TheRoom, next: str = "/") -> Response:
    """On to the provider."""
    return await _sent(request, room, "sign-in", own_path(next))


@routes.get("/step-up/sso")
async def begin_again(request: Request, room: TheRoom, me: Me, next: str = "/") -> Response:
    """On to the provider, which has to ask once more."""
    if me.account.needs_more_than_password:
        raise HTTPException(403, "Your account has a second factor of its own; confirm with that.")
    return await _sent(request, room, "step-up", own_path(next))


@routes.post("/account/identities")
async def begin_link(request: Request, room: TheRoom, me: Me, form: Posted) -> Response:
    """Show the way to the provider. A form may not lead to another site by itself, so the page has a link."""
    if me.account.has_password or me.account.needs_more_than_password:
        require_step_up(room, me, "/account")
    try:
        begun = await _client(room).begin("link", "/account")
        response = page(request, "link.html", LinkPage(begun.url))
        await half_done.begin(room, request, response, StepKind.OIDC, {**begun.data, "session": me.id_hash})
    except (SignOnRefused, TooManySteps) as error:
        return page(request, "message.html", MessagePage("Nothing was linked", str(error), "/account"), status=502)
    return response


@routes.post("/account/identities/{identity_id}/unlink")
async def unlink(room: TheRoom, me: Me, form: Posted, identity_id: RowId) -> Response:
    """End the link of one's own account."""
    if me.account.has_password or me.account.needs_more_than_password:
        require_step_up(room, me, "/account")
    if not await room.keys.unlink(me.account, identity_id):
        raise HTTPException(404, "You have no such link, or the provider made this account.")
    return RedirectResponse("/account", 303)


@routes.get("/login/sso/callback")
async def back(request: Request, room: TheRoom) -> Response:
    """The browser is back from the provider."""
    client, address = _client(room), client_address(request)
    response = RedirectResponse("/", 303)
    try:
        await refuse_guessing(room, NOBODY, address)
        data = await half_done.take(room, request, response, StepKind.OIDC)
        if data is None:
            raise SignOnRefused("state", "This sign-in was not begun in this browser, or too long ago. Begin again.")
        claims = await client.finish(dict(request.query_params), data)
        await _settle(request, room, response, data, claims)
        response.headers["location"] = own_path(str(data["next"]))
        return response
    except SignOnRefused as error:
        await room.sign_in.note_failure(NOBODY, address, f"single sign-on: {error.reason}")
        return page(request, "login.html", LoginPage("/", problem=str(error)), status=401)
    except TooManyFailures as error:
        return page(request, "login.html", LoginPage("/", problem=str(error)), status=429)


async def _settle(
    request: Request, room: Room, response: Response, data: Mapping[str, Any], claims: Mapping[str, Any]
) -> None:
    if data["purpose"] == "sign-in":
        await begin_session(room, request, response, await single_sign_on.account_for(room, claims))
        return
    me = await present_session(room, request)
    if me is None or me.id_hash != data["session"]:
        raise SignOnRefused("state", "You are not signed in any more. Begin again.")
    if data["purpose"] == "link":
        await single_sign_on.link(room, me.account, claims)
    else:
        await single_sign_on.confirmed(room, me.account, claims)
        await room.sign_in.step_up(me.id_hash)


async def _sent(request: Request, room: Room, purpose: str, next_path: str) -> Response:
    client, session = _client(room), await present_session(room, request)
    try:
        begun: Begun = await client.begin(purpose, next_path, again=purpose == "step-up")
        response = RedirectResponse(begun.url, 303)
        data = {**begun.data, "session": session.id_hash if session else None}
        await half_done.begin(room, request, response, StepKind.OIDC, data)
    except SignOnRefused as error:
        return page(request, "login.html", LoginPage(next_path, problem=str(error)), status=502)
    except TooManySteps as error:
        return page(request, "login.html", LoginPage(next_path, problem=str(error)), status=429)
    return response


def _client(room: Room) -> OidcClient:
    if room.oidc is None:
        raise HTTPException(404, "Single sign-on is not set up here.")
    return room.oidc

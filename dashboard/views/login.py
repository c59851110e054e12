"""Sign in, sign out, and the second factor once more."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from dashboard.auth.passwords import TooManyFailures, WrongCredentials, check_password
from dashboard.auth.second_factor import check_again, check_code
from dashboard.auth.sessions import begin_session, client_address, forget_cookie, present_session
from dashboard.dependencies import Me, Posted, TheRoom, field, own_path
from dashboard.pages.people import LoginPage, StepUpPage
from dashboard.room import Room
from dashboard.templating import page
from gateway.model.account import Account

routes = APIRouter()
_Text = Annotated[str, Form(max_length=1024)]


@routes.get("/login")
async def show_login(request: Request, room: TheRoom, next: str = "/") -> Response:
    """The sign-in form; who is signed in goes on."""
    if await present_session(room, request) is not None:
        return RedirectResponse(own_path(next), 303)
    return page(request, "login.html", LoginPage(own_path(next)))


@routes.post("/login")
async def login(
    request: Request, room: TheRoom, name: _Text, password: _Text, next: _Text = "/", code: _Text = ""
) -> Response:
    """Name and password, and the code if the account has a second factor."""
    address = client_address(request)
    code_wanted = False
    try:
        account = await check_password(room, name, password, address)
        if account.has_second_factor:
            code_wanted = True
            if not code:
                raise WrongCredentials("Enter the code of your authenticator app, and the password again.")
            await check_code(room, account, code, address)
        elif account.passkeys:
            raise WrongCredentials("This account signs in with its passkey; the password alone does not open it.")
    except (TooManyFailures, WrongCredentials) as error:
        status = 429 if isinstance(error, TooManyFailures) else 401
        context = LoginPage(own_path(next), problem=_sentence(error), code_wanted=code_wanted, name=name[:64])
        return page(request, "login.html", context, status=status)
    response = RedirectResponse(own_path(next), 303)
    await begin_session(room, request, response, account)
    return response


@routes.get("/login/token")
async def show_link(request: Request, room: TheRoom, token: str = "") -> Response:
    """A one-time link: the visit alone spends nothing, so that a preview of the link does no harm."""
    return page(request, "login.html", LoginPage("/", token=token[:200]))


@routes.post("/login/token")
async def use_link(request: Request, room: TheRoom, token: _Text) -> Response:
    """Spend a one-time link."""
    account = await room.sign_in.use_login_token(token)
    if account is None:
        context = LoginPage("/", problem="This link was used before, or its time is over.")
        return page(request, "login.html", context, status=401)
    response = RedirectResponse("/", 303)
    await begin_session(room, request, response, account)
    return response


@routes.post("/logout")
async def logout(request: Request, room: TheRoom, me: Me, form: Posted) -> Response:
    """End the session."""
    await room.sign_in.revoke_session(me.id_hash, actor=me.account.name, of=me.account)
    response = RedirectResponse("/login", 303)
    forget_cookie(room, response)
    return response


@routes.get("/step-up")
async def show_step_up(request: Request, room: TheRoom, me: Me, next: str = "/") -> Response:
    """Ask for the second factor once more."""
    return page(request, "step_up.html", await _step_up_page(room, me.account, own_path(next)))


@routes.post("/step-up")
async def step_up(request: Request, room: TheRoom, me: Me, form: Posted) -> Response:
    """Check it; large decisions are open for some minutes then."""
    next_path = own_path(field(form, "next"))
    if not me.account.has_password and not me.account.needs_more_than_password:
        raise HTTPException(403, "Your account has neither password nor second factor. Set one on your account page.")
    try:
        await check_again(room, me.account, field(form, "secret", most=1024), client_address(request))
    except (TooManyFailures, WrongCredentials) as error:
        context = await _step_up_page(room, me.account, next_path, _sentence(error))
        return page(request, "step_up.html", context, status=401)
    await room.sign_in.step_up(me.id_hash)
    return RedirectResponse(next_path, 303)


async def _step_up_page(room: Room, account: Account, next_path: str, problem: str = "") -> StepUpPage:
    weak = not account.needs_more_than_password
    return StepUpPage(
        next_path,
        by_code=account.has_second_factor,
        by_passkey=account.passkeys > 0,
        by_password=account.has_password and weak,
        by_provider=weak and room.oidc is not None and bool(await room.keys.identities(account)),
        problem=problem,
    )


def _sentence(error: Exception) -> str:
    text = str(error)
    return text[:1].upper() + text[1:].rstrip(".") + "."

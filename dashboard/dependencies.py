"""Dependencies of the views, named once."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from typing import Annotated, cast
from urllib.parse import quote

from fastapi import Depends, HTTPException, Path, Request
from starlette.datastructures import FormData

from dashboard.auth.sessions import present_session, stepped_up
from dashboard.room import Room
from gateway.model.account import Permission, Session

MAX_FORM_FIELDS = 1000
RowId = Annotated[int, Path(ge=1, le=2**31 - 1)]
"""A row's number in a path; what no column holds is refused before it reaches the database."""


class NotSignedIn(Exception):
    """The visitor must sign in first; `next_path` is where he wanted to go."""

    def __init__(self, next_path: str) -> None:
        super().__init__(next_path)
        self.next_path = next_path


class NotSteppedUp(Exception):
    """The second factor must be given again; `next_path` is where to come back to."""

    def __init__(self, next_path: str) -> None:
        super().__init__(next_path)
        self.next_path = next_path


def room_of(request: Request) -> Room:
    """The stores of this process."""
    return cast("Room", request.app.state.room)


TheRoom = Annotated[Room, Depends(room_of)]


async def signed_in(request: Request, room: TheRoom) -> Session:
    """The visitor's session, or the way to the sign-in page."""
    session = await present_session(room, request)
    if session is None:
        raise NotSignedIn(request.url.path + ("?" + request.url.query if request.url.query else ""))
    request.state.session = session
    return session


Me = Annotated[Session, Depends(signed_in)]


def permitted(permission: Permission) -> Callable[..., Awaitable[Session]]:
    """A dependency that lets through only roles with this permission."""

    async def check(me: Me) -> Session:
        if not me.account.may(permission):
            raise HTTPException(403, f"Your role, {me.account.role}, does not allow this.")
        return me

    return check


Overseer = Annotated[Session, Depends(permitted(Permission.OVERSEE))]
NoteTaker = Annotated[Session, Depends(permitted(Permission.NOTE))]
Decider = Annotated[Session, Depends(permitted(Permission.DECIDE))]
MassDecider = Annotated[Session, Depends(permitted(Permission.MASS))]
Truster = Annotated[Session, Depends(permitted(Permission.TRUST))]
Auditor = Annotated[Session, Depends(permitted(Permission.AUDIT))]
Administrator = Annotated[Session, Depends(permitted(Permission.ADMINISTER))]


async def checked_form(request: Request, me: Me) -> FormData:
    """The posted form, if it carries the session's own token."""
    form = await request.form(max_files=0, max_fields=MAX_FORM_FIELDS)
    token = request.headers.get("x-csrf-token") or str(form.get("csrf", ""))
    if not hmac.compare_digest(token.encode(), me.csrf_token.encode()):
        raise HTTPException(403, "The form is not from this session. Go back, reload the page, and try again.")
    return form


Posted = Annotated[FormData, Depends(checked_form)]


def field(form: FormData, name: str, *, most: int = 2000) -> str:
    """A text field without surrounding space, cut to `most` characters; empty if it is missing."""
    value = form.get(name, "")
    return value.strip()[:most] if isinstance(value, str) else ""


def require_step_up(room: Room, me: Session, next_path: str) -> None:
    """Raise NotSteppedUp unless the second factor is fresh."""
    if not stepped_up(room, me):
        raise NotSteppedUp(next_path)


def own_path(text: str, default: str = "/") -> str:
    """A path of this site from what a visitor brought: never another host, never a scheme."""
    if not text.startswith("/") or text.startswith(("//", "/\\")) or any(ord(letter) < 32 for letter in text):
        return default
    return "/" + quote(text[1:500], safe="/?&=%:.-_~+,@#")

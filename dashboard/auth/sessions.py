"""The session cookie: an opaque id whose hash is a row in SQL, so it can be revoked."""

from __future__ import annotations

from datetime import timedelta

from fastapi import Request
from fastapi.responses import Response

from dashboard.room import Room
from gateway.model.account import Account, Session
from gateway.store.people.sign_in import digest


def cookie_name(room: Room) -> str:
    """With https the browser itself refuses to share it with any other host (`__Host-`)."""
    return "__Host-stopgate" if room.settings.secure else "stopgate_session"


def client_address(request: Request) -> str:
    """Where the request comes from, as the server believes it."""
    return request.client.host if request.client else ""


async def present_session(room: Room, request: Request) -> Session | None:
    """The live session of the request's cookie."""
    secret = request.cookies.get(cookie_name(room), "")
    return await room.sign_in.session(secret, idle=room.settings.idle) if secret else None


async def begin_session(room: Room, request: Request, response: Response, account: Account) -> Session:
    """Sign in: whatever id the browser brought is ended and never reused, so none can be planted."""
    brought = request.cookies.get(cookie_name(room), "")
    if brought:
        await room.sign_in.revoke_session(digest(brought), actor=account.name)
    secret, session = await room.sign_in.open_session(
        account,
        lasts=room.settings.session_lasts,
        address=client_address(request),
        agent=request.headers.get("user-agent", ""),
    )
    response.set_cookie(
        cookie_name(room),
        secret,
        max_age=int(room.settings.session_lasts / timedelta(seconds=1)),
        path="/",
        secure=room.settings.secure,
        httponly=True,
        samesite="lax",
    )
    return session


def forget_cookie(room: Room, response: Response) -> None:
    """Take the cookie off the browser."""
    response.delete_cookie(cookie_name(room), path="/", secure=room.settings.secure, httponly=True, samesite="lax")


def stepped_up(room: Room, session: Session) -> bool:
    """True if the second factor was given a short time ago in this session."""
    at = session.stepped_up_at
    return at is not None and room.now() < at + timedelta(minutes=room.settings.step_up_minutes)

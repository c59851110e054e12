"""Sign-ins in two halves: the first leaves a short-lived cookie, and only that browser can bring the second."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from dashboard.auth.sessions import client_address
from dashboard.room import Room
from gateway.store.people.keys import StepKind

_SECONDS = 300


def _cookie(room: Room) -> str:
    return "__Host-stopgate-step" if room.settings.secure else "stopgate_step"


async def begin(room: Room, request: Request, response: Response, kind: StepKind, data: Mapping[str, Any]) -> None:
    """Remember `data`, and give the browser what it needs to come back. Raises TooManySteps."""
    secret = await room.keys.begin_step(kind, data, address=client_address(request))
    response.set_cookie(
        _cookie(room),
        secret,
        max_age=_SECONDS,
        path="/",
        secure=room.settings.secure,
        httponly=True,
        samesite="lax",  # an OIDC provider sends the browser back from another site
    )


async def take(room: Room, request: Request, response: Response, kind: StepKind) -> Mapping[str, Any] | None:
    """What this browser began, once; None if it began nothing of this kind, or too long ago."""
    secret = request.cookies.get(_cookie(room), "")
    if not secret:
        return None
    response.delete_cookie(_cookie(room), path="/", secure=room.settings.secure, httponly=True, samesite="lax")
    return await room.keys.take_step(kind, secret)

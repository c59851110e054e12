"""Signatures of confirmed attacks and the allow list: what the gateway goes by beside its detectors."""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from dashboard.dependencies import Decider, Overseer, Posted, RowId, TheRoom, Truster, field
from dashboard.pages.oversight import SignaturesPage, TrustPage
from dashboard.room import Room
from dashboard.templating import page
from gateway.model.primitive import Address

routes = APIRouter()
_LONGEST_TRUST_DAYS = 365
_REPUTATIONS = 50


@routes.get("/signatures")
async def signatures(request: Request, room: TheRoom, me: Overseer) -> Response:
    """Every signature with its origin and its hits, the newest first."""
    return page(request, "signatures.html", SignaturesPage(await room.signatures.listed()))


@routes.post("/signatures/{number}/withdraw")
async def withdraw_signature(request: Request, room: TheRoom, me: Decider, form: Posted, number: RowId) -> Response:
    """End one signature for good."""
    reason = field(form, "reason")
    if not reason:
        problem = SignaturesPage(await room.signatures.listed(), "A withdrawal needs a reason.")
        return page(request, "signatures.html", problem, status=422)
    if not await room.signatures.withdraw(number, me.account.name, reason):
        problem = SignaturesPage(await room.signatures.listed(), "That signature had ended before.")
        return page(request, "signatures.html", problem, status=409)
    return RedirectResponse("/signatures", 303)


@routes.get("/trust")
async def trust(request: Request, room: TheRoom, me: Overseer) -> Response:
    """The allow list and the best known addresses."""
    return page(request, "trust.html", await _trust_page(room))


@routes.post("/trust")
async def add_trust(request: Request, room: TheRoom, me: Truster, form: Posted) -> Response:
    """Write one line of the allow list."""
    days = field(form, "days", most=3)
    try:
        await room.trust.add(
            author=me.account.name,
            reason=field(form, "reason"),
            expires_at=room.now() + timedelta(days=_days(days)),
            sender=_address(field(form, "sender", most=42)),
            contract=_address(field(form, "contract", most=42)),
            selector=_selector(field(form, "selector", most=10)),
            detector=field(form, "detector", most=100) or None,
        )
    except ValueError as error:
        return page(request, "trust.html", await _trust_page(room, f"Nothing was added: {error}."), status=422)
    return RedirectResponse("/trust", 303)


@routes.post("/trust/{number}/withdraw")
async def withdraw_trust(request: Request, room: TheRoom, me: Truster, form: Posted, number: RowId) -> Response:
    """End one line of the allow list."""
    reason = field(form, "reason")
    if not reason:
        return page(request, "trust.html", await _trust_page(room, "A withdrawal needs a reason."), status=422)
    if not await room.trust.withdraw(number, me.account.name, reason):
        return page(request, "trust.html", await _trust_page(room, "That line had ended before."), status=409)
    return RedirectResponse("/trust", 303)


async def _trust_page(room: Room, problem: str = "") -> TrustPage:
    return TrustPage(await room.trust.entries(ended=True), await room.trust.reputations(_REPUTATIONS), problem)


def _days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _LONGEST_TRUST_DAYS:
        raise ValueError(f"a line lasts 1 to {_LONGEST_TRUST_DAYS} days")
    return int(text)


def _address(text: str) -> Address | None:
    return Address.from_hex(text) if text else None


def _selector(text: str) -> bytes | None:
    try:
        return bytes.fromhex(text.removeprefix("0x")) if text else None
    except ValueError as error:
        raise ValueError("a selector is 0x and 8 hex digits") from error

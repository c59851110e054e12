"""The template environment: autoescape everywhere, every printed text cleaned, no way to print raw markup."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from dashboard.render import quantity, text
from dashboard.render.summary import evidence_lines, readable
from dashboard.room import Room
from gateway.model.account import Permission
from gateway.model.case import TokenInfo
from gateway.model.facts import TokenStandard
from gateway.model.finding import Confidence, Severity
from gateway.model.primitive import Address

_FOLDER = Path(__file__).with_name("templates")


@cache
def make_environment() -> Environment:
    """Templates with the formatting that they may use, compiled: no visitor waits for it."""
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        finalize=text.finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(
        short=lambda value: text.shorten(str(value)),
        span=quantity.span_text,
        clip=lambda value, most: text.clean(str(value), most),
        duration=quantity.duration_text,
        data=quantity.bytes_text,
        level=lambda severity: Severity(severity).name.lower(),
        sure=lambda confidence: Confidence(confidence).name.lower(),
        native=lambda wei: quantity.decimal_text(wei, 18),
        percent=lambda share: "none yet" if share is None else f"{share:.0%}",
    )
    environment.globals.update(Permission=Permission, timedelta=timedelta)
    for name in environment.list_templates(["html"]):
        environment.get_template(name)
    return environment


def page(
    request: Request, template: str, context: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> HTMLResponse:
    """Print one page. `context` is its type in `dashboard.pages`."""
    room: Room = request.app.state.room
    now = room.now()
    session = getattr(request.state, "session", None)
    values: dict[str, Any] = {
        "page": context,
        "me": session.account if session else None,
        "csrf": session.csrf_token if session else "",
        "settings": room.settings,
        "now": now,
        "ago": lambda at: quantity.moment_text(at, now),
        "loss": lambda amount: quantity.loss_text(amount, room.settings.unit),
        "estimate": quantity.estimate_text,
        "path": request.url.path,
        "readable": partial(readable, native=room.settings.native_symbol),
        "evidence_lines": partial(evidence_lines, native=room.settings.native_symbol),
        "amount": partial(_amount, native=room.settings.native_symbol),
    }
    printed = request.app.state.templates.get_template(template).render(values)
    return HTMLResponse(printed, status, headers=dict(headers or {}))


def _amount(token: Address, amount: int, tokens: Mapping[Address, TokenInfo], native: str) -> str:
    """An amount of an ERC-20 in its own unit, as far as that is known."""
    return quantity.amount_text(amount, quantity.asset_of(token, TokenStandard.ERC20, tokens, native))

"""Where notices go. The desk only writes it down; the gateway sends."""

from __future__ import annotations

import re
from datetime import timedelta

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import FormData

from dashboard.dependencies import Administrator, Posted, RowId, TheRoom, field, require_step_up
from dashboard.pages.people import ChannelsPage
from dashboard.room import Room
from dashboard.templating import page
from dashboard.views.people import named_contracts
from gateway.errors import ConfigurationError
from gateway.model.finding import Severity
from gateway.model.notice import ChannelKind, ChannelRule, NoticeKind
from gateway.model.shift import ShiftHours

routes = APIRouter(prefix="/notifications")


@routes.get("")
async def channels(request: Request, room: TheRoom, me: Administrator) -> Response:
    """Every channel, and the latest deliveries."""
    return page(request, "channels.html", await _channels_page(room))


@routes.post("")
async def add(request: Request, room: TheRoom, me: Administrator, form: Posted) -> Response:
    """A new channel. What it is signed with is shown once; its target never again."""
    require_step_up(room, me, "/notifications")
    name, kind = field(form, "name", most=64), field(form, "kind", most=20)
    try:
        if kind not in list(ChannelKind):
            raise ConfigurationError("choose webhook or apprise")
        target, rule = field(form, "target", most=2001), _rule(form)
        _, secret = await room.notices.add(name, ChannelKind(kind), target, rule, actor=me.account.name)
    except ConfigurationError as error:
        context = await _channels_page(room, problem=f"The channel was not added: {error}.")
        return page(request, "channels.html", context, status=422)
    return page(request, "channels.html", await _channels_page(room, secret=secret, new=name))


@routes.post("/{channel_id}")
async def change(request: Request, room: TheRoom, me: Administrator, form: Posted, channel_id: RowId) -> Response:
    """Test, change, switch on or off, or remove a channel."""
    require_step_up(room, me, "/notifications")
    actor, notices = me.account.name, room.notices
    try:
        match field(form, "step"):
            case "test":
                found = await notices.test(channel_id, actor=actor)
            case "rule":
                found = await notices.set_rule(channel_id, _rule(form), actor=actor)
            case "on" | "off" as word:
                found = await notices.set_enabled(channel_id, word == "on", actor=actor)
            case "remove":
                found = await notices.remove(channel_id, actor=actor)
            case step:
                raise HTTPException(422, f"There is no step {step[:40]!r}.")
    except ConfigurationError as error:
        context = await _channels_page(room, problem=f"Nothing was changed: {error}.")
        return page(request, "channels.html", context, status=422)
    if not found:
        raise HTTPException(404, "There is no such channel.")
    return RedirectResponse("/notifications", 303)


def _rule(form: FormData) -> ChannelRule:
    """The rule of a form. Raises ConfigurationError."""
    severity = field(form, "severity", most=10).upper()
    if severity not in Severity.__members__:
        raise ConfigurationError("choose the lowest severity")
    seconds = field(form, "grouping", most=5)
    if not re.fullmatch("[0-9]{1,5}", seconds):
        raise ConfigurationError("notices are grouped for 0 to 3600 seconds")
    return ChannelRule(
        kinds=frozenset(NoticeKind(word) for word in form.getlist("kind_of_notice") if word in list(NoticeKind)),
        severity=Severity[severity],
        contracts=frozenset(named_contracts(field(form, "contracts", most=10_000))),
        hours=ShiftHours(field(form, "hours", most=200).lower() or "always", field(form, "zone", most=60) or "UTC"),
        grouping=timedelta(seconds=int(seconds)),
    )


async def _channels_page(room: Room, *, secret: str = "", new: str = "", problem: str = "") -> ChannelsPage:
    return ChannelsPage(
        channels=await room.notices.channels(),
        deliveries=await room.notices.deliveries(20),
        kinds=tuple(kind.value for kind in NoticeKind if kind is not NoticeKind.TEST),
        severities=tuple(severity.name.lower() for severity in Severity),
        secret=secret,
        new=new,
        problem=problem,
    )

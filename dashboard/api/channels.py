"""Notification channels by API, for tokens with the scope `administer`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Path
from fastapi.responses import Response
from pydantic import Field

from dashboard.api.bodies import Body, Problem
from dashboard.api.routes import REFUSALS, scoped
from dashboard.dependencies import TheRoom
from gateway.errors import ConfigurationError
from gateway.model.account import ApiToken, Permission
from gateway.model.finding import Severity
from gateway.model.notice import Channel, ChannelKind, ChannelRule, DeliveryState, NoticeKind
from gateway.model.primitive import Address
from gateway.model.shift import ShiftHours

_GONE: dict[int | str, dict[str, Any]] = {404: {"model": Problem, "description": "no such channel"}}
routes = APIRouter(prefix="/api/v1", responses=REFUSALS, tags=["notifications"])
Administrator = Annotated[ApiToken, Depends(scoped(Permission.ADMINISTER))]
ChannelId = Annotated[int, Path(ge=1, le=2**31 - 1)]


class RuleBody(Body):
    """Which notices a channel gets."""

    kinds: list[NoticeKind] = Field(min_length=1, max_length=20)
    severity: str = Field("medium", pattern="^(info|low|medium|high|critical)$", description="the lowest")
    contracts: list[Annotated[str, Field(pattern="^0x[0-9a-fA-F]{40}$")]] = Field(default=[], max_length=200)
    hours: str = Field("always", max_length=200, description="always, or like mon-fri 08:00-18:00; sat 22:00-06:00")
    zone: str = Field("UTC", max_length=60, description="IANA time zone of the hours")
    grouping_seconds: int = Field(60, ge=0, le=3600, strict=True)

    def rule(self) -> ChannelRule:
        """The model's value. Raises ConfigurationError."""
        return ChannelRule(
            kinds=frozenset(self.kinds),
            severity=Severity[self.severity.upper()],
            contracts=frozenset(map(Address.from_hex, self.contracts)),
            hours=ShiftHours(self.hours.lower(), self.zone),
            grouping=timedelta(seconds=self.grouping_seconds),
        )


class NewChannelBody(RuleBody):
    """A channel to be."""

    name: str = Field(pattern="^[a-z0-9][a-z0-9._-]{0,63}$")
    kind: ChannelKind
    target: str = Field(min_length=1, max_length=2000, description="never shown again")


class ChannelBody(Body):
    """A channel; its target is cut to scheme and host."""

    id: int
    name: str
    kind: ChannelKind
    where: str
    enabled: bool
    kinds: list[NoticeKind]
    severity: str
    contracts: list[str]
    hours: str
    zone: str
    grouping_seconds: int
    created_by: str
    created_at: datetime

    @classmethod
    def of(cls, channel: Channel) -> ChannelBody:
        """From the model's value."""
        rule = channel.rule
        return cls(
            id=channel.id,
            name=channel.name,
            kind=channel.kind,
            where=channel.where,
            enabled=channel.enabled,
            kinds=sorted(rule.kinds),
            severity=rule.severity.name.lower(),
            contracts=sorted(map(str, rule.contracts)),
            hours=rule.hours.text,
            zone=rule.hours.zone,
            grouping_seconds=int(rule.grouping.total_seconds()),
            created_by=channel.created_by,
            created_at=channel.created_at,
        )


class AddedBody(Body):
    """A new channel's id, and what its webhooks are signed with: told this once."""

    id: int
    secret: str | None


class DeliveryBody(Body):
    """One delivery to a channel."""

    delivery: str
    channel: str
    notices: int
    created_at: datetime
    attempts: int
    next_at: datetime | None
    sent: bool
    problem: str

    @classmethod
    def of(cls, state: DeliveryState) -> DeliveryBody:
        """From the model's value."""
        return cls(
            delivery=state.delivery_id,
            channel=state.channel,
            notices=state.notices,
            created_at=state.created_at,
            attempts=state.attempts,
            next_at=state.next_at,
            sent=state.sent,
            problem=state.problem,
        )


class SwitchBody(Body):
    """On or off."""

    enabled: bool = Field(strict=True)


@routes.get("/channels")
async def list_channels(room: TheRoom, token: Administrator) -> list[ChannelBody]:
    """Every channel."""
    return [ChannelBody.of(channel) for channel in await room.notices.channels()]


@routes.get("/deliveries")
async def list_deliveries(room: TheRoom, token: Administrator) -> list[DeliveryBody]:
    """The latest 50 deliveries, the newest first."""
    return [DeliveryBody.of(state) for state in await room.notices.deliveries(50)]


@routes.post("/channels", status_code=201)
async def add_channel(room: TheRoom, token: Administrator, body: NewChannelBody) -> AddedBody:
    """Add a channel."""
    try:
        channel_id, secret = await room.notices.add(
            body.name, body.kind, body.target, body.rule(), actor=token.account.name
        )
    except ConfigurationError as error:
        raise HTTPException(422, str(error)) from error
    return AddedBody(id=channel_id, secret=secret or None)


@routes.put("/channels/{channel_id}/rule", status_code=204, response_class=Response, responses=_GONE)
async def change_rule(room: TheRoom, token: Administrator, channel_id: ChannelId, body: RuleBody) -> Response:
    """Change which notices it gets."""
    try:
        found = await room.notices.set_rule(channel_id, body.rule(), actor=token.account.name)
    except ConfigurationError as error:
        raise HTTPException(422, str(error)) from error
    return _done(found)


@routes.put("/channels/{channel_id}/enabled", status_code=204, response_class=Response, responses=_GONE)
async def switch(room: TheRoom, token: Administrator, channel_id: ChannelId, body: SwitchBody) -> Response:
    """Switch it on or off."""
    return _done(await room.notices.set_enabled(channel_id, body.enabled, actor=token.account.name))


@routes.post("/channels/{channel_id}/test", status_code=202, response_class=Response, responses=_GONE)
async def test_channel(room: TheRoom, token: Administrator, channel_id: ChannelId) -> Response:
    """Have the gateway send a test notice; the list of deliveries tells what became of it."""
    return _done(await room.notices.test(channel_id, actor=token.account.name), 202)


@routes.delete("/channels/{channel_id}", status_code=204, response_class=Response, responses=_GONE)
async def remove_channel(room: TheRoom, token: Administrator, channel_id: ChannelId) -> Response:
    """Remove it, and what waits for it."""
    return _done(await room.notices.remove(channel_id, actor=token.account.name))


def _done(found: bool, status: int = 204) -> Response:
    if not found:
        raise HTTPException(404, "There is no such channel.")
    return Response(status_code=status)

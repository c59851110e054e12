"""Over all cases, by API: look-alikes, figures, detectors, health and the audit chain; and what one would do."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query
from fastapi.responses import Response
from pydantic import Field

from dashboard.api.bodies import Body, CaseBody
from dashboard.api.knowledge import Overseer
from dashboard.api.routes import ABOUT_ONE, REFUSALS, CaseId, Reader, scoped
from dashboard.cases import find_case
from dashboard.dependencies import TheRoom
from dashboard.health import chain_check, exported, health_of
from dashboard.live import TheNews
from dashboard.pages.oversight import Check
from dashboard.render.changes import address_roles
from dashboard.render.text import clean
from dashboard.views.queue import query_of
from gateway.model.account import ApiToken, Permission
from gateway.model.audit import AuditKind
from gateway.model.case import CaseDetail, CaseGroup, asset_changes
from gateway.model.facts import TokenStandard
from gateway.model.quarantine import CaseState

routes = APIRouter(prefix="/api/v1", responses=REFUSALS, tags=["oversight"])
Auditor = Annotated[ApiToken, Depends(scoped(Permission.AUDIT))]
_STORABLE = r"^[^\x00]*$"
_LINES: dict[int | str, dict[str, Any]] = {200: {"content": {"application/x-ndjson": {"schema": {"type": "string"}}}}}


class GroupBody(Body):
    """Cases that look alike: same clause, recipient, selector and detectors."""

    group: str
    count: int
    newest: CaseBody

    @classmethod
    def of(cls, group: CaseGroup) -> GroupBody:
        """From the model's value."""
        return cls(group=group.group, count=group.count, newest=CaseBody.of(group.newest))


class ChangeBody(Body):
    """Net change of one asset for one address."""

    address: str
    role: str = Field(description="sender, attacker, victim, instrument, or empty")
    standard: TokenStandard
    token: str = Field(description="the zero address for the chain's own coin")
    token_id: str | None = Field(description="decimal")
    amount: str = Field(description="in the smallest unit, decimal, negative for a loss")
    symbol: str = Field(description="what the token says of itself; anybody can say anything")

    @classmethod
    def all_of(cls, detail: CaseDetail) -> list[ChangeBody]:
        """Of everything that would move."""
        roles = address_roles(detail)
        return [
            cls(
                address=str(change.address),
                role=roles.get(change.address, ""),
                standard=change.standard,
                token=str(change.token),
                token_id=None if change.token_id is None else str(change.token_id),
                amount=str(change.amount),
                symbol=clean(detail.tokens[change.token].symbol, 40) if change.token in detail.tokens else "",
            )
            for change in asset_changes(detail.facts.transfers)
        ]


class SlotBody(Body):
    """One storage slot before and after."""

    slot: str
    name: str
    before: str
    after: str


class AccountBody(Body):
    """What changes in one account."""

    address: str
    balance: tuple[str, str] | None
    nonce: tuple[int, int] | None
    code: str
    slots: list[SlotBody]


class EffectsBody(Body):
    """What a transaction would do, as of its latest inspection; `status` is null if it was not simulated."""

    status: str | None
    gas_used: int | None
    block: int | None
    calls: int
    changes: list[ChangeBody]
    accounts: list[AccountBody]
    slots_left_out: int


class DayBody(Body):
    """Figures of the last day, and how many cases stand in each state."""

    since: datetime
    submissions: int
    refused: int
    held: int
    released: int
    rejected: int
    expired: int
    median_decision_seconds: float | None
    states: dict[CaseState, int]


class DetectorBody(Body):
    """How often a detector spoke in the latest cases, and what became of them."""

    detector: str
    cases: int
    released: int
    rejected: int
    false_alarms: int
    confirmed: int


class CheckBody(Body):
    """One thing that must work."""

    name: str
    ok: bool
    says: str

    @classmethod
    def of(cls, check: Check) -> CheckBody:
        """From the page's value."""
        return cls(name=check.name, ok=check.ok, says=check.says)


class GatewayBody(Body):
    """What one gateway process last told of itself."""

    name: str
    at: datetime
    silent: bool
    checks: list[CheckBody]


class HealthBody(Body):
    """What works and what does not."""

    checks: list[CheckBody]
    gateways: list[GatewayBody]


class LinkBody(Body):
    """One link of the audit chain."""

    sequence: int
    kind: AuditKind
    at: datetime
    actor: str
    subject: str
    detail: dict[str, Any]
    hash: str


@routes.get("/groups")
async def list_groups(
    room: TheRoom,
    token: Reader,
    tab: Annotated[str, Query(max_length=20)] = "",
    q: Annotated[str, Query(max_length=200)] = "",
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> list[GroupBody]:
    """At most 50 groups of look-alikes, the largest first; the filters are those of the list of cases."""
    query = query_of({"tab": tab, "q": q}, token.account, offset)
    return [GroupBody.of(group) for group in await room.record.groups(query)]


@routes.get("/cases/{case_id}/effects", responses=ABOUT_ONE)
async def read_effects(room: TheRoom, token: Reader, case_id: CaseId) -> EffectsBody:
    """What it would do: gains and losses by address, and the state before and after."""
    entry = await find_case(room, token.account, case_id)
    detail = await room.details.get(entry)
    if detail is None:
        raise HTTPException(404, "Nothing was stored of this case's effects.")
    effects, run = room.details.effects(entry, detail), detail.simulation
    return EffectsBody(
        status=run.status.value if run else None,
        gas_used=run.gas_used if run else None,
        block=run.block.number if run else None,
        calls=effects.frames,
        changes=ChangeBody.all_of(detail),
        accounts=[
            AccountBody(
                address=str(row.address),
                balance=row.balance,
                nonce=row.nonce,
                code=row.code,
                slots=[SlotBody(slot=s.slot, name=s.name, before=s.before, after=s.after) for s in row.slots],
            )
            for row in effects.accounts
        ],
        slots_left_out=effects.slots_left_out,
    )


@routes.get("/overview")
async def read_overview(room: TheRoom, token: Overseer) -> DayBody:
    """The numbers of the last day."""
    figures = await room.figures.get()
    median = figures.median_decision
    return DayBody(
        since=figures.since,
        submissions=figures.submissions,
        refused=figures.refused,
        held=figures.held,
        released=figures.released,
        rejected=figures.rejected,
        expired=figures.expired,
        median_decision_seconds=None if median is None else median.total_seconds(),
        states=dict(await room.counts.get()),
    )


@routes.get("/detectors")
async def list_detectors(room: TheRoom, token: Overseer) -> list[DetectorBody]:
    """What speaks, how often, how often overruled; the most talkative first."""
    return [
        DetectorBody(
            detector=each.detector_id,
            cases=each.cases,
            released=each.released,
            rejected=each.rejected,
            false_alarms=each.false_alarms,
            confirmed=each.confirmed,
        )
        for each in await room.detectors.get()
    ]


@routes.get("/health")
async def read_health(room: TheRoom, news: TheNews, token: Overseer) -> HealthBody:
    """What works and what does not, asked now."""
    found = await health_of(room, live=news.alive)
    return HealthBody(
        checks=[CheckBody.of(check) for check in found.checks],
        gateways=[
            GatewayBody(
                name=panel.name,
                at=panel.at,
                silent=panel.silent,
                checks=[CheckBody.of(check) for check in panel.checks],
            )
            for panel in found.gateways
        ],
    )


@routes.get("/audit")
async def list_audit(
    room: TheRoom,
    token: Auditor,
    kind: AuditKind | None = None,
    actor: Annotated[str, Query(max_length=100, pattern=_STORABLE)] = "",
    subject: Annotated[str, Query(max_length=100, pattern=_STORABLE)] = "",
    before: Annotated[int, Query(ge=0, le=2**53)] = 0,
) -> list[LinkBody]:
    """At most 100 links of the chain, the latest first; `before`: a sequence number already seen."""
    found = await room.audit.records(
        after=before, limit=100, newest_first=True, subject=subject, actor=actor.lower(), kind=kind
    )
    return [
        LinkBody(
            sequence=link.sequence,
            kind=link.kind,
            at=link.at,
            actor=link.actor,
            subject=link.subject,
            detail=dict(link.detail),
            hash=link.hash.hex(),
        )
        for link in found
    ]


@routes.get("/audit/export", response_class=Response, responses=_LINES)
async def export_audit(room: TheRoom, token: Auditor) -> Response:
    """The whole chain as JSON lines, as `stopgate audit verify` reads it."""
    return exported(room)


@routes.get("/audit/verification")
async def verify_audit(room: TheRoom, token: Auditor) -> CheckBody:
    """Walk the whole chain and tell where it breaks, if it does."""
    return CheckBody.of(await chain_check(room))

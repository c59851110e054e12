"""Pages over all cases: overview, detectors, rules, health, audit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response

from dashboard.dependencies import Auditor, Me, Overseer, TheRoom
from dashboard.health import chain_check, exported, health_of, record_check
from dashboard.live import TheNews
from dashboard.pages.oversight import AuditPage, DetectorsPage, HealthPage, OverviewPage
from dashboard.rulebook import rules_of
from dashboard.templating import page
from gateway.model.audit import AuditKind
from gateway.model.case import CaseOrder, CaseQuery
from gateway.model.quarantine import CaseState

routes = APIRouter()
_LINKS = 100
_SILENT_AFTER = timedelta(seconds=10)
"""a gateway leaves a sign of life every two seconds"""


@routes.get("/overview")
async def overview(request: Request, room: TheRoom, me: Overseer) -> Response:
    """The numbers of the last day."""
    figures = await room.figures.get()
    soonest = await room.record.cases(CaseQuery(states=frozenset({CaseState.HELD}), order=CaseOrder.EXPIRY, limit=1))
    context = OverviewPage(
        figures=figures,
        counts={state.value: number for state, number in (await room.record.counts()).items()},
        series={
            "hours": [int(hour.timestamp()) for hour in figures.hours],
            "arrived": figures.arrived_by_hour,
            "held": figures.held_by_hour,
        },
        detectors=(await room.detectors.get())[:6],
        next_expiry=soonest.entries[0] if soonest.entries else None,
    )
    return page(request, "overview.html", context)


@routes.get("/detectors")
async def detectors(request: Request, room: TheRoom, me: Overseer) -> Response:
    """What speaks, how often, how often overruled."""
    return page(request, "detectors.html", DetectorsPage(await room.detectors.get()))


@routes.get("/rules")
async def rules(request: Request, room: TheRoom, me: Me) -> Response:
    """What protocols forbid for their own contracts; a protocol sees the rules of its own."""
    return page(request, "rules.html", await rules_of(room, me.account))


@routes.get("/health")
async def health(request: Request, room: TheRoom, news: TheNews, me: Overseer) -> Response:
    """What works and what does not, asked now."""
    return page(request, "health.html", await health_of(room, live=news.alive))


@routes.get("/healthz")
async def alive(room: TheRoom) -> Response:
    """For container probes: 200 while the record answers, else 503. Says nothing else."""
    check = await record_check(room)
    return Response("ok" if check.ok else "the record does not answer", 200 if check.ok else 503)


@routes.get("/audit")
async def audit(request: Request, room: TheRoom, me: Auditor) -> Response:
    """Links of the chain, the latest first."""
    given = request.query_params
    filters = {key: given.get(key, "").replace("\x00", "")[:100] for key in ("kind", "actor", "subject")}
    before = int(given["before"]) if given.get("before", "").isdecimal() and len(given["before"]) < 16 else 0
    records = await room.audit.records(
        after=before,
        limit=_LINKS,
        newest_first=True,
        subject=filters["subject"].strip(),
        actor=filters["actor"].strip().lower(),
        kind=AuditKind(filters["kind"]) if filters["kind"] in list(AuditKind) else None,
    )
    more = len(records) == _LINKS and records[-1].sequence > 1
    older = "/audit?" + urlencode({**_set(filters), "before": records[-1].sequence}) if more else ""
    return page(request, "audit.html", AuditPage(records, await room.audit.head(), filters, older))


@routes.get("/audit.jsonl")
async def export(room: TheRoom, me: Auditor) -> Response:
    """The whole chain as JSON lines, for `stopgate audit verify` and for auditors."""
    return exported(room)


@routes.get("/audit/verify")
async def verify(request: Request, room: TheRoom, me: Auditor) -> Response:
    """Walk the whole chain and tell where it breaks, if it does."""
    return page(request, "health.html", HealthPage((await chain_check(room),)))


def _set(filters: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in filters.items() if value}

"""Pages over all cases: overview, detectors, health, audit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from dashboard.dependencies import Auditor, Overseer, TheRoom
from dashboard.live import TheNews
from dashboard.pages.oversight import AuditPage, Check, DetectorsPage, GatewayPanel, HealthPage, OverviewPage
from dashboard.room import Room
from dashboard.templating import page
from gateway.errors import QueueUnavailable, RecordUnavailable
from gateway.model.audit import AuditKind
from gateway.model.case import CaseOrder, CaseQuery, ChainBreak
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


@routes.get("/health")
async def health(request: Request, room: TheRoom, news: TheNews, me: Overseer) -> Response:
    """What works and what does not, asked now."""
    checks = (await _record_check(room), await _queue_check(room), _news_check(news.alive), await _lag_check(room))
    return page(request, "health.html", HealthPage(checks, await _gateways(room)))


@routes.get("/healthz")
async def alive(room: TheRoom) -> Response:
    """For container probes: 200 while the record answers, else 503. Says nothing else."""
    check = await _record_check(room)
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

    async def lines() -> AsyncIterator[str]:
        async for line in room.audit.export():
            yield line + "\n"

    return StreamingResponse(
        lines(),
        media_type="application/x-ndjson",
        headers={"content-disposition": 'attachment; filename="stopgate-audit.jsonl"'},
    )


@routes.get("/audit/verify")
async def verify(request: Request, room: TheRoom, me: Auditor) -> Response:
    """Walk the whole chain and tell where it breaks, if it does."""
    outcome = await room.audit.verify()
    if isinstance(outcome, ChainBreak):
        check = Check("Audit chain", False, f"record {outcome.sequence}: {outcome.problem}")
    else:
        check = Check("Audit chain", True, f"{outcome.sequence} records, head {outcome.hash.hex()}")
    return page(request, "health.html", HealthPage((check,)))


async def _gateways(room: Room) -> tuple[GatewayPanel, ...]:
    """What every gateway process last told of itself; none if Redis is away, which has a check of its own."""
    if room.heartbeats is None:
        return ()
    try:
        beats = await room.heartbeats.all()
    except QueueUnavailable:
        return ()
    return tuple(
        GatewayPanel(
            name=beat.replica,
            at=beat.at,
            silent=room.now() - beat.at > _SILENT_AFTER,
            checks=tuple(Check(item.name, item.ok, item.says) for item in beat.items),
        )
        for beat in beats
    )


def _set(filters: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in filters.items() if value}


async def _record_check(room: Room) -> Check:
    try:
        head = await room.audit.head()
    except RecordUnavailable as error:
        return Check("Record (SQL)", False, str(error))
    return Check("Record (SQL)", True, f"answers; {head.sequence} audit records")


async def _queue_check(room: Room) -> Check:
    try:
        await room.queue.ping()
    except QueueUnavailable as error:
        return Check("Live queue (Redis)", False, f"{error}. Lists come from the record meanwhile.")
    return Check("Live queue (Redis)", True, "answers")


def _news_check(alive: bool) -> Check:
    says = "open pages are told at once" if alive else "open pages are not told of new cases: reload them"
    return Check("Live updates", alive, says)


async def _lag_check(room: Room) -> Check:
    try:
        recorded = await room.record.counts()
        queued = await room.queue.counts()
    except (QueueUnavailable, RecordUnavailable) as error:
        return Check("Queue agrees with record", False, f"cannot be compared: {error}")
    waiting = (CaseState.HELD, CaseState.DEFERRED, CaseState.PARKED)
    behind = sum(abs(recorded.get(state, 0) - queued.get(state, 0)) for state in waiting)
    says = "both name the same number of waiting cases" if not behind else f"they differ by {behind}; rebuild the queue"
    return Check("Queue agrees with record", not behind, says)

"""The queue: one page of cases, live, filtered, searched, folded, and decided many at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from dashboard.cases import find_case, scope_of
from dashboard.decisions import Decided, DecisionRefused, SecondVoiceNeeded, decide
from dashboard.dependencies import MassDecider, Me, Posted, RowId, TheRoom, field, own_path, require_step_up
from dashboard.live import TheNews
from dashboard.pages.queue import MassDonePage, MassPage, QueuePage, QueueRow, Tab
from dashboard.render.quantity import loss_text
from dashboard.render.summary import mentioned_tokens
from dashboard.room import Room
from dashboard.templating import page
from gateway.model.account import Account, Approval, CaseMark, Permission
from gateway.model.case import MOST_COUNTED, CaseOrder, CaseQuery
from gateway.model.finding import Severity
from gateway.model.quarantine import WAITING, CaseState, QuarantineEntry

routes = APIRouter()
PAGE = 50
MOST_AT_ONCE = 200
_TABS: tuple[tuple[str, str, frozenset[CaseState]], ...] = (
    ("held", "Held", frozenset({CaseState.HELD})),
    ("deferred", "Still inspecting", frozenset({CaseState.DEFERRED})),
    ("parked", "Parked", frozenset({CaseState.PARKED})),
    ("released", "Released", frozenset({CaseState.RELEASED, CaseState.FORWARDED})),
    ("rejected", "Rejected", frozenset({CaseState.REJECTED})),
    ("ended", "Expired", frozenset({CaseState.EXPIRED, CaseState.SUPERSEDED})),
)
_STATES = {key: states for key, _, states in _TABS}
_KEPT = ("tab", "q", "severity", "who", "detector", "group", "order", "view")


@routes.get("/")
async def front(me: Me) -> Response:
    """The queue is the front page."""
    return RedirectResponse("/queue", 303)


@routes.get("/queue")
async def queue(request: Request, room: TheRoom, news: TheNews, me: Me) -> Response:
    """One page of cases."""
    context = await _queue_page(room, me.account, dict(request.query_params), news.last_id, news.alive)
    return page(request, "queue.html", context)


@routes.get("/queue/rows")
async def rows(request: Request, room: TheRoom, news: TheNews, me: Me) -> Response:
    """The changing part of the same page, for the live update."""
    context = await _queue_page(room, me.account, dict(request.query_params), news.last_id, news.alive)
    return page(request, "queue_rows.html", context)


@routes.post("/queue/views")
async def save_view(request: Request, room: TheRoom, me: Me, form: Posted) -> Response:
    """Keep the present filter under a name."""
    name = field(form, "name", most=64)
    query = field(form, "query", most=1000)
    if name:
        await room.desk.save_view(me.account, name, query)
    return RedirectResponse("/queue?" + own_path("/" + query)[1:], 303)


@routes.post("/queue/views/{view_id}/drop")
async def drop_view(room: TheRoom, me: Me, form: Posted, view_id: RowId) -> Response:
    """Forget a saved filter of one's own."""
    await room.desk.drop_view(me.account, view_id)
    return RedirectResponse("/queue", 303)


@routes.post("/queue/preview")
async def preview(request: Request, room: TheRoom, me: MassDecider, form: Posted) -> Response:
    """What deciding the chosen cases would do. Changes nothing."""
    chosen, target = _chosen(form.getlist("case")), _target(field(form, "target"))
    if group := field(form, "group"):
        query = CaseQuery(states=frozenset({CaseState.HELD}), group=group, limit=MOST_AT_ONCE)
        chosen = [entry.case_id for entry in (await room.record.cases(query)).entries]
    return page(request, "mass.html", await _mass_page(room, me.account, chosen, target))


@routes.post("/queue/decide")
async def decide_many(request: Request, room: TheRoom, me: MassDecider, form: Posted) -> Response:
    """Decide the cases of a preview, each by itself: one that changed meanwhile does not stop the others."""
    chosen, target = _chosen(form.getlist("case")), _target(field(form, "target"))
    reason = field(form, "reason")
    if not reason:
        context = await _mass_page(room, me.account, chosen, target, "A decision needs a reason.")
        return page(request, "mass.html", context, status=422)
    require_step_up(room, me, "/queue")
    results = []
    for case_id in chosen:
        entry = await find_case(room, me.account, case_id)
        try:
            outcome = await decide(room, me.account, entry, target, reason, mass=True)
        except DecisionRefused as error:
            results.append((case_id, str(error)))
            continue
        if isinstance(outcome, Decided):
            results.append((case_id, f"{outcome.entry.state}"))
        elif isinstance(outcome, SecondVoiceNeeded):
            results.append((case_id, "your voice is recorded; a second person has to agree"))
        else:
            results.append((case_id, str(outcome)))
    return page(request, "mass_done.html", MassDonePage(target.value, tuple(results)))


async def _mass_page(
    room: Room, account: Account, chosen: Sequence[str], target: CaseState, problem: str = ""
) -> MassPage:
    entries = [await find_case(room, account, case_id) for case_id in chosen]
    waiting = [entry for entry in entries if entry.state in WAITING]
    rows = await _rows(room, waiting)
    seconds = sum(1 for row in rows if row.asked and row.asked.actor != account.name and row.asked.target == target)
    total = sum(entry.estimated_loss or 0.0 for entry in waiting)
    return MassPage(
        target=target.value,
        rows=rows,
        skipped=len(entries) - len(waiting),
        loss=loss_text(total, room.settings.unit),
        seconds=seconds if target is CaseState.RELEASED else 0,
        firsts=len(waiting) - seconds if target is CaseState.RELEASED else 0,
        problem=problem,
    )


def _chosen(values: Sequence[object]) -> list[str]:
    chosen = list(dict.fromkeys(value for value in values if isinstance(value, str)))
    if not chosen:
        raise HTTPException(422, "No case is chosen. Tick the boxes of the cases to decide.")
    if len(chosen) > MOST_AT_ONCE:
        raise HTTPException(422, f"At most {MOST_AT_ONCE} cases can be decided at once.")
    return chosen


def _target(word: str) -> CaseState:
    if word not in (CaseState.RELEASED, CaseState.REJECTED):
        raise HTTPException(422, "Choose whether to release or to reject.")
    return CaseState(word)


async def _queue_page(
    room: Room, account: Account, given: Mapping[str, str], last_id: str | None, alive: bool
) -> QueuePage:
    async with room.database.together():
        return await _queue_page_now(room, account, given, last_id, alive)


async def _queue_page_now(
    room: Room, account: Account, given: Mapping[str, str], last_id: str | None, alive: bool
) -> QueuePage:
    filters = {key: given.get(key, "")[:200] for key in _KEPT}
    offset = int(given["offset"]) if given.get("offset", "").isdecimal() and len(given["offset"]) < 9 else 0
    query = query_of(filters, account, offset)
    grouped = filters["view"] == "groups"
    folded = tuple(await room.record.groups(query)) if grouped else ()
    counts = {} if scope_of(account) is not None else await room.counts.get(last_id)
    if filters["tab"] == "voice" and scope_of(account) is None:
        found = [await room.record.case(case_id) for case_id in await room.desk.asked_cases()]
        entries = [entry for entry in found if entry is not None]
        total = len(entries)
    elif filters["tab"] == "appeals" and scope_of(account) is None:
        found = [await room.record.case(case_id) for case_id in await room.appeals.open_cases()]
        entries = [entry for entry in found if entry is not None]
        total = len(entries)
    elif grouped:
        entries, total = [], offset + len(folded) + (len(folded) == PAGE)
    else:
        every = None if _is_narrow(query) else sum(counts.get(state, 0) for state in query.states or CaseState)
        result = await room.record.cases(query, total=every)
        entries, total = list(result.entries), result.total
    shown = len(folded) if grouped else len(entries)
    present = {key: value for key, value in filters.items() if value}
    rows = await _rows(room, entries)
    mentioned = mentioned_tokens(row.finding.summary for row in rows if row.finding)
    return QueuePage(
        tabs=await _tabs(room, account, filters, counts),
        rows=rows,
        tokens=await room.tokens.known(mentioned) if mentioned else {},
        groups=folded,
        grouped=grouped,
        total=total,
        first=offset + 1 if shown else 0,
        last=offset + shown,
        previous=_path(present, max(offset - PAGE, 0)) if offset else "",
        following=_path(present, offset + PAGE) if offset + shown < total else "",
        refresh="/queue/rows?" + urlencode({**present, "offset": offset}),
        events="/events" + (f"?after={last_id}" if last_id else ""),
        filters=filters,
        views=await room.desk.views(account),
        total_is_least=total == MOST_COUNTED,
        may_decide_many=account.may(Permission.MASS),
        state_words=tuple(state.value for state in CaseState),
        mentions=await room.evidence.unseen(account.name),
        ending=await _ending(room, account, filters),
        live=alive,
    )


async def _ending(room: Room, account: Account, filters: Mapping[str, str]) -> int:
    """Told to those who can do something about it."""
    if not account.may(Permission.DECIDE) or filters["order"] == CaseOrder.EXPIRY.value:
        return 0
    return await room.ending.get()


def query_of(filters: Mapping[str, str], account: Account, offset: int = 0) -> CaseQuery:
    """The filter as the record understands it; a protocol's account never sees beyond its contracts."""
    filters = {key: value.replace("\x00", "") for key, value in filters.items()}
    tab, order, severity = filters.get("tab", ""), filters.get("order", ""), filters.get("severity", "")
    states = frozenset() if tab == "all" else _STATES.get(tab, _STATES["held"])
    if not tab and (filters.get("q") or filters.get("group")):
        states = frozenset()  # who searches for a hash wants the case wherever it stands
    who = filters.get("who", "")
    assigned = {"me": account.name, "nobody": ""}.get(who) if who else None
    return CaseQuery(
        states=states,
        search=filters.get("q", ""),
        touching=scope_of(account),
        detector=filters.get("detector", ""),
        group=filters.get("group", ""),
        severity=Severity[severity.upper()] if severity.upper() in Severity.__members__ else None,
        assigned_to=assigned,
        order=CaseOrder(order) if order in list(CaseOrder) else CaseOrder.PRIORITY,
        offset=offset,
        limit=PAGE,
    )


def _is_narrow(query: CaseQuery) -> bool:
    """True if more than the states decides which cases are listed."""
    given = (query.search.strip(), query.detector, query.group)
    return any(given) or any(part is not None for part in (query.touching, query.severity, query.assigned_to))


async def _tabs(
    room: Room, account: Account, filters: Mapping[str, str], counts: Mapping[CaseState, int]
) -> tuple[Tab, ...]:
    scoped = scope_of(account) is not None
    current = filters["tab"] or ("all" if filters["q"] or filters["group"] else "held")
    tabs = [
        Tab(
            label,
            "/queue" if key == "held" else f"/queue?tab={key}",
            None if scoped else sum(counts.get(state, 0) for state in states),
            current == key,
        )
        for key, label, states in _TABS
    ]
    tabs.append(Tab("All", "/queue?tab=all", None if scoped else sum(counts.values()), current == "all"))
    if not scoped and account.may(Permission.DECIDE):
        waiting = len(await room.desk.asked_cases())
        tabs.insert(1, Tab("Second voice", "/queue?tab=voice", waiting, current == "voice"))
        appealed = len(await room.appeals.open_cases())
        tabs.insert(2, Tab("Appeals", "/queue?tab=appeals", appealed, current == "appeals"))
    return tuple(tabs)


async def _rows(room: Room, entries: Sequence[QuarantineEntry]) -> tuple[QueueRow, ...]:
    if not entries:
        return ()
    ids = [entry.case_id for entry in entries]
    marks, asked = await room.desk.marks(ids), await room.desk.asked_of(ids)
    appealed = await room.appeals.open_of(ids)
    return tuple(
        row_of(entry, marks.get(entry.case_id, ()), asked.get(entry.case_id), appealed=entry.case_id in appealed)
        for entry in entries
    )


def row_of(
    entry: QuarantineEntry, marks: Sequence[CaseMark] = (), asked: Approval | None = None, *, appealed: bool = False
) -> QueueRow:
    """One line of the queue."""
    findings = sorted(
        entry.verdict.report.findings, key=lambda found: (-found.severity, -found.confidence, found.detector_id)
    )
    worst = findings[0] if findings else None
    return QueueRow(
        entry=entry,
        title=worst.title if worst else entry.verdict.reason,
        finding=worst,
        more=max(len(findings) - 1, 0),
        marks=marks,
        asked=asked,
        appealed=appealed,
    )


def _path(filters: Mapping[str, str], offset: int) -> str:
    return "/queue?" + urlencode({**filters, "offset": offset})

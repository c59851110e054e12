"""One case: the page, its parts, and what can be done about it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from dashboard.cases import find_case, scope_of
from dashboard.decisions import (
    Decided,
    DecisionRefused,
    Outcome,
    SecondVoiceNeeded,
    assign,
    decide,
    extend,
    findings_seen,
    why_two,
)
from dashboard.dependencies import Decider, Me, NoteTaker, Posted, RowId, TheRoom, field, require_step_up
from dashboard.evidence import mentioned
from dashboard.pages.case import CasePage, RunLine, TracePage
from dashboard.render.call_tree import find_frames, frame_line, frame_path, tree_steps
from dashboard.render.difference import finding_difference
from dashboard.render.effects import Effects
from dashboard.render.why import why_held
from dashboard.room import Room
from dashboard.templating import page
from gateway.model.account import Account, Mark, Permission, Role
from gateway.model.case import CaseOrder, CaseQuery
from gateway.model.casework import CaseRun
from gateway.model.finding import OutcomeStatus
from gateway.model.geth import geth_call_tracer
from gateway.model.quarantine import WAITING, CaseState, QuarantineEntry

routes = APIRouter(prefix="/cases/{case_id}")
FRAMES_ON_TRACE = 300


@routes.get("")
async def case(request: Request, room: TheRoom, me: Me, case_id: str) -> Response:
    """Why held, what it would do, who asks, what can I do, until when."""
    entry = await find_case(room, me.account, case_id)
    await room.evidence.seen(entry.case_id, me.account.name)
    return page(request, "case.html", await case_page(room, me.account, entry))


@routes.get("/trace")
async def trace(request: Request, room: TheRoom, me: Me, case_id: str, frame: int = 0, q: str = "") -> Response:
    """The call tree from one frame down, or the frames that a search finds."""
    entry = await find_case(room, me.account, case_id)
    detail = await room.details.get(entry)
    if detail is None or detail.simulation is None or not detail.simulation.trace.frames:
        raise HTTPException(404, "This case has no call tree: it was not simulated.")
    executed, native = detail.simulation.trace, room.settings.native_symbol
    if not 0 <= frame < len(executed.frames):
        raise HTTPException(404, f"This trace has frames 0 to {len(executed.frames) - 1}.")
    search = q.strip()[:200]
    found = find_frames(executed, search, detail.labels) if search else ()
    focus = {index for finding in detail.report.findings for index in finding.frames}
    names: dict[str, Any] = {"labels": detail.labels, "native": native, "tokens": detail.tokens}
    steps = tree_steps(executed, root=frame, focus=focus, most=FRAMES_ON_TRACE, **names)
    context = TracePage(
        entry=entry,
        tree=() if search else tuple(steps),
        found=tuple(frame_line(match, **names) for match in found),
        search=search,
        root=frame,
        path=tuple(frame_line(step, **names) for step in frame_path(executed, frame)),
        frames=len(executed.frames),
    )
    return page(request, "trace.html", context)


@routes.get("/trace.json")
async def raw_trace(room: TheRoom, me: Me, case_id: str) -> Response:
    """The trace as geth's callTracer prints it."""
    entry = await find_case(room, me.account, case_id)
    detail = await room.details.get(entry)
    if detail is None or detail.simulation is None or not detail.simulation.trace.frames:
        raise HTTPException(404, "This case has no trace: it was not simulated.")
    name = "".join(letter for letter in entry.case_id if letter.isalnum() or letter in "-_")
    return Response(
        msgspec.json.encode(geth_call_tracer(detail.simulation.trace)),
        media_type="application/json",
        headers={"content-disposition": f'attachment; filename="trace-{name}.json"'},
    )


@routes.post("/decide")
async def decide_one(request: Request, room: TheRoom, me: Decider, form: Posted, case_id: str) -> Response:
    """Release or reject."""
    entry = await find_case(room, me.account, case_id)
    word = field(form, "target")
    if word not in (CaseState.RELEASED, CaseState.REJECTED):
        raise HTTPException(422, "Choose whether to release or to reject.")
    target = CaseState(word)
    if await why_two(room, entry, target):
        require_step_up(room, me, f"/cases/{case_id}")
    try:
        outcome = await decide(room, me.account, entry, target, field(form, "reason"), seen=field(form, "seen"))
    except DecisionRefused as error:
        return await _problem(request, room, me.account, case_id, str(error), 422)
    return await _answer(request, room, me.account, outcome)


@routes.post("/withdraw")
async def withdraw(room: TheRoom, me: Decider, form: Posted, case_id: str) -> Response:
    """Take a waiting first voice back; anybody who may decide can."""
    entry = await find_case(room, me.account, case_id)
    await room.desk.close_asked(entry.case_id, me.account.name, "withdrawn")
    return _back(entry)


@routes.post("/extend")
async def extend_one(request: Request, room: TheRoom, me: Decider, form: Posted, case_id: str) -> Response:
    """Give more time."""
    entry = await find_case(room, me.account, case_id)
    hours = field(form, "hours", most=3)
    by = timedelta(hours=min(int(hours), 24 * 7) if hours.isdecimal() else 1)
    try:
        outcome = await extend(room, me.account, entry, by, field(form, "reason"))
    except DecisionRefused as error:
        return await _problem(request, room, me.account, case_id, str(error), 422)
    return await _answer(request, room, me.account, outcome)


@routes.post("/assign")
async def assign_one(request: Request, room: TheRoom, me: Decider, form: Posted, case_id: str) -> Response:
    """Claim, hand over or give back."""
    entry = await find_case(room, me.account, case_id)
    try:
        outcome = await assign(room, me.account, entry, field(form, "to", most=64) or None)
    except DecisionRefused as error:
        return await _problem(request, room, me.account, case_id, str(error), 422)
    return await _answer(request, room, me.account, outcome)


@routes.post("/notes")
async def add_note(request: Request, room: TheRoom, me: NoteTaker, form: Posted, case_id: str) -> Response:
    """Add a remark."""
    entry = await find_case(room, me.account, case_id)
    text = field(form, "text", most=4000)
    if not text:
        return await _problem(request, room, me.account, case_id, "An empty note was not added.", 422)
    await add_note_of(room, me.account, entry, text)
    return _back(entry, "#notes")


@routes.post("/marks")
async def add_mark(request: Request, room: TheRoom, me: Decider, form: Posted, case_id: str) -> Response:
    """Escalate, or say what the case turned out to be."""
    entry = await find_case(room, me.account, case_id)
    word, reason = field(form, "mark"), field(form, "reason")
    if word not in list(Mark):
        raise HTTPException(422, "Choose false alarm, confirmed attack, or escalate.")
    if not reason:
        return await _problem(request, room, me.account, case_id, "A mark needs a reason.", 422)
    await room.desk.mark(entry.case_id, Mark(word), me.account.name, reason)
    return _back(entry)


@routes.post("/marks/{mark_id}/undo")
async def undo_mark(room: TheRoom, me: Decider, form: Posted, case_id: str, mark_id: RowId) -> Response:
    """Take a mark back."""
    entry = await find_case(room, me.account, case_id)
    await room.desk.undo_mark(entry.case_id, mark_id, me.account.name)
    return _back(entry)


async def add_note_of(room: Room, account: Account, entry: QuarantineEntry, text: str) -> None:
    """Add a note and tell whom it names: those who may see the case."""
    await room.desk.add_note(entry.case_id, account.name, text)
    if "@" not in text:
        return
    named = mentioned(text, await room.people.accounts(), account.name)
    await room.evidence.mention(entry.case_id, account.name, named)


async def case_page(room: Room, account: Account, entry: QuarantineEntry, problem: str = "") -> CasePage:
    """Everything the page prints about a case, for this account, as of one moment."""
    async with room.database.together():
        return await _case_page(room, account, entry, problem)


async def _case_page(room: Room, account: Account, entry: QuarantineEntry, problem: str) -> CasePage:
    detail = await room.details.get(entry)
    report = entry.verdict.report
    scope = scope_of(account)
    by_sender = await room.record.cases(CaseQuery(sender=entry.sender, touching=scope, order=CaseOrder.NEWEST, limit=6))
    similar = await room.record.cases(CaseQuery(group=entry.group, touching=scope, order=CaseOrder.NEWEST, limit=6))
    incomplete = [outcome for outcome in report.outcomes if outcome.status is not OutcomeStatus.COMPLETED]
    waiting = entry.state in WAITING
    deciders = []
    if account.may(Permission.DECIDE) and waiting:
        deciders = [known for known in await room.people.accounts() if known.may(Permission.DECIDE)]
    runs = tuple(_run_line(entry, run) for run in await room.runs.of_case(entry.case_id))
    return CasePage(
        entry=entry,
        detail=detail,
        why=why_held(entry),
        findings=sorted(report.findings, key=lambda found: (-found.severity, -found.confidence, found.detector_id)),
        incomplete=incomplete,
        completed=len(report.outcomes) - len(incomplete),
        effects=room.details.effects(entry, detail) if detail else Effects(),
        sender_cases=[other for other in by_sender.entries if other.case_id != entry.case_id][:5],
        similar=[other for other in similar.entries if other.case_id != entry.case_id][:5],
        similar_total=max(similar.total - 1, 0) if entry.group else 0,
        history=await room.record.history(entry.case_id),
        notes=await room.desk.notes(entry.case_id),
        marks=(await room.desk.marks([entry.case_id])).get(entry.case_id, ()),
        asked=await room.desk.asked(entry.case_id),
        waiting=waiting,
        two_people=await why_two(room, entry, CaseState.RELEASED),
        seen=findings_seen(entry),
        latest_expiry=entry.held_at + timedelta(hours=room.settings.longest_hold_hours),
        deciders=deciders,
        appeals=await room.appeals.of_case(entry.case_id),
        attachments=await room.evidence.attachments(entry.case_id),
        runs=runs,
        stale=next((line for line in runs if line.run.verdict and not line.run.changes.any), None),
        problem=problem,
        show_client=account.role is not Role.PROTOCOL,
    )


def _run_line(entry: QuarantineEntry, run: CaseRun) -> RunLine:
    if run.verdict is not None:
        found = finding_difference(entry.verdict.report, run.verdict.report)
        return RunLine(run, found.words, bool(found.new or found.gone))
    return RunLine(run, run.problem or "waits for the gateway")


def _back(entry: QuarantineEntry, anchor: str = "") -> Response:
    return RedirectResponse(f"/cases/{entry.case_id}{anchor}", 303)


async def _answer(request: Request, room: Room, account: Account, outcome: Outcome) -> Response:
    if isinstance(outcome, Decided | SecondVoiceNeeded):
        return _back(outcome.entry)
    said = str(outcome)
    return await _problem(request, room, account, outcome.case_id, f"Nothing was changed: {said}.", 409)


async def _problem(request: Request, room: Room, account: Account, case_id: str, problem: str, status: int) -> Response:
    entry = await find_case(room, account, case_id)
    return page(request, "case.html", await case_page(room, account, entry, problem), status=status)

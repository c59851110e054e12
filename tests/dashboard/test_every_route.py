"""Every page and API route, generated from the route table: what others' ids give to a protocol's account, or nobody.

A new route is here by itself. One with a new kind of id fails until the id of somebody else's thing is added below.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import httpx
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from sqlalchemy import select
from sqlmodel import SQLModel

from gateway.model.account import Account, Mark, Permission, Role
from gateway.model.notice import ChannelKind, ChannelRule
from gateway.model.quarantine import CaseState, QuarantineEntry
from gateway.store.database import Database, sqlite_url
from tests.dashboard.conftest import ORIGIN, Desk, Visitor
from tests.dashboard.scene import ATTACKER, case, hold, utc_now

STREAM = {"/events"}
"""Never ends; carries no case, see test_live."""
OPEN_TO_ALL = {
    "/login", "/login/token", "/login/passkey", "/login/passkey/question", "/login/sso", "/login/sso/callback",
    "/healthz", "/figures", "/figures.json", "/status/{hash}", "/status/{hash}/appeal",
    "/status/{hash}/appeal/signed", "/api/v1/openapi.json",
}  # fmt: skip
"""Routes that need no account. Whoever adds one says so here."""
MARKERS = (str(ATTACKER), "price-manipulation", "critical-finding", "A pool's price was moved", "whispered", "Harbour")
"""What only those may read who may see the case."""


def _routes(desk: Desk) -> Iterator[tuple[str, str]]:
    app: FastAPI = desk.app  # type: ignore[assignment]
    for route in iter_route_contexts(app.routes):
        for method in sorted(getattr(route, "methods", None) or ()):
            if method != "HEAD" and route.path not in STREAM:
                yield method, route.path


async def _account(desk: Desk, name: str) -> Account:
    known = await desk.room.people.credentials(name)
    assert known is not None
    return known.account


async def _others_things(desk: Desk) -> tuple[QuarantineEntry, dict[str, str], dict[str, object]]:
    """A case that is not petra's, with everything on it, and what only anna or an operator has: ids and forms."""
    room, anna = desk.room, await _account(desk, "anna")
    entry = await hold(room, case(1, utc_now(), loss=10.0))
    await room.desk.add_note(entry.case_id, "anna", "whispered among analysts")
    await room.desk.mark(entry.case_id, Mark.CONFIRMED, "anna", "whispered")
    await room.desk.ask(entry.case_id, CaseState.RELEASED, "anna", "whispered")
    await room.desk.save_view(anna, "whispered", "severity=critical")
    await room.appeals.add(entry, "let me through", "message", "0x00")
    await room.sign_in.issue_api_token(anna, "whispered", {Permission.READ}, lasts=timedelta(days=1), actor="anna")
    await room.people.add("pager", Role.VIEWER, actor="otto", service=True)
    pager = await _account(desk, "pager")
    await room.sign_in.issue_api_token(pager, "whispered", {Permission.READ}, lasts=timedelta(days=1), actor="otto")
    await room.keys.add_passkey(anna, "AAAA", b"key", 0, "whispered")
    await room.keys.link(anna, "https://issuer.example", "whispered")
    await room.notices.add("night", ChannelKind.WEBHOOK, "https://hooks.example/whispered", ChannelRule(), actor="otto")
    _, session = await room.sign_in.open_session(anna, lasts=timedelta(hours=1), address="", agent="whispered")
    ids = {
        "case_id": entry.case_id, "hash": str(entry.hash), "mark_id": "1", "view_id": "1", "token_id": "1",
        "passkey_id": "1", "identity_id": "1", "channel_id": "1", "appeal_id": "1", "run_id": "1",
        "attachment_id": "1", "name": "pager", "number": "1", "address": "0x" + "5e" * 20,
    }  # fmt: skip
    fields: dict[str, object] = {
        "case": [entry.case_id], "target": "RELEASED", "reason": "x", "to": "petra", "text": "x", "mark": "escalated",
        "hours": "1", "session": session.id_hash, "name": "anna", "query": "x", "role": "operator", "step": "disable",
        "scope": ["read", "administer"], "contracts": str(entry.to), "password": "a long enough one", "days": "9",
        "kind": "webhook", "kind_of_notice": "held", "severity": "info", "grouping": "0",
    }  # fmt: skip
    return entry, ids, fields


async def _rows(desk: Desk, petra: Account) -> dict[str, list[tuple[object, ...]]]:
    """Everything in the database that is not petra's own and not the log of what was tried."""
    passing = {"audit", "audit_head", "sign_in_failures", "sign_in_steps", "login_tokens", "heartbeats"}
    database = Database(sqlite_url(desk.room.settings.data_dir))
    found = {}
    async with database.read() as session:
        for name, table in SQLModel.metadata.tables.items():
            if name in passing:
                continue
            query = select(table)
            if "user_id" in table.c:
                query = query.where(table.c.user_id != petra.id)
            elif name == "users":
                query = query.where(table.c.id != petra.id)
            found[name] = sorted((tuple(row) for row in (await session.execute(query)).all()), key=str)
    await database.close()
    return found


def _filled(path: str, ids: dict[str, str]) -> str:
    missing = set(re.findall(r"{(\w+)}", path)) - set(ids)
    assert not missing, f"{path}: add somebody else's {missing} to this test, so that nobody can reach it by its id"
    return path.format(**ids)


async def _ask(visitor: Visitor, method: str, path: str, fields: dict[str, object]) -> httpx.Response:
    if method == "GET":
        return await visitor.get(path)
    if path.startswith("/api/"):
        body = {"target": "REJECTED", "reason": "x", "hours": 1, "to": "petra", "text": "x", "mark": "escalated"}
        return await visitor.client.request(method, path, json=body)
    if path.endswith("/attachments") and not path.startswith("/api/"):
        files, headers = {"file": ("x.txt", b"x", "text/plain")}, {"sec-fetch-site": "same-origin", "origin": ORIGIN}
        return await visitor.client.post(path, data={"csrf": visitor.token}, files=files, headers=headers)
    return await visitor.post(path, **fields)


async def test_a_protocols_account_gets_nothing_of_others_by_their_ids(desk: Desk) -> None:
    entry, ids, fields = await _others_things(desk)
    petra = await _account(desk, "petra")
    scopes = sorted(Permission)
    token = await desk.room.sign_in.issue_api_token(petra, "mine", scopes, lasts=timedelta(days=1), actor="petra")
    before = await _rows(desk, petra)
    visitor = await desk.signed_in("petra")
    await visitor.step_up()
    visitor.client.headers["authorization"] = f"Bearer {token}"
    problems, asked = [], 0
    for method, path in _routes(desk):
        answer = await _ask(visitor, method, _filled(path, ids), fields)
        asked += 1
        if answer.status_code >= 500:
            problems.append(f"{method} {path} answered {answer.status_code}")
        if path not in OPEN_TO_ALL:
            told = [marker for marker in (*MARKERS, str(entry.hash)) if marker in answer.text]
            problems += [f"{method} {path} tells {marker}" for marker in told]
            if "{case_id}" in path and answer.status_code not in (403, 404, 422):
                problems.append(f"{method} {path} answered {answer.status_code} for a case that is not theirs")
        if answer.headers.get("location", "").startswith("/login"):  # signed out by what was asked
            fresh = await desk.signed_in("petra")
            visitor.client.cookies, visitor.token = fresh.client.cookies, fresh.token
            await visitor.step_up()
    assert problems == []
    assert asked > 60
    after = await _rows(desk, petra)
    assert {name: rows for name, rows in after.items() if rows != before[name]} == {}


async def test_nobody_gets_anything_but_what_is_open_to_all(desk: Desk) -> None:
    _, ids, fields = await _others_things(desk)
    problems = []
    for method, path in _routes(desk):
        answer = await _ask(desk.visitor(), method, _filled(path, ids), fields)
        sent_away = answer.status_code == 303 and answer.headers["location"].startswith("/login")
        refused = answer.status_code in (401, 403)
        if path not in OPEN_TO_ALL and not sent_away and not refused:
            problems.append(f"{method} {path} answered {answer.status_code}")
        if "set-cookie" in answer.headers and "stopgate_session=" in answer.headers["set-cookie"]:
            problems.append(f"{method} {path} opened a session")
    assert problems == []


async def test_no_form_makes_a_lead_an_operator(desk: Desk) -> None:
    _, ids, fields = await _others_things(desk)
    name, visitor = "lena", await desk.signed_in("lena")
    await visitor.step_up()
    operators = {known.name for known in await desk.room.people.accounts() if known.role is Role.OPERATOR}
    for method, path in _routes(desk):
        if method == "POST" and not path.startswith(("/api/", "/logout", "/cases", "/login")):
            await _ask(visitor, method, _filled(path, {**ids, "name": name}), {**fields, "step": "role", "name": name})
    assert {known.name for known in await desk.room.people.accounts() if known.role is Role.OPERATOR} == operators

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from gateway.model.account import Permission
from gateway.model.quarantine import CaseState
from tests.dashboard.conftest import Desk
from tests.dashboard.scene import case, hold, utc_now


async def token_client(desk: Desk, name: str, *scopes: Permission, days: int = 1) -> httpx.AsyncClient:
    known = await desk.room.people.credentials(name)
    assert known is not None
    token = await desk.room.sign_in.issue_api_token(
        known.account, "test", scopes, lasts=timedelta(days=days), actor=name
    )
    client = desk.visitor().client
    client.headers["authorization"] = f"Bearer {token}"
    return client


async def test_a_token_reads_and_decides_within_its_scope(desk: Desk) -> None:
    await hold(desk.room, case(1, utc_now(), loss=10.0))
    reader = await token_client(desk, "anna", Permission.READ)
    listed = (await reader.get("/api/v1/cases")).json()
    assert listed["total"] == 1
    assert listed["cases"][0]["findings"][0]["detector"] == "price-manipulation"
    assert listed["cases"][0]["value"] == "300000000000000000"
    body = {"target": "REJECTED", "reason": "by a program"}
    assert (await reader.post("/api/v1/cases/c-000001/decision", json=body)).status_code == 403
    judge = await token_client(desk, "anna", Permission.READ, Permission.DECIDE)
    done = await judge.post("/api/v1/cases/c-000001/decision", json=body)
    assert done.status_code == 200
    assert done.json()["done"] == "REJECTED"
    assert (await judge.post("/api/v1/cases/c-000001/decision", json=body)).status_code == 409
    assert (await judge.get("/api/v1/cases/c-000001/history")).json()[-1]["reason"] == "by a program"


async def test_a_large_release_is_not_for_tokens(desk: Desk) -> None:
    await hold(desk.room, case(1, utc_now(), loss=1e7))
    judge = await token_client(desk, "lena", Permission.DECIDE)
    body = {"target": "RELEASED", "reason": "x"}
    assert (await judge.post("/api/v1/cases/c-000001/decision", json=body)).status_code == 403
    assert (await desk.room.record.case("c-000001")).state is CaseState.HELD  # type: ignore[union-attr]


async def test_tokens_that_are_over_revoked_or_of_a_lower_role_are_refused(desk: Desk) -> None:
    await hold(desk.room, case(1, utc_now()))
    over = await token_client(desk, "anna", Permission.READ, days=0)
    assert (await over.get("/api/v1/cases")).status_code == 401
    live = await token_client(desk, "anna", Permission.DECIDE, Permission.READ)
    await desk.room.people.set_role("anna", (await desk.room.people.credentials("vera")).account.role, actor="otto")  # type: ignore[union-attr]
    assert (await live.get("/api/v1/cases")).status_code == 200
    body = {"target": "REJECTED", "reason": "x"}
    assert (await live.post("/api/v1/cases/c-000001/decision", json=body)).status_code == 403
    await desk.room.people.disable("anna", actor="otto")
    assert (await live.get("/api/v1/cases")).status_code == 401


async def test_a_browsers_cookie_counts_for_nothing(desk: Desk) -> None:
    visitor = await desk.signed_in("otto")
    assert (await visitor.get("/api/v1/cases")).status_code == 401
    answer = await visitor.client.post("/api/v1/cases/c-000001/decision", json={"target": "REJECTED", "reason": "x"})
    assert answer.status_code == 401


async def test_a_protocols_token_sees_its_own_cases_alone(desk: Desk) -> None:
    await hold(desk.room, case(1, utc_now()))
    petra = await token_client(desk, "petra", Permission.READ, Permission.NOTE)
    assert (await petra.get("/api/v1/cases")).json()["total"] == 0
    for path in ("", "/history", "/trace"):
        assert (await petra.get(f"/api/v1/cases/c-000001{path}")).status_code == 404
    assert (await petra.post("/api/v1/cases/c-000001/notes", json={"text": "x"})).status_code == 404


@pytest.mark.parametrize(
    "body", [{}, {"target": "FORWARDED", "reason": "x"}, {"target": "REJECTED", "reason": " "}, []]
)
async def test_malformed_bodies_get_a_named_problem(desk: Desk, body: object) -> None:
    await hold(desk.room, case(1, utc_now()))
    judge = await token_client(desk, "anna", Permission.DECIDE)
    answer = await judge.post("/api/v1/cases/c-000001/decision", json=body)
    assert answer.status_code == 422
    assert answer.json()["error"]

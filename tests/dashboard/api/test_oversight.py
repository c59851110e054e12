from __future__ import annotations

import json

from gateway.model.account import Permission
from tests.dashboard.api.test_routes import token_client
from tests.dashboard.conftest import Desk
from tests.dashboard.scene import LENDER, case, hold, utc_now
from tests.dashboard.seed import seed_cases


async def test_effects_say_what_the_case_page_says(desk: Desk) -> None:
    await hold(desk.room, case(1, utc_now()))
    reader = await token_client(desk, "anna", Permission.READ)
    effects = (await reader.get("/api/v1/cases/c-000001/effects")).json()
    assert (effects["status"], effects["calls"]) == ("success", 13)
    (lost,) = [change for change in effects["changes"] if change["address"] == str(LENDER)]
    assert (lost["amount"], lost["symbol"], lost["role"]) == ("-1250000000000", "USDC", "victim")
    assert any(slot["name"].startswith("implementation") for row in effects["accounts"] for slot in row["slots"])
    petra = await token_client(desk, "petra", Permission.READ)
    assert (await petra.get("/api/v1/cases/c-000001/effects")).status_code == 404


async def test_figures_detectors_and_look_alikes(desk: Desk) -> None:
    await seed_cases(desk.room, utc_now())
    viewer = await token_client(desk, "vera", Permission.READ, Permission.OVERSEE)
    day = (await viewer.get("/api/v1/overview")).json()
    assert (day["held"], day["states"]["HELD"]) == (10, 9)
    talkers = {row["detector"]: row["cases"] for row in (await viewer.get("/api/v1/detectors")).json()}
    assert talkers["allowance-drain"] == 4
    groups = (await viewer.get("/api/v1/groups")).json()
    assert groups[0]["count"] == 4
    assert {group["newest"]["state"] for group in groups} == {"HELD"}
    health = (await viewer.get("/api/v1/health")).json()
    assert {check["name"]: check["ok"] for check in health["checks"]}["Record (SQL)"]
    petra = await token_client(desk, "petra", Permission.READ)
    assert (await petra.get("/api/v1/groups")).json() == []
    assert (await petra.get("/api/v1/overview")).status_code == 403


async def test_the_audit_chain_is_read_exported_and_verified(desk: Desk) -> None:
    await hold(desk.room, case(1, utc_now()))
    auditor = await token_client(desk, "anna", Permission.AUDIT)
    links = (await auditor.get("/api/v1/audit?subject=c-000001")).json()
    assert [link["kind"] for link in links] == ["submission"]
    (earlier, *_) = (await auditor.get(f"/api/v1/audit?before={links[0]['sequence']}")).json()
    assert earlier["sequence"] == links[0]["sequence"] - 1
    exported = (await auditor.get("/api/v1/audit/export")).text.splitlines()
    assert json.loads(exported[-1])["sequence"] >= links[0]["sequence"]
    assert (await auditor.get("/api/v1/audit/verification")).json()["ok"]
    reader = await token_client(desk, "anna", Permission.READ)
    for path in ("audit", "audit/export", "audit/verification"):
        assert (await reader.get(f"/api/v1/{path}")).status_code == 403

"""Signatures and the allow list through /api/v1."""

from __future__ import annotations

from gateway.model.account import Permission
from gateway.store.knowledge.trust import Clean
from tests.cases import ROUTER, SENDER
from tests.dashboard.api.test_routes import token_client
from tests.dashboard.conftest import Desk
from tests.dashboard.views.test_knowledge import signed_case


async def test_signatures_are_listed_and_withdrawn(desk: Desk) -> None:
    number = await signed_case(desk)
    api = await token_client(desk, "lena", Permission.OVERSEE, Permission.DECIDE)
    (listed,) = (await api.get("/api/v1/signatures", params={"case": "case-1"})).json()
    assert (listed["id"], listed["kind"], listed["state"], listed["hits"]) == (number, "code", "enforced", 0)
    gone = await api.post(f"/api/v1/signatures/{number}/withdrawal", json={"reason": "it stops a keeper"})
    assert gone.status_code == 204
    assert (await api.post(f"/api/v1/signatures/{number}/withdrawal", json={"reason": "x"})).status_code == 404
    (listed,) = (await api.get("/api/v1/signatures")).json()
    assert (listed["state"], listed["ended_by"]) == ("withdrawn", "lena")


async def test_the_allow_list_is_written_with_the_right_scope_only(desk: Desk) -> None:
    reader = await token_client(desk, "lena", Permission.OVERSEE)
    line = {"sender": str(SENDER), "reason": "our keeper", "days": 3}
    assert (await reader.post("/api/v1/trust", json=line)).status_code == 403
    writer = await token_client(desk, "lena", Permission.OVERSEE, Permission.TRUST)
    made = await writer.post("/api/v1/trust", json=line)
    assert made.status_code == 201
    number = made.json()["id"]
    (listed,) = (await writer.get("/api/v1/trust")).json()
    assert (listed["id"], listed["sender"], listed["author"]) == (number, str(SENDER), "lena")
    for wrong in ({"reason": "nobody is named"}, {**line, "sender": "0x12"}, {**line, "selector": "0x12345678"}):
        assert (await writer.post("/api/v1/trust", json=wrong)).status_code == 422
    assert (await writer.post(f"/api/v1/trust/{number}/withdrawal", json={"reason": "moved"})).status_code == 204
    assert (await writer.post(f"/api/v1/trust/{number}/withdrawal", json={"reason": "moved"})).status_code == 404
    assert (await writer.get("/api/v1/trust")).json() == []
    assert len((await writer.get("/api/v1/trust", params={"ended": True})).json()) == 1


async def test_a_reputation_is_read(desk: Desk) -> None:
    await desk.room.trust.count_clean({ROUTER: Clean(70, {SENDER})})
    api = await token_client(desk, "lena", Permission.OVERSEE)
    assert (await api.get(f"/api/v1/reputation/{ROUTER}")).json()["clean"] == 70
    assert (await api.get(f"/api/v1/reputation/{SENDER}")).status_code == 404
    assert (await api.get("/api/v1/reputation/0x12")).status_code == 422

from __future__ import annotations

import re
from datetime import timedelta

import httpx
import pytest

from gateway.model.account import Permission
from gateway.store.people.sign_in import SignIn
from tests.dashboard.conftest import Desk, Visitor
from tests.dashboard.scene import case, hold, utc_now

FORM = {
    "name": "night", "kind": "webhook", "target": "https://hooks.example/SECRET", "kind_of_notice": ["held"],
    "severity": "high", "grouping": "0", "hours": "fri 22:00-06:00", "zone": "Europe/Berlin", "contracts": "",
}  # fmt: skip


async def _operator(desk: Desk) -> Visitor:
    otto = await desk.signed_in("otto")
    await otto.step_up()
    return otto


async def test_a_channel_is_added_tested_changed_and_removed_and_no_secret_is_shown_twice(desk: Desk) -> None:
    otto = await _operator(desk)
    added = await otto.post("/notifications", **FORM)
    assert added.status_code == 200
    secret = re.search(r'data-copy="(whsec_[^"]+)"', added.text)
    assert secret
    page = (await otto.get("/notifications")).text
    assert secret[1] not in page
    assert "SECRET" not in added.text + page
    assert "https://hooks.example/…" in page
    (channel,) = await desk.room.notices.channels()
    assert (channel.rule.hours.text, channel.rule.hours.zone) == ("fri 22:00-06:00", "Europe/Berlin")
    assert (await otto.post(f"/notifications/{channel.id}", step="test")).status_code == 303
    assert "waits until" in (await otto.get("/notifications")).text  # the desk writes it down, the gateway sends
    changed = {**FORM, "step": "rule", "hours": "always", "grouping": "30"}
    assert (await otto.post(f"/notifications/{channel.id}", **changed)).status_code == 303
    await otto.post(f"/notifications/{channel.id}", step="off")
    (channel,) = await desk.room.notices.channels()
    assert (channel.rule.hours.text, channel.rule.grouping.seconds, channel.enabled) == ("always", 30, False)
    await otto.post(f"/notifications/{channel.id}", step="remove")
    assert await desk.room.notices.channels() == []
    assert (await otto.post(f"/notifications/{channel.id}", step="test")).status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [{"kind": "x"}, {"target": "http://far.example/"}, {"kind_of_notice": []}, {"severity": "huge"},
     {"grouping": "-1"}, {"grouping": "4000"}, {"hours": "late"}, {"zone": "Mars"}, {"contracts": "0x12"},
     {"name": "A channel"}],
)  # fmt: skip
async def test_a_mistake_in_the_form_is_named(desk: Desk, wrong: dict[str, object]) -> None:
    otto = await _operator(desk)
    answer = await otto.post("/notifications", **{**FORM, **wrong})
    assert (answer.status_code, "The channel was not added: " in answer.text) == (422, True)


async def test_only_a_confirmed_operator_reaches_them(desk: Desk) -> None:
    otto = await desk.signed_in("otto")
    assert (await otto.post("/notifications", **FORM)).headers["location"].startswith("/step-up")
    for name in ("lena", "petra"):
        visitor = await desk.signed_in(name)
        assert (await visitor.get("/notifications")).status_code == 403
        assert (await visitor.post("/notifications", **FORM)).status_code == 403


async def _api(desk: Desk, name: str) -> httpx.AsyncClient:
    account = (await desk.room.people.credentials(name)).account  # type: ignore[union-attr]
    tokens: SignIn = desk.room.sign_in
    scopes = [Permission.READ, Permission.ADMINISTER]
    token = await tokens.issue_api_token(account, "x", scopes, lasts=timedelta(days=1), actor=name)
    client = desk.visitor().client
    client.headers["authorization"] = f"Bearer {token}"
    return client


async def test_the_api_does_what_the_page_does(desk: Desk) -> None:
    operator, lead = await _api(desk, "otto"), await _api(desk, "lena")
    body = {"name": "night", "kind": "webhook", "target": "https://hooks.example/SECRET", "kinds": ["held"]}
    assert (await lead.post("/api/v1/channels", json=body)).status_code == 403
    added = await operator.post("/api/v1/channels", json=body)
    assert (added.status_code, added.json()["secret"][:6]) == (201, "whsec_")
    where = f"/api/v1/channels/{added.json()['id']}"
    assert (await operator.post("/api/v1/channels", json=body)).status_code == 422
    await hold(desk.room, case(1, utc_now()))
    await desk.room.notices.collect()
    assert (await operator.post(f"{where}/test")).status_code == 202
    assert [row["channel"] for row in (await operator.get("/api/v1/deliveries")).json()] == ["night", "night"]
    assert (await operator.put(f"{where}/rule", json={"kinds": ["expired"], "severity": "low"})).status_code == 204
    assert (await operator.put(f"{where}/enabled", json={"enabled": False})).status_code == 204
    (listed,) = (await operator.get("/api/v1/channels")).json()
    assert (listed["kinds"], listed["severity"], listed["enabled"]) == (["expired"], "low", False)
    assert "SECRET" not in str(listed)
    assert (await operator.delete(where)).status_code == 204
    assert (await operator.delete(where)).status_code == 404

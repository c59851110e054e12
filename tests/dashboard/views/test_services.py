from __future__ import annotations

import re
from datetime import timedelta

import pytest

from tests.dashboard.conftest import Desk, Visitor


async def _operator(desk: Desk) -> Visitor:
    otto = await desk.signed_in("otto")
    await otto.step_up()
    assert (await otto.post("/services", name="pager", role="viewer")).status_code == 303
    return otto


def _token(text: str) -> str:
    found = re.search(r'data-copy="(sg_[^"]+)"', text)
    assert found, text
    return found[1]


async def _status(desk: Desk, token: str, path: str = "/api/v1/cases") -> int:
    return (await desk.visitor().client.get(path, headers={"authorization": f"Bearer {token}"})).status_code


async def test_a_service_gets_a_token_uses_it_and_it_is_rotated_and_revoked(desk: Desk) -> None:
    otto = await _operator(desk)
    issued = await otto.post("/services/pager/tokens", name="watch", scope=["read", "decide"], days="7")
    token = _token(issued.text)
    assert token not in (await otto.get("/services")).text  # shown this once
    assert await _status(desk, token) == 200
    page = (await otto.get("/services")).text
    assert "never" not in page
    assert "<td>read</td>" in page  # a viewer's service cannot decide, whatever the form said
    token_id = re.search(r"/services/pager/tokens/(\d+)/rotate", page)
    assert token_id
    successor = _token((await otto.post(f"/services/pager/tokens/{token_id[1]}/rotate")).text)
    assert await _status(desk, successor) == await _status(desk, token) == 200  # the old one works for a day
    service = (await desk.room.people.credentials("pager")).account  # type: ignore[union-attr]
    new, old = await desk.room.sign_in.api_tokens(service)
    assert (new.scopes, new.expires_at - new.created_at) == (old.scopes, timedelta(days=7))
    assert old.expires_at - new.created_at == timedelta(hours=24)
    assert (await otto.post(f"/services/pager/tokens/{old.id}/revoke")).status_code == 303
    assert (await otto.post(f"/services/pager/tokens/{old.id}/rotate")).status_code == 404
    assert (await _status(desk, token), await _status(desk, successor)) == (401, 200)
    await otto.post("/services/pager", step="disable")
    assert await _status(desk, successor) == 401
    steps = [record.detail["step"] for record in await desk.room.audit.records(subject="pager")]
    assert steps == ["account added", "token issued", "token rotated", "token revoked", "account disabled"]


async def test_a_service_cannot_sign_in_and_is_no_person(desk: Desk) -> None:
    otto = await _operator(desk)
    assert (await desk.visitor().post("/login", name="pager", password="")).status_code in (401, 422)
    assert "pager" not in (await otto.get("/users")).text
    for path in ("/services/anna", "/services/anna/tokens", "/services/anna/tokens/1/revoke", "/services/nobody"):
        assert (await otto.post(path, name="x", scope="read", step="disable")).status_code == 404


@pytest.mark.parametrize("name", ["vera", "anna", "lena", "petra"])
async def test_only_operators_reach_them(desk: Desk, name: str) -> None:
    await _operator(desk)
    visitor = await desk.signed_in(name)
    assert (await visitor.get("/services")).status_code == 403
    for path in ("/services", "/services/pager", "/services/pager/tokens", "/services/pager/tokens/1/rotate"):
        assert (await visitor.post(path, name="x", role="operator", scope="read")).status_code == 403


async def test_secrets_need_a_fresh_confirmation_and_a_name(desk: Desk) -> None:
    await _operator(desk)
    otto = await desk.signed_in("otto")
    asked = await otto.post("/services/pager/tokens", name="x", scope="read")
    assert asked.headers["location"].startswith("/step-up")
    await otto.step_up()
    assert (await otto.post("/services/pager/tokens", name="", scope="read")).status_code == 422
    assert (await otto.post("/services/pager/tokens", name="x", scope="decide")).status_code == 422
    assert (await otto.post("/services", name="pager", role="viewer")).status_code == 422
    assert (await otto.post("/services/pager", step="explode")).status_code == 422

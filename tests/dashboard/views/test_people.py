from __future__ import annotations

import re

import pyotp

from tests.dashboard.conftest import Desk
from tests.dashboard.scene import PASSWORD


async def test_only_operators_reach_the_accounts(desk: Desk) -> None:
    for name in ("vera", "anna", "lena", "petra"):
        visitor = await desk.signed_in(name)
        assert (await visitor.get("/users")).status_code == 403
        assert (await visitor.post("/users/vera", step="role", role="operator")).status_code == 403


async def test_an_operator_adds_changes_and_disables_somebody(desk: Desk) -> None:
    otto = await desk.signed_in("otto")
    fields = {"name": "nora", "password": "a long enough one", "role": "analyst"}
    assert (await otto.post("/users", **fields)).headers["location"].startswith("/step-up")
    await otto.step_up()
    assert (await otto.post("/users", **{**fields, "password": "short"})).status_code == 422
    assert (await otto.post("/users", **fields)).status_code == 303
    assert (await otto.post("/users", **fields)).status_code == 422  # the name is taken
    nora = await desk.signed_in("nora")
    await otto.post("/users/nora", step="role", role="viewer")
    assert (await nora.get("/queue")).status_code == 303  # her session ended with her old rights
    await otto.post("/users/nora", step="disable")
    assert (await desk.visitor().post("/login", name="nora", password="a long enough one")).status_code == 401


async def test_nobody_changes_his_own_role(desk: Desk) -> None:
    otto = await desk.signed_in("otto")
    await otto.step_up()
    assert (await otto.post("/users/otto", step="role", role="viewer")).status_code == 422


async def test_a_second_factor_is_enrolled_with_its_first_code(desk: Desk) -> None:
    anna = await desk.signed_in("anna")
    page = (await anna.post("/account/second-factor")).text
    secret = re.search(r'name="secret" value="([A-Z2-7]+)"', page)
    assert secret
    assert (await anna.post("/account/second-factor", secret=secret[1], code="000000")).status_code == 422
    code = pyotp.TOTP(secret[1]).now()
    assert (await anna.post("/account/second-factor", secret=secret[1], code=code)).status_code == 303
    known = await desk.room.people.credentials("anna")
    assert known is not None
    assert known.totp_secret == secret[1]


async def test_a_changed_password_ends_every_session(desk: Desk) -> None:
    anna, elsewhere = await desk.signed_in("anna"), await desk.signed_in("anna")
    wrong = await anna.post("/account/password", old="not this one at all", new="another long one")
    assert wrong.status_code == 422
    assert (await anna.post("/account/password", old=PASSWORD, new="another long one")).status_code == 303
    assert (await elsewhere.get("/queue")).status_code == 303


async def test_sessions_are_revoked_by_their_owner_alone(desk: Desk) -> None:
    anna, bela = await desk.signed_in("anna"), await desk.signed_in("bela")
    account = (await desk.room.people.credentials("anna")).account  # type: ignore[union-attr]
    (session,) = await desk.room.sign_in.sessions(account)
    await bela.post("/account/sessions/revoke", session=session.id_hash)
    assert (await anna.get("/queue")).status_code == 200
    await anna.post("/account/sessions/revoke", session=session.id_hash)
    assert (await anna.get("/queue")).status_code == 303

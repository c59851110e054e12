from __future__ import annotations

from datetime import timedelta

import pyotp
import pytest

from dashboard.auth.passwords import MOST_FOR_ADDRESS, MOST_FOR_PAIR
from gateway.model.audit import AuditKind
from tests.dashboard.conftest import ORIGIN, Desk
from tests.dashboard.scene import PASSWORD


async def test_a_password_opens_a_session_and_signing_out_ends_it(desk: Desk) -> None:
    visitor = desk.visitor()
    answer = await visitor.sign_in("anna")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "path=/" in cookie
    assert (await visitor.get("/queue")).status_code == 200
    kept = dict(visitor.client.cookies)
    assert (await visitor.post("/logout")).status_code == 303
    visitor.client.cookies.update(kept)  # the old cookie is worth nothing now
    assert (await visitor.get("/queue")).headers["location"].startswith("/login")


@pytest.mark.parametrize(("name", "password"), [("anna", "wrong wrong wrong"), ("nobody", PASSWORD)])
async def test_wrong_names_and_passwords_get_one_answer(desk: Desk, name: str, password: str) -> None:
    answer = await desk.visitor().post("/login", name=name, password=password)
    assert answer.status_code == 401
    assert "Name, password or code is wrong." in answer.text
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("name", "password"), [("anna", "wrong wrong wrong"), ("nobody", PASSWORD), ("a\x00b", "x" * 12)]
)
async def test_a_name_that_does_not_exist_costs_as_much_as_one_that_does(
    desk: Desk, name: str, password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []

    def counted(password_hash: str, tried: str) -> bool:
        checked.append(password_hash.rsplit("$", 2)[0])  # algorithm, version and cost
        return False

    monkeypatch.setattr("dashboard.auth.passwords.password_matches", counted)
    assert (await desk.visitor().post("/login", name=name, password=password)).status_code == 401
    known = (await desk.room.people.credentials("anna")).password_hash  # type: ignore[union-attr]
    assert known is not None
    assert checked == [known.rsplit("$", 2)[0]]


async def test_a_disabled_account_and_a_service_cannot_sign_in(desk: Desk) -> None:
    visitor = await desk.signed_in("anna")
    await desk.room.people.disable("anna", actor="otto")
    assert (await visitor.get("/queue")).status_code == 303  # her open session ended too
    assert (await desk.visitor().post("/login", name="anna", password=PASSWORD)).status_code == 401


async def test_guessing_is_stopped_for_the_guesser_and_not_for_the_owner(desk: Desk) -> None:
    for _ in range(MOST_FOR_PAIR):
        await desk.room.sign_in.note_failure("anna", "198.51.100.9", "password")
    guesser = desk.visitor("198.51.100.9")
    assert (await guesser.post("/login", name="anna", password=PASSWORD)).status_code == 429
    assert (await desk.visitor("127.0.0.1").sign_in("anna")).status_code == 303


async def test_trying_many_names_from_one_address_is_stopped(desk: Desk) -> None:
    for number in range(MOST_FOR_ADDRESS):
        await desk.room.sign_in.note_failure(f"name-{number}", "198.51.100.9", "password")
    assert (await desk.visitor("198.51.100.9").post("/login", name="bela", password=PASSWORD)).status_code == 429


async def test_a_planted_session_id_is_not_taken_over(desk: Desk) -> None:
    attacker = await desk.signed_in("vera")
    planted = attacker.client.cookies["stopgate_session"]
    victim = desk.visitor()
    victim.client.cookies.set("stopgate_session", planted, domain="127.0.0.1")
    token = await desk.room.sign_in.issue_login_token("lena")
    await victim.post("/login/token", token=token)
    assert victim.client.cookies["stopgate_session"] != planted
    assert (await attacker.get("/queue")).status_code == 303  # what was planted is ended


async def test_a_one_time_link_works_once_and_a_visit_spends_nothing(desk: Desk) -> None:
    token = await desk.room.sign_in.issue_login_token("lena")
    assert (await desk.visitor().get(f"/login/token?token={token}")).status_code == 200
    assert (await desk.visitor().post("/login/token", token=token)).status_code == 303
    assert (await desk.visitor().post("/login/token", token=token)).status_code == 401


async def test_an_old_link_is_refused(desk: Desk) -> None:
    token = await desk.room.sign_in.issue_login_token("lena", lasts=timedelta(seconds=-1))
    assert (await desk.visitor().post("/login/token", token=token)).status_code == 401


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/\n/evil.example"]
)
async def test_sign_in_never_leads_to_another_site(desk: Desk, target: str) -> None:
    visitor = await desk.signed_in("anna")
    answer = await visitor.client.get("/login", params={"next": target})
    assert answer.headers["location"].startswith("/")
    assert not answer.headers["location"].startswith(("//", "/\\"))
    assert "evil" not in answer.headers["location"]


async def test_a_second_factor_is_asked_for_and_a_code_works_once(desk: Desk) -> None:
    secret = pyotp.random_base32()
    await desk.room.people.set_second_factor("anna", secret, actor="anna")
    without = await desk.visitor().post("/login", name="anna", password=PASSWORD)
    assert without.status_code == 401
    code = pyotp.TOTP(secret).now()
    assert (await desk.visitor().post("/login", name="anna", password=PASSWORD, code=code)).status_code == 303
    again = await desk.visitor().post("/login", name="anna", password=PASSWORD, code=code)
    assert again.status_code == 401


async def test_every_sign_in_and_failure_is_audited(desk: Desk) -> None:
    await desk.signed_in("anna")
    await desk.visitor().post("/login", name="anna", password="wrong wrong wrong")
    records = await desk.room.audit.records(subject="anna", kind=AuditKind.SIGN_IN)
    assert [record.detail.get("step", "signed in") for record in records] == ["signed in", "sign-in failed"]


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site", "origin": "https://evil.example"},
        {"sec-fetch-site": "same-site", "origin": "http://127.0.0.1:9999"},
        {"sec-fetch-site": "same-origin", "origin": "null"},
    ],
)
async def test_another_sites_post_is_refused_even_with_the_token(desk: Desk, headers: dict[str, str]) -> None:
    visitor = await desk.signed_in("anna")
    answer = await visitor.post("/logout", headers=headers)
    assert answer.status_code == 403
    assert (await visitor.get("/queue")).status_code == 200


async def test_a_post_without_the_sessions_own_token_is_refused(desk: Desk) -> None:
    visitor, other = await desk.signed_in("anna"), await desk.signed_in("bela")
    for token in ("", "x", other.token):
        visitor.token = token
        assert (await visitor.post("/logout")).status_code == 403
    assert (await visitor.get("/queue")).status_code == 200


async def test_every_answer_carries_the_security_headers(desk: Desk) -> None:
    visitor = await desk.signed_in("anna")
    for path in ("/login", "/queue", "/nowhere", "/static/desk.css", "/api/v1/me", "/status/0x00"):
        headers = (await visitor.get(path)).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
    assert ORIGIN.startswith("http://")


async def test_an_idle_session_and_an_old_one_end(desk: Desk) -> None:
    token = await desk.room.sign_in.issue_login_token("anna")
    account = await desk.room.sign_in.use_login_token(token)
    assert account is not None
    secret, _ = await desk.room.sign_in.open_session(account, lasts=timedelta(hours=1), address="", agent="")
    assert await desk.room.sign_in.session(secret, idle=timedelta(minutes=30)) is not None
    assert await desk.room.sign_in.session(secret, idle=timedelta(0)) is None
    secret, _ = await desk.room.sign_in.open_session(account, lasts=timedelta(0), address="", agent="")
    assert await desk.room.sign_in.session(secret, idle=timedelta(minutes=30)) is None

from __future__ import annotations

from typing import Any

import httpx
import pytest

from dashboard.auth.passwords import MOST_FOR_ADDRESS
from gateway.model.audit import AuditKind
from tests.dashboard.authenticator import PRESENT, Authenticator
from tests.dashboard.conftest import Desk, Visitor
from tests.dashboard.scene import PASSWORD


async def _json(visitor: Visitor, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
    headers = {"sec-fetch-site": "same-origin", "x-csrf-token": visitor.token, "hx-request": "true"}
    return await visitor.client.post(path, json=body or {}, headers=headers)


async def _with_passkey(desk: Desk, name: str = "anna") -> tuple[Visitor, Authenticator]:
    visitor, key = await desk.signed_in(name), Authenticator()
    await visitor.step_up()
    options = (await _json(visitor, "/account/passkeys/question")).json()
    made = await _json(visitor, "/account/passkeys", {"credential": key.make(options), "name": "laptop"})
    assert made.status_code == 200, made.text
    return visitor, key


async def _sign_in(desk: Desk, key: Authenticator, **wrong: Any) -> tuple[Visitor, httpx.Response]:
    visitor = desk.visitor()
    options = (await _json(visitor, "/login/passkey/question")).json()
    return visitor, await _json(visitor, "/login/passkey", {"credential": key.sign(options, **wrong), "next": "/queue"})


async def test_a_passkey_signs_in_and_counts_as_a_fresh_second_factor(desk: Desk) -> None:
    _, key = await _with_passkey(desk, "otto")
    visitor, answer = await _sign_in(desk, key)
    assert (answer.status_code, answer.json()) == (200, {"next": "/queue"})
    assert "laptop" in (await visitor.get("/account")).text
    fields = {"name": "nora", "password": "a long enough one", "role": "analyst"}
    assert (await visitor.post("/users", **fields)).headers["location"] == "/users"  # not to the step-up page
    kinds = [record.detail.get("step", "signed in") for record in await desk.room.audit.records(subject="otto")]
    assert "passkey added" in kinds


async def test_with_a_passkey_the_password_alone_opens_and_confirms_nothing(desk: Desk) -> None:
    visitor, key = await _with_passkey(desk)
    alone = await desk.visitor().post("/login", name="anna", password=PASSWORD)
    assert alone.status_code == 401
    assert "signs in with its passkey" in alone.text
    assert (await visitor.post("/step-up", secret=PASSWORD, next="/queue")).status_code == 401
    options = (await _json(visitor, "/step-up/passkey/question")).json()
    assert [known["id"] for known in options["allowCredentials"]] == [key.sign(options)["id"]]
    done = await _json(visitor, "/step-up/passkey", {"credential": key.sign(options), "next": "//evil.example"})
    assert done.json() == {"next": "/"}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"origin": "https://evil.example"}, "origin"),
        ({"host": "evil.example"}, "RP ID"),
        ({"flags": PRESENT}, "User verification"),
        ({"count": 0}, "sign count"),
        ({"user": "c29tZWJvZHk"}, "another account"),
    ],
)
async def test_a_wrong_answer_is_refused_by_name(desk: Desk, wrong: dict[str, Any], said: str) -> None:
    _, key = await _with_passkey(desk)
    assert (await _sign_in(desk, key))[1].status_code == 200
    visitor, answer = await _sign_in(desk, key, **wrong)
    assert answer.status_code == 401
    assert said.lower() in answer.json()["error"].lower()
    assert "stopgate_session" not in visitor.client.cookies
    assert (await desk.room.audit.records(subject="anna", kind=AuditKind.SIGN_IN))[-1].detail["why"] == "passkey"


async def test_an_answer_serves_once_and_only_the_browser_that_asked(desk: Desk) -> None:
    _, key = await _with_passkey(desk)
    visitor, other = desk.visitor(), desk.visitor()
    options = (await _json(visitor, "/login/passkey/question")).json()
    await _json(other, "/login/passkey/question")
    credential = key.sign(options)
    assert (await _json(other, "/login/passkey", {"credential": credential})).status_code == 401
    cookies = dict(visitor.client.cookies)
    assert (await _json(visitor, "/login/passkey", {"credential": credential})).status_code == 200
    replay = desk.visitor()
    replay.client.cookies.update(cookies)
    assert (await _json(replay, "/login/passkey", {"credential": credential})).status_code == 401


async def test_a_question_for_one_purpose_answers_no_other(desk: Desk) -> None:
    visitor, key = await _with_passkey(desk)
    options = (await _json(visitor, "/login/passkey/question")).json()
    answer = await _json(visitor, "/step-up/passkey", {"credential": key.sign(options)})
    assert answer.status_code == 401


async def test_another_accounts_passkey_confirms_nothing(desk: Desk) -> None:
    _, lenas = await _with_passkey(desk, "lena")
    anna, _ = await _with_passkey(desk, "anna")
    options = (await _json(anna, "/step-up/passkey/question")).json()
    answer = await _json(anna, "/step-up/passkey", {"credential": lenas.sign(options)})
    assert answer.status_code == 401


async def test_a_disabled_accounts_passkey_opens_nothing(desk: Desk) -> None:
    _, key = await _with_passkey(desk)
    await desk.room.people.disable("anna", actor="otto")
    assert (await _sign_in(desk, key))[1].status_code == 401


_HOLLOW = {"id": "x", "rawId": "x", "response": {}, "type": "public-key"}


@pytest.mark.parametrize("credential", [None, [], {}, {"id": "x"}, _HOLLOW, {**_HOLLOW, "response": []}])
async def test_nonsense_is_an_answer_too(desk: Desk, credential: object) -> None:
    visitor, _ = await _with_passkey(desk)
    for question, answer in (
        ("/login/passkey/question", "/login/passkey"),
        ("/account/passkeys/question", "/account/passkeys"),
    ):
        assert (await _json(visitor, question)).status_code == 200
        assert (await _json(visitor, answer, {"credential": credential})).status_code == 401


async def test_guessing_and_flooding_are_stopped(desk: Desk) -> None:
    visitor = desk.visitor("198.51.100.9")
    for _ in range(31):
        answer = await _json(visitor, "/login/passkey/question")
    assert answer.status_code == 429
    for number in range(MOST_FOR_ADDRESS):
        await desk.room.sign_in.note_failure(f"name-{number}", "198.51.100.9", "password")
    assert (await _json(visitor, "/login/passkey", {"credential": {"id": "x"}})).status_code == 429


async def test_a_passkey_is_made_only_after_a_fresh_confirmation(desk: Desk) -> None:
    anna = await desk.signed_in("anna")
    asked = await _json(anna, "/account/passkeys/question")
    assert asked.headers["hx-redirect"].startswith("/step-up")
    anna.token = "x"
    assert (await _json(anna, "/account/passkeys/question")).status_code == 403


async def test_passkeys_are_named_and_removed_by_their_owner_alone(desk: Desk) -> None:
    anna, key = await _with_passkey(desk, "anna")
    bela, _ = await _with_passkey(desk, "bela")
    (passkey,) = await desk.room.keys.passkeys((await desk.room.people.credentials("anna")).account)  # type: ignore[union-attr]
    for step in ("name", "remove"):
        assert (await bela.post(f"/account/passkeys/{passkey.id}/{step}", name="mine")).status_code == 404
    assert (await anna.post(f"/account/passkeys/{passkey.id}/name", name="desk key")).status_code == 303
    assert "desk key" in (await anna.get("/account")).text
    await anna.post(f"/account/passkeys/{passkey.id}/remove")
    assert (await _sign_in(desk, key))[1].status_code == 401
    assert (await desk.visitor().post("/login", name="anna", password=PASSWORD)).status_code == 303


async def test_an_operator_takes_lost_passkeys_off(desk: Desk) -> None:
    _, key = await _with_passkey(desk, "anna")
    otto = await desk.signed_in("otto")
    await otto.step_up()
    assert "1 passkey" in (await otto.get("/users")).text
    await otto.post("/users/anna", step="drop-passkeys")
    assert (await _sign_in(desk, key))[1].status_code == 401
    assert (await desk.visitor().post("/login", name="anna", password=PASSWORD)).status_code == 303

from __future__ import annotations

import base64
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from pydantic import SecretStr

from dashboard.app import create_app
from dashboard.auth.passwords import MOST_FOR_ADDRESS
from dashboard.room import Room
from dashboard.settings import DashboardSettings
from gateway.model.account import Account, Role
from gateway.model.audit import AuditKind
from tests.dashboard.conftest import ORIGIN, Desk, Visitor
from tests.dashboard.provider import CLIENT_ID, SECRET, Claims, Person, Provider, provider_running
from tests.dashboard.scene import PASSWORD
from tests.dashboard.seed import seed_people


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with provider_running(f"{ORIGIN}/login/sso/callback") as running:
        yield running


@pytest.fixture
async def desk(settings: DashboardSettings, provider: Provider) -> AsyncIterator[Desk]:
    roles = {"chain-security": Role.ANALYST, "chain-leads": Role.LEAD, "partners": Role.PROTOCOL}
    parts = {"oidc_issuer": provider.issuer, "oidc_client_id": CLIENT_ID, "oidc_client_secret": SecretStr(SECRET),
             "oidc_roles": roles, "oidc_create": True}  # fmt: skip
    app = create_app(settings.model_copy(update=parts))
    async with app.router.lifespan_context(app):
        room: Room = app.state.room
        await seed_people(room)
        made = Desk(app, room)
        yield made
        for client in made.clients:
            await client.aclose()


async def _through(visitor: Visitor, url: str) -> httpx.Response:
    """What the browser does between leaving for the provider and coming back."""
    async with httpx.AsyncClient() as outside:
        answer = await outside.get(url)
    assert answer.status_code == 302, answer.text
    back = answer.headers["location"]
    assert back.startswith(f"{ORIGIN}/login/sso/callback?"), back
    return await visitor.client.get(back, headers={"sec-fetch-site": "cross-site"})


async def _sign_in(visitor: Visitor, path: str = "/login/sso?next=/overview") -> httpx.Response:
    begun = await visitor.get(path)
    assert begun.status_code == 303, begun.text
    return await _through(visitor, begun.headers["location"])


async def _account(desk: Desk, name: str) -> Account:
    known = await desk.room.people.credentials(name)
    assert known is not None, name
    return known.account


async def _link(desk: Desk, name: str) -> tuple[Visitor, httpx.Response]:
    visitor = await desk.signed_in(name)
    await visitor.step_up()
    shown = await visitor.post("/account/identities")
    url = shown.text.split('class="button" href="')[1].split('"')[0].replace("&amp;", "&")
    return visitor, await _through(visitor, url)


async def test_the_first_sign_in_makes_an_account_with_the_mapped_role(desk: Desk, provider: Provider) -> None:
    visitor = desk.visitor()
    answer = await _sign_in(visitor)
    assert (answer.status_code, answer.headers["location"]) == (303, "/overview")
    assert (await visitor.get("/queue")).status_code == 200
    assert (await _account(desk, "nora")).role is Role.ANALYST
    asked = provider.asked[-1]
    assert asked["code_challenge_method"] == "S256"
    assert asked["nonce"]
    assert "made this account" in (await visitor.get("/account")).text
    assert (await desk.visitor().post("/login", name="nora", password=PASSWORD)).status_code == 401


async def test_the_claim_says_the_role_at_every_sign_in(desk: Desk, provider: Provider) -> None:
    before = desk.visitor()
    await _sign_in(before)
    provider.person.claims["groups"] = ["chain-security", "chain-leads", "cooks"]
    await _sign_in(desk.visitor())
    assert (await _account(desk, "nora")).role is Role.LEAD  # of several, the one that allows most
    assert (await before.get("/queue")).status_code == 303  # the session with the old rights ended
    provider.person.claims["groups"] = ["cooks"]
    answer = await _sign_in(desk.visitor())
    assert (answer.status_code, "no role" in answer.text) == (401, True)


async def test_a_name_or_a_mail_address_never_finds_an_account(desk: Desk, provider: Provider) -> None:
    provider.person = Person("evil", {"preferred_username": "otto", "email": "otto", "groups": ["chain-leads"]})
    answer = await _sign_in(desk.visitor())
    assert (answer.status_code, "is taken" in answer.text) == (401, True)
    assert await desk.room.keys.identities(await _account(desk, "otto")) == []


async def test_an_owner_links_an_account_which_keeps_its_role(desk: Desk, provider: Provider) -> None:
    provider.person = Person("vera-there", {"groups": ["chain-leads"]})
    _, answer = await _link(desk, "vera")
    assert answer.headers["location"] == "/account"
    visitor = desk.visitor()
    assert (await _sign_in(visitor)).status_code == 303
    assert ">vera<" in (await visitor.get("/queue")).text
    assert (await _account(desk, "vera")).role is Role.VIEWER  # no escalation through the provider
    _, again = await _link(desk, "anna")
    assert (again.status_code, "opens an account already" in again.text) == (401, True)
    (identity,) = await desk.room.keys.identities(await _account(desk, "vera"))
    bela = await desk.signed_in("bela")
    await bela.step_up()
    assert (await bela.post(f"/account/identities/{identity.id}/unlink")).status_code == 404


async def test_linking_needs_a_fresh_confirmation_and_the_session_that_began_it(desk: Desk, provider: Provider) -> None:
    anna = await desk.signed_in("anna")
    assert (await anna.post("/account/identities")).headers["location"].startswith("/step-up")
    await anna.step_up()
    shown = await anna.post("/account/identities")
    url = shown.text.split('class="button" href="')[1].split('"')[0].replace("&amp;", "&")
    await anna.post("/logout")
    assert (await _through(anna, url)).status_code == 401


async def test_nobody_is_made_an_account_unless_the_operator_allows_it(desk: Desk) -> None:
    object.__setattr__(desk.room, "settings", desk.room.settings.model_copy(update={"oidc_create": False}))
    answer = await _sign_in(desk.visitor())
    assert (answer.status_code, "No account is linked to you" in answer.text) == (401, True)


async def test_a_closed_account_stays_closed(desk: Desk) -> None:
    await _sign_in(desk.visitor())
    await desk.room.people.disable("nora", actor="otto")
    answer = await _sign_in(desk.visitor())
    assert (answer.status_code, "closed" in answer.text) == (401, True)


async def test_the_step_up_asks_the_provider_to_ask_again(desk: Desk, provider: Provider) -> None:
    visitor = desk.visitor()
    await _sign_in(visitor)
    assert "Confirm with single sign-on" in (await visitor.get("/step-up?next=/queue")).text
    answer = await _sign_in(visitor, "/step-up/sso?next=/queue")
    assert answer.headers["location"] == "/queue"
    assert provider.asked[-1]["prompt"] == "login"
    provider.signed_in_at = int(time.time()) - 3600
    stale = await _sign_in(visitor, "/step-up/sso")
    assert (stale.status_code, "did not ask you again" in stale.text) == (401, True)
    provider.signed_in_at = None
    provider.person = Person("somebody-else")
    assert "as somebody else" in (await _sign_in(visitor, "/step-up/sso")).text


def _no_signature(header: Claims, claims: Claims) -> str:
    parts = ({"alg": "none"}, claims)
    return ".".join(base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts) + "."


def _strangers_key(header: Claims, claims: Claims) -> str:
    return jwt.encode(header, claims, RSAKey.generate_key(2048, {"kid": "one"}), algorithms=["RS256"])


def _shared_secret(header: Claims, claims: Claims) -> str:
    return jwt.encode({"alg": "HS256", "kid": "one"}, claims, OctKey.import_key(SECRET * 2), algorithms=["HS256"])


def _with(**changed: Any) -> Any:
    def spoil(header: Claims, claims: Claims) -> tuple[Claims, Claims]:
        merged = {**claims, **changed}
        return header, {key: value for key, value in merged.items() if value is not None}

    return spoil


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_with(iss="https://evil.example"), "wrong-iss"),
        (_with(iss=None), "missing-iss"),
        (_with(aud="another-client"), "wrong-aud"),
        (_with(aud=[CLIENT_ID, "another-client"]), "missing-azp"),
        (_with(aud=[CLIENT_ID, "another-client"], azp="another-client"), "wrong-azp"),
        (_with(exp=1_600_000_000), "expired"),
        (_with(iat=4_000_000_000, exp=4_000_000_300), "wrong-iat"),
        (_with(nbf=4_000_000_000), "wrong-nbf"),
        (_with(nonce="another"), "wrong-nonce"),
        (_with(nonce=None), "missing-nonce"),
        (_with(sub=None), "missing-sub"),
        (_with(at_hash="AAAAAAAAAAAAAAAAAAAAAA"), "wrong-at_hash"),
        (_no_signature, "token"),
        (_shared_secret, "token"),
        (_strangers_key, "signature"),
        (lambda header, claims: "no.token", "token"),
    ],
)
async def test_a_bad_token_is_refused_by_name(desk: Desk, provider: Provider, spoil: Any, reason: str) -> None:
    provider.spoil = spoil
    visitor = desk.visitor()
    answer = await _sign_in(visitor)
    assert answer.status_code == 401
    assert "stopgate_session" not in visitor.client.cookies
    (record,) = await desk.room.audit.records(kind=AuditKind.SIGN_IN)
    assert record.detail["why"] == f"single sign-on: {reason}"


async def test_an_answer_for_another_browser_or_a_second_time_is_refused(desk: Desk) -> None:
    visitor, other = desk.visitor(), desk.visitor()
    begun = await visitor.get("/login/sso")
    await other.get("/login/sso")
    async with httpx.AsyncClient() as outside:
        back = (await outside.get(begun.headers["location"])).headers["location"]
    assert (await desk.visitor().get(back)).status_code == 401  # no cookie at all
    assert (await other.get(back)).status_code == 401  # began something else
    assert (await visitor.get(back)).status_code == 303
    assert (await visitor.get(back)).status_code == 401


@pytest.mark.parametrize("extra", ["&iss=https://evil.example", "&error=access_denied"])
async def test_another_providers_answer_and_a_refusal_are_named(desk: Desk, extra: str) -> None:
    visitor = desk.visitor()
    begun = await visitor.get("/login/sso")
    async with httpx.AsyncClient() as outside:
        back = (await outside.get(begun.headers["location"])).headers["location"]
    assert (await visitor.get(back + extra)).status_code == 401


async def test_new_keys_of_the_provider_are_found(desk: Desk, provider: Provider) -> None:
    await _sign_in(desk.visitor())
    assert desk.room.oidc is not None
    asked_at, keys = desk.room.oidc._keys or (None, None)
    assert asked_at is not None
    desk.room.oidc._keys = (asked_at.replace(year=asked_at.year - 1), keys)  # type: ignore[assignment]
    provider.key = RSAKey.generate_key(2048, {"kid": "two"})
    provider.published = [provider.key]
    assert (await _sign_in(desk.visitor())).status_code == 303


@pytest.mark.parametrize(
    "metadata", [{"issuer": "https://evil.example"}, {"token_endpoint": "http://evil.example/token"}, {"jwks_uri": 7}]
)
async def test_a_provider_that_says_something_else_is_not_used(
    desk: Desk, provider: Provider, metadata: Claims
) -> None:
    provider.metadata = metadata
    answer = await desk.visitor().get("/login/sso")
    assert (answer.status_code, "provider" in answer.text) == (502, True)


async def test_too_many_failures_close_this_door_too(desk: Desk) -> None:
    for number in range(MOST_FOR_ADDRESS):
        await desk.room.sign_in.note_failure(f"name-{number}", "127.0.0.1", "password")
    assert (await _sign_in(desk.visitor())).status_code == 429


async def test_the_way_back_never_leads_to_another_site(desk: Desk) -> None:
    answer = await _sign_in(desk.visitor(), "/login/sso?next=//evil.example/")
    assert answer.headers["location"] == "/"

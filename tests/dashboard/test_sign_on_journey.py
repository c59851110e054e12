"""Single sign-on in a real Chromium, against a real OpenID provider on this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, expect
from pydantic import SecretStr

from dashboard.room import Room
from dashboard.settings import DashboardSettings
from gateway.model.account import Role
from tests.dashboard.browser import chromium_path, launched, served
from tests.dashboard.provider import CLIENT_ID, SECRET, Person, Provider, provider_running
from tests.dashboard.scene import case, hold, utc_now
from tests.dashboard.seed import seed_people

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium_path() is None, reason="Chromium is not installed (Debian package: chromium)"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # playwright leaves its pipe to the collector
]


@pytest.fixture
async def stage(settings: DashboardSettings) -> AsyncIterator[tuple[str, Room, Browser, Provider]]:
    async with provider_running("set below, when the desk has its port") as provider:
        parts = {
            "oidc_issuer": provider.issuer, "oidc_client_id": CLIENT_ID, "oidc_client_secret": SecretStr(SECRET),
            "oidc_roles": {"chain-security": Role.ANALYST}, "oidc_create": True, "oidc_label": "the chain's own door",
        }  # fmt: skip
        async with served(settings.model_copy(update=parts)) as (address, room), launched() as browser:
            provider.client.redirect = f"{address}/login/sso/callback"
            await seed_people(room)
            yield address, room, browser, provider


async def test_somebody_signs_in_confirms_and_decides_by_the_provider_alone(
    stage: tuple[str, Room, Browser, Provider],
) -> None:
    address, room, browser, provider = stage
    await hold(room, case(1, utc_now(), loss=250_000.0))
    page = await (await browser.new_context()).new_page()
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text) if message.type == "error" else None)
    await page.goto(f"{address}/cases/c-000001")
    await page.wait_for_url("**/login?next=**")
    await page.get_by_role("link", name="Sign in with the chain's own door").click()
    await page.wait_for_url("**/cases/c-000001")  # where they wanted to go, by way of the provider
    await expect(page.get_by_role("link", name="nora", exact=True)).to_be_visible()
    await page.get_by_label("Reason").first.fill("their treasurer confirmed it")
    await page.get_by_role("button", name="Release").click()
    await page.wait_for_url("**/step-up**")
    await page.get_by_role("link", name="Confirm with the chain's own door").click()
    await page.wait_for_url("**/cases/c-000001")
    assert provider.asked[-1]["prompt"] == "login"  # a fresh confirmation, not the session at the provider
    await page.get_by_label("Reason").first.fill("their treasurer confirmed it")
    await page.get_by_role("button", name="Release").click()
    await expect(page.get_by_text("Another person has to agree.")).to_be_visible()
    assert (await room.desk.asked("c-000001")).actor == "nora"  # type: ignore[union-attr]
    assert refused == []  # nothing was stopped by the content security policy


async def test_who_has_no_role_at_the_provider_is_told_and_gets_no_account(
    stage: tuple[str, Room, Browser, Provider],
) -> None:
    address, room, browser, provider = stage
    provider.person = Person("99", {"preferred_username": "mallory", "groups": ["visitors"]})
    page = await (await browser.new_context()).new_page()
    await page.goto(f"{address}/login")
    await page.get_by_role("link", name="Sign in with the chain's own door").click()
    await expect(page.get_by_text("The provider gives you no role here.")).to_be_visible()
    await page.goto(f"{address}/queue")
    await page.wait_for_url("**/login?next=**")
    assert "mallory" not in {known.name for known in await room.people.accounts()}

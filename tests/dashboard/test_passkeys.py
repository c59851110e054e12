"""Passkeys in a real Chromium with its virtual authenticator."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, expect

from dashboard.room import Room
from dashboard.settings import DashboardSettings
from tests.dashboard.browser import chromium_path, launched, served
from tests.dashboard.scene import PASSWORD
from tests.dashboard.seed import seed_people

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium_path() is None, reason="Chromium is not installed (Debian package: chromium)"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # playwright leaves its pipe to the collector
]


@pytest.fixture
async def stage(settings: DashboardSettings) -> AsyncIterator[tuple[str, Room, Browser]]:
    async with served(settings) as (address, room), launched() as browser:
        await seed_people(room)
        yield address, room, browser


async def _with_authenticator(browser: Browser) -> Page:
    page = await (await browser.new_context()).new_page()
    tools = await page.context.new_cdp_session(page)
    await tools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    await tools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return page


async def test_a_passkey_is_made_used_to_sign_in_and_to_confirm(stage: tuple[str, Room, Browser]) -> None:
    address, room, browser = stage
    address = address.replace("127.0.0.1", "localhost")
    page = await _with_authenticator(browser)
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text) if message.type == "error" else None)
    await page.goto(f"{address}/login/token?token={await room.sign_in.issue_login_token('otto')}")
    await page.get_by_role("button", name="Sign in").click()
    await page.goto(f"{address}/account")
    await page.get_by_placeholder("this laptop").fill("my laptop")
    await page.get_by_role("button", name="Make a passkey").click()
    await page.wait_for_url("**/step-up**")  # a stolen session must not make itself a key
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Confirm").click()
    await page.get_by_placeholder("this laptop").fill("my laptop")
    await page.get_by_role("button", name="Make a passkey").click()
    await expect(page.get_by_label("Name of my laptop")).to_be_visible()
    await page.get_by_role("button", name="Sign out").click()

    await page.goto(f"{address}/login?next=/users")
    await page.get_by_role("button", name="Sign in with a passkey").click()
    await expect(page.get_by_role("heading", name="People")).to_be_visible()

    await page.goto(f"{address}/step-up?next=/audit")
    await page.get_by_role("button", name="Confirm with a passkey").click()
    await expect(page.get_by_role("heading", name="Audit")).to_be_visible()
    assert refused == []  # nothing was stopped by the content security policy


async def test_by_an_address_the_page_says_how_to_reach_it(stage: tuple[str, Room, Browser]) -> None:
    address, _, browser = stage
    page = await _with_authenticator(browser)
    await page.goto(f"{address}/login")
    await page.get_by_role("button", name="Sign in with a passkey").click()
    await expect(page.get_by_role("alert")).to_contain_text("open this page at localhost")

"""What the desk teaches the gateway, in a real Chromium: signatures of confirmed attacks, and lines of trust."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from playwright.async_api import Browser, expect

from dashboard.room import Room
from dashboard.settings import DashboardSettings
from gateway.store.knowledge.deployments import Deployments
from gateway.tasks.knowledge import Knowledge
from tests.cases import detail, entry
from tests.dashboard.browser import chromium_path, launched, served, sign_in
from tests.dashboard.scene import ROUTER, utc_now
from tests.dashboard.seed import seed_people
from tests.gateway.tasks.test_knowledge import ATTACK_CODE, attack, run_of
from tests.makers import CODE

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


def _gateway(room: Room) -> Knowledge:
    """What a gateway process knows, on the same record."""
    return Knowledge(
        room.record,
        room.signatures,
        room.trust,
        Deployments(room.database),
        code_of=lambda hash: ATTACK_CODE if hash == CODE else None,
        reputation=lambda address: None,
        creator=lambda contract: None,
    )


async def test_a_confirmed_attack_leaves_a_signature_that_is_withdrawn(stage: tuple[str, Room, Browser]) -> None:
    address, room, browser = stage
    gateway, judged = _gateway(room), attack()
    held = entry(5, sender=judged.sender, to=judged.to, expires_at=utc_now() + timedelta(hours=4))
    await room.record.hold(held, detail(5, transaction=judged, simulation=run_of()))
    anna = await sign_in(browser, address, room, "anna")
    await anna.goto(f"{address}/signatures")
    await expect(anna.get_by_text("No signature yet.")).to_be_visible()
    await anna.goto(f"{address}/cases/case-5")
    await anna.locator("summary", has_text="Mark").click()
    mark = anna.locator("form[action$='/marks']")
    await mark.locator("select").select_option("confirmed-attack")
    await mark.get_by_label("Reason").fill("it borrows against a false price")
    await mark.get_by_role("button", name="Mark").click()
    await expect(anna.locator(".mark-confirmed-attack")).to_be_visible()
    await gateway.once()
    assert gateway.recognise(judged, ATTACK_CODE) != ()
    await anna.get_by_role("link", name="Signatures").click()
    row = anna.locator("tr", has=anna.get_by_role("link", name="case-5"))
    await expect(row).to_contain_text("anna")
    await row.get_by_text("Withdraw 1").click()
    await row.get_by_label("Reason").fill("it stops a keeper too")
    await row.get_by_role("button", name="Withdraw").click()
    await expect(row).to_contain_text("it stops a keeper too")
    await gateway.once()
    assert gateway.recognise(judged, ATTACK_CODE) == ()


async def test_a_line_of_trust_is_written_by_a_lead_and_ends(stage: tuple[str, Room, Browser]) -> None:
    address, room, browser = stage
    lena = await sign_in(browser, address, room, "lena")
    await lena.get_by_role("link", name="Trust").click()
    await lena.get_by_label("Called contract").fill(str(ROUTER))
    await lena.get_by_label("Days").fill("7")
    await lena.get_by_label("Reason").fill("our own router, audited in spring")
    await lena.get_by_role("button", name="Add").click()
    row = lena.locator("tr", has_text="our own router")
    await expect(row).to_contain_text("in 6 d 23 h")
    await room.trust.add(
        author="lena", reason="only for the migration", expires_at=utc_now() + timedelta(seconds=1), contract=ROUTER
    )
    await lena.wait_for_timeout(1_100)
    await lena.reload()
    await expect(lena.locator("tr", has_text="only for the migration")).to_contain_text("expired")
    anna = await sign_in(browser, address, room, "anna")  # an analyst reads it and cannot change it
    await anna.goto(f"{address}/trust")
    await expect(anna.locator("tr", has_text="our own router")).to_be_visible()
    await expect(anna.get_by_role("button", name="Add")).to_have_count(0)
    await row.get_by_text("Withdraw 1").click()
    await row.get_by_label("Reason").fill("the router was replaced")
    await row.get_by_role("button", name="Withdraw").click()
    await expect(lena.locator("tr", has_text="our own router")).to_contain_text("withdrawn by lena")

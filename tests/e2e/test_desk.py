"""The analyst's shift with nothing replaced: a real attack over RPC, the real gateway, Valkey, anvil, and Chromium."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from dashboard.room import Room
from gateway.decoding.keccak import keccak256
from gateway.demo.playbill import Act, Line, Setup, load
from gateway.model.quarantine import CaseState
from gateway.store.shared.embedded import EmbeddedValkey
from tests.anvil import Anvil, needs_anvil, running_anvil
from tests.dashboard.browser import chromium_path, launched, served, sign_in
from tests.dashboard.scene import PASSWORD, settings_at
from tests.dashboard.seed import seed_people
from tests.dashboard.signing import address_of, personal_sign
from tests.gatewayprocess import GatewayProcess, running_gateway

pytestmark = [
    needs_anvil,
    pytest.mark.browser,
    pytest.mark.skipif(chromium_path() is None, reason="Chromium is not installed (Debian package: chromium)"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # playwright leaves its pipe to the collector
]
ATTACKS = ("bank-reentry", "cross-function-reentry")
PHONE = {"width": 360, "height": 740}


@dataclass(frozen=True)
class World:
    """Everything that runs."""

    chain: Anvil
    gateway: GatewayProcess
    attacks: dict[str, Line]
    """the line of each attack that does the damage, not yet sent"""
    folder: Path
    valkey: EmbeddedValkey


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, valkey: EmbeddedValkey, sqlite_template: Path) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("desk")
    shutil.copy(sqlite_template, folder / "stopgate.sqlite3")
    with running_anvil("--hardfork", "prague", "--gas-limit", "30000000") as chain:
        attacks = dict(_prepared(chain))
        environment = {"STOPGATE_STORE__REDIS_URL": valkey.url}
        with running_gateway(chain.url, folder, environment) as gateway:
            yield World(chain, gateway, attacks, folder, valkey)


def _prepared(chain: Anvil) -> Iterator[tuple[str, Line]]:
    """Play what the attacks stand on straight to the chain."""
    for item in load():
        if isinstance(item, Setup):
            _mine(chain, item.line)
            continue
        assert isinstance(item, Act)
        for line in item.lines if item.honest else item.lines[:-1]:
            _mine(chain, line)
        if not item.honest:
            yield item.name, item.lines[-1]
            if item.name == ATTACKS[-1]:
                return


def _mine(chain: Anvil, line: Line) -> None:
    """Send it and wait for its block: what comes next stands on it."""
    chain.rpc("eth_sendRawTransaction", line.raw)
    deadline = time.monotonic() + 20
    while chain.rpc("eth_getTransactionReceipt", line.hash) is None:
        assert time.monotonic() < deadline, line.note
        time.sleep(0.02)


@pytest.fixture
async def stage(world: World) -> AsyncIterator[tuple[str, Room, Browser]]:
    # what a re-entry takes from these banks is some tens of ether
    settings = settings_at(world.folder, world.valkey.url, loss_unit="", two_person_loss=1.0)
    async with served(settings) as (address, room), launched() as browser:
        if not await room.people.accounts():
            await seed_people(room)
        yield address, room, browser


async def _attack(world: World, name: str) -> str:
    """Send it as a client does; the case."""
    answer = await asyncio.to_thread(world.gateway.call, "eth_sendRawTransaction", world.attacks[name].raw)
    assert answer["error"]["data"]["status"] == "HELD", answer
    return str(answer["error"]["data"]["caseId"])


async def _until_mined(chain: Anvil, hash: str) -> dict[str, object]:
    for _ in range(200):
        receipt: dict[str, object] | None = await asyncio.to_thread(chain.rpc, "eth_getTransactionReceipt", hash)
        if receipt is not None:
            return receipt
        await asyncio.sleep(0.1)
    raise AssertionError("it was not mined in 20 s")


async def _release(page: Page, reason: str, button: str) -> None:
    """Decide, and give the second factor when it is asked for."""
    for _ in range(2):
        await page.locator("#decision").get_by_label("Reason").fill(reason)
        await page.get_by_role("button", name=button, exact=True).click()
        with contextlib.suppress(AssertionError):
            await expect(page).to_have_url(re.compile("step-up"), timeout=2_000)
            await page.get_by_label("Password").fill(PASSWORD)
            await page.get_by_role("button", name="Confirm").click()
            continue
        return


async def test_an_attack_over_rpc_is_released_by_two_people_and_mined(
    world: World, stage: tuple[str, Room, Browser]
) -> None:
    address, room, browser = stage
    anna = await sign_in(browser, address, room, "anna")
    await expect(anna.locator(".live.on")).to_be_visible()
    await asyncio.sleep(0.5)  # the stream is opened after the page
    case_id = await _attack(world, "bank-reentry")
    held = time.monotonic()
    row = anna.locator(f'a.title[href="/cases/{case_id}"]')
    await expect(row).to_be_visible(timeout=10_000)
    print(f"from the client's answer to the open page: {time.monotonic() - held:.2f} s")
    await row.click()
    await expect(anna.locator(".lead")).not_to_be_empty()
    await expect(anna.locator("aside .loss")).to_contain_text("ETH")
    await expect(anna.locator("svg.flow")).to_be_visible()
    await anna.keyboard.press("c")
    await expect(anna.get_by_role("button", name="Give back")).to_be_visible()
    await anna.get_by_text("Simulate again").click()
    await anna.get_by_role("button", name="Now, at the head").click()
    await expect(anna.get_by_text("It would still say the same.")).to_be_visible(timeout=20_000)
    await anna.get_by_role("link", name="To the decision").click()
    await _release(anna, "the bank's owners test their own contract", "Release")
    await expect(anna.get_by_text("Another person has to agree.")).to_be_visible()
    assert world.chain.rpc("eth_getTransactionByHash", world.attacks["bank-reentry"].hash) is None
    bela = await sign_in(browser, address, room, "bela", viewport=PHONE, has_touch=True)
    await bela.goto(f"{address}/queue?tab=voice")
    await bela.locator(f'a.title[href="/cases/{case_id}"]').click()
    await bela.get_by_role("link", name="To the decision").click()
    assert not await bela.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    await _release(bela, "I called them", "Release (second voice)")
    receipt = await _until_mined(world.chain, world.attacks["bank-reentry"].hash)
    assert receipt["status"] == "0x1"
    for _ in range(100):
        entry = await room.record.case(case_id)
        assert entry is not None
        if entry.state is CaseState.FORWARDED:
            break
        await asyncio.sleep(0.1)
    assert entry.state is CaseState.FORWARDED
    steps = await room.record.history(case_id)
    assert ("anna", "bela") in {(step.actor, step.second_actor) for step in steps}


async def test_the_sender_appeals_is_answered_and_rejected(world: World, stage: tuple[str, Room, Browser]) -> None:
    address, room, browser = stage
    case_id = await _attack(world, "cross-function-reentry")
    entry = await room.record.case(case_id)
    assert entry is not None
    key = keccak256(b"stopgate fixtures: cross thief").hex()  # as fixtures/scenes/stage.py makes its actors
    assert address_of(key).lower() == str(entry.sender)
    context = await browser.new_context(viewport=PHONE)
    await context.expose_function("signAsWallet", lambda text: personal_sign(key, text))
    await context.add_init_script(WALLET.replace("SENDER", str(entry.sender)))
    sender = await context.new_page()
    await sender.goto(f"{address}/status/{entry.hash}")
    await sender.get_by_label("Your words").fill("It is our own bank.\nCall us.")
    await sender.get_by_role("button", name="Go on to signing").click()
    await sender.get_by_role("button", name="Sign with the wallet in this browser").click()
    await expect(sender.get_by_text("has arrived")).to_be_visible()
    anna = await sign_in(browser, address, room, "anna")
    await anna.get_by_role("link", name=re.compile("Appeals")).click()
    await anna.locator(f'a.title[href="/cases/{case_id}"]').click()
    await expect(anna.get_by_text("It is our own bank.")).to_be_visible()
    await anna.get_by_label("Answer").fill("Nobody there knows of it.")
    await anna.get_by_role("button", name="Answer the sender").click()
    await anna.locator("#decision").get_by_label("Reason").fill("not theirs")
    await anna.get_by_role("button", name="Reject", exact=True).click()
    await expect(anna.locator("h1 .state").first).to_have_text("rejected")
    await sender.reload()
    await expect(sender.get_by_text("Nobody there knows of it.")).to_be_visible()
    await expect(sender.locator(".state")).to_have_text("rejected")
    assert not await sender.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    assert world.chain.rpc("eth_getTransactionByHash", str(entry.hash)) is None


WALLET = """
window.ethereum = {
  request: async ({ method, params }) => {
    if (method === "eth_requestAccounts") return ["SENDER"];
    if (method !== "personal_sign") throw new Error("not asked for");
    const octets = params[0].slice(2).match(/../g).map((pair) => parseInt(pair, 16));
    return window.signAsWallet(new TextDecoder().decode(new Uint8Array(octets)));
  },
};
"""

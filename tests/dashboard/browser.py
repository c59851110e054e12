"""Chromium for the journeys and the screenshots, and a desk served on a free port of 127.0.0.1."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import uvicorn
from playwright.async_api import Browser, async_playwright

from dashboard.app import create_app
from dashboard.room import Room
from dashboard.settings import DashboardSettings

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


def chromium_path() -> str | None:
    """Where Chromium is installed; None if it is not."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    """A headless Chromium."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path(), args=list(FLAGS))
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def served(settings: DashboardSettings) -> AsyncIterator[tuple[str, Room]]:
    """The desk on a port of its own: its address and its stores."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = settings.model_copy(update={"listen": f"127.0.0.1:{port}"})
    app = create_app(settings)
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", access_log=False,
                       timeout_graceful_shutdown=1)
    )  # fmt: skip
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(server.serve())
        while not server.started:
            if running.done():
                raise RuntimeError("the desk did not start")
            await asyncio.sleep(0.02)
        try:
            yield f"http://127.0.0.1:{port}", app.state.room
        finally:
            server.should_exit = True
            with suppress(asyncio.CancelledError):
                await running


async def sign_in(browser: Browser, address: str, room: Room, name: str, **options: object):
    """A page of a browser in which `name` is signed in by a one-time link."""
    context = await browser.new_context(**options)  # type: ignore[arg-type]
    page = await context.new_page()
    token = await room.sign_in.issue_login_token(name)
    await page.goto(f"{address}/login/token?token={token}")
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url("**/queue")
    return page

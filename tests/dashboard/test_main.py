"""The desk's start: one line when it cannot start, and an end when it is stopped at once."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from dashboard.__main__ import PlainStart
from dashboard.app import create_app
from dashboard.live import News
from dashboard.room import open_room
from dashboard.settings import DashboardSettings
from gateway.model.account import Role


async def lifespan(settings: DashboardSettings, where: str = "") -> list[dict[str, Any]]:
    """What the server is told when it starts the desk and stops it at once, as it does when the port is in use."""
    told: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "lifespan.shutdown" if told else "lifespan.startup"}

    async def send(message: Any) -> None:
        told.append(message)
        await asyncio.sleep(0.1)  # the tasks behind it begin

    async with asyncio.timeout(20):
        await PlainStart(create_app(settings), where)({"type": "lifespan"}, receive, send)
    return told


async def test_stopped_before_anything_is_connected_it_ends(settings: DashboardSettings) -> None:
    told = await lifespan(settings)
    assert [message["type"] for message in told] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_it_tells_where_it_is_and_that_nobody_can_sign_in_yet(
    settings: DashboardSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    for accounts in (0, 1):
        await lifespan(settings, "http://127.0.0.1:8081")
        told = capsys.readouterr().err
        assert told.startswith("dashboard  http://127.0.0.1:8081\n")
        assert ("stopgate user add" in told) is (accounts == 0)
        async with open_room(settings) as room:
            if not accounts:
                await room.people.add("anna", Role.ANALYST, actor="test")


class Deaf(News):
    """Takes its first cancellation for a lost connection, as a client does that is cancelled while it connects."""

    async def follow(self) -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)
        await super().follow()


async def test_it_ends_also_if_a_cancellation_is_lost(
    settings: DashboardSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.app.News", Deaf)
    assert [message["type"] for message in await lifespan(settings)][-1] == "lifespan.shutdown.complete"


async def test_a_folder_that_cannot_be_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (told,) = await lifespan(DashboardSettings(data_dir=tmp_path / "file" / "below"))
    assert told["type"] == "lifespan.startup.failed"
    assert told["message"].startswith("stopgate dashboard: the data folder ")
    assert "\n" not in told["message"]

"""A desk on the real stores: SQLite and Valkey. Requests go through ASGI, without a socket."""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import redis

from dashboard.app import create_app
from dashboard.room import Room
from dashboard.settings import DashboardSettings
from gateway.store.shared.embedded import EmbeddedValkey
from tests.dashboard.scene import PASSWORD, settings_at
from tests.dashboard.seed import seed_people
from tests.stores import as_deployed, sqlite_template, valkey  # noqa: F401 - fixtures

ORIGIN = "http://127.0.0.1:8081"


@pytest.fixture
def settings(tmp_path: Path, valkey: EmbeddedValkey, sqlite_template: Path) -> DashboardSettings:  # noqa: F811
    with redis.Redis.from_url(valkey.url) as client:
        client.flushall()
    shutil.copy(sqlite_template, tmp_path / "stopgate.sqlite3")
    return settings_at(tmp_path, as_deployed(valkey))


class Visitor:
    """A browser without script: keeps cookies, fills forms, sends what a browser sends."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.token = ""

    async def get(self, path: str, **headers: str) -> httpx.Response:
        answer = await self.client.get(path, headers={"sec-fetch-site": "same-origin", **headers})
        found = re.search(r'name="csrf" value="([^"]+)"', answer.text)
        if found:
            self.token = found[1]
        return answer

    async def post(self, path: str, headers: dict[str, str] | None = None, **fields: object) -> httpx.Response:
        sent = {"sec-fetch-site": "same-origin", "origin": ORIGIN, **(headers or {})}
        return await self.client.post(path, data={"csrf": self.token, **fields}, headers=sent)

    async def sign_in(self, name: str, password: str = PASSWORD) -> httpx.Response:
        answer = await self.post("/login", name=name, password=password)
        await self.get("/account")
        return answer

    async def step_up(self) -> None:
        answer = await self.post("/step-up", secret=PASSWORD, next="/queue")
        assert answer.status_code == 303, answer.text


class Desk:
    """A running app and a way to visit it."""

    def __init__(self, app: object, room: Room) -> None:
        self.app, self.room = app, room
        self.clients: list[httpx.AsyncClient] = []

    def visitor(self, address: str = "127.0.0.1") -> Visitor:
        transport = httpx.ASGITransport(app=self.app, client=(address, 40_000), raise_app_exceptions=True)  # type: ignore[arg-type]
        client = httpx.AsyncClient(transport=transport, base_url=ORIGIN)
        self.clients.append(client)
        return Visitor(client)

    async def signed_in(self, name: str) -> Visitor:
        """By a one-time link: a password costs half a second of hashing."""
        visitor = self.visitor()
        token = await self.room.sign_in.issue_login_token(name)
        answer = await visitor.post("/login/token", token=token)
        assert answer.status_code == 303, answer.text
        await visitor.get("/account")
        return visitor


@pytest.fixture
async def desk(settings: DashboardSettings) -> AsyncIterator[Desk]:
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        room: Room = app.state.room
        await seed_people(room)
        made = Desk(app, room)
        yield made
        for client in made.clients:
            await client.aclose()

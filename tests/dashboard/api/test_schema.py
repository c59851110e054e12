"""schemathesis asks the served API everything that its OpenAPI document allows, and much that it does not."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from dashboard.settings import DashboardSettings
from gateway.model.account import Permission
from gateway.model.notice import ChannelKind, ChannelRule
from tests.dashboard.browser import served
from tests.dashboard.scene import utc_now
from tests.dashboard.seed import seed_cases, seed_people

_CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
    "response_headers_conformance,negative_data_rejection,missing_required_header,unsupported_method,ignored_auth"
)


async def _asked(settings: DashboardSettings, folder: Path, *options: str) -> tuple[int, str]:
    async with served(settings) as (address, room):
        otto = (await seed_people(room))["otto"]
        await seed_cases(room, utc_now())
        await room.notices.add("night", ChannelKind.WEBHOOK, "https://hooks.example/", ChannelRule(), actor="otto")
        lasts, scopes = timedelta(days=1), sorted(Permission)
        token = await room.sign_in.issue_api_token(otto, "test", scopes, lasts=lasts, actor="otto")
        command = [
            sys.executable, "-m", "schemathesis.cli", "run", f"{address}/api/v1/openapi.json", "--header",
            f"Authorization: Bearer {token}", "--checks", _CHECKS, "--no-color", "--warnings", "off", "--seed", "7",
            "--generation-database", "none", "--request-timeout", "20", *options,
        ]  # fmt: skip
        running = await asyncio.create_subprocess_exec(
            *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        said, _ = await running.communicate()
        return running.returncode or 0, said.decode(errors="replace")[-8_000:]


async def test_the_api_does_what_its_document_says(settings: DashboardSettings, tmp_path: Path) -> None:
    options = ("--phases", "examples,fuzzing", "--max-examples", "4", "--max-time", "20", "--no-shrink")
    code, said = await _asked(settings, tmp_path, *options)
    assert code == 0, said


@pytest.mark.slow
async def test_the_api_does_what_its_document_says_at_length(settings: DashboardSettings, tmp_path: Path) -> None:
    code, said = await _asked(settings, tmp_path, "--max-examples", "60", "--max-time", "600")
    assert code == 0, said

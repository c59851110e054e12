"""`stopgate signatures` and `stopgate trust` on a real database."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from gateway.cli import cli
from gateway.model.account import Mark
from gateway.model.primitive import Hash32
from gateway.model.signature import Signature, SignatureKind, SignatureState
from gateway.store.cases.record import SqlRecord
from gateway.store.casework.desk import Desk
from gateway.store.database import Database
from gateway.store.knowledge.signatures import Signatures
from gateway.store.knowledge.trust import Clean, TrustBook
from tests.cases import ROUTER, SENDER, detail, entry
from tests.stores import sqlite_file_url, sqlite_template

__all__ = ["sqlite_file_url", "sqlite_template"]
NOW = datetime.now(UTC)


@pytest.fixture
def folder(sqlite_file_url: str, tmp_path: Path) -> Path:
    """A data folder with one confirmed case, its signature, and some history."""

    async def fill() -> None:
        database = Database(sqlite_file_url)
        kept = Signatures(database)
        await SqlRecord(database).hold(entry(1), detail(1))
        await Desk(database, now=lambda: NOW).mark("case-1", Mark.CONFIRMED, "ann", "it drains the pool")
        made = Signature(
            SignatureKind.CODE, Hash32(b"\x01" * 32), "case-1", "ann", NOW, NOW + timedelta(days=90),
            SignatureState.ENFORCED, ROUTER, 300,
        )  # fmt: skip
        await kept.add((await kept.unsigned())[0], [made])
        await TrustBook(database).count_clean({ROUTER: Clean(70, {SENDER})})
        await database.close()

    asyncio.run(fill())
    return tmp_path


def call(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, [*arguments, "--data-dir", str(folder)])


def document(folder: Path, *arguments: str) -> Any:
    done = call(folder, *arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_signatures_are_listed_shown_and_withdrawn(folder: Path) -> None:
    (listed,) = document(folder, "signatures", "list")["signatures"]
    assert (listed["case"], listed["kind"], listed["state"]) == ("case-1", "code", "enforced")
    number = str(listed["id"])
    assert document(folder, "signatures", "show", number) == listed
    assert "case-1" in call(folder, "signatures", "list").stdout
    assert document(folder, "signatures", "list", "--case", "other")["signatures"] == []
    assert call(folder, "signatures", "withdraw", number, "-m", " ").exit_code == 2
    assert call(folder, "signatures", "withdraw", number, "-m", "it stops a keeper").exit_code == 0
    ended = document(folder, "signatures", "show", number)
    assert ended["state"] == "withdrawn"
    assert ended["endReason"] == "it stops a keeper"
    assert call(folder, "signatures", "withdraw", number, "-m", "again").exit_code == 1
    assert call(folder, "signatures", "show", "99").exit_code == 1


def test_the_allow_list_is_written_and_read(folder: Path) -> None:
    made = document(folder, "trust", "add", "-m", "our keeper", "--sender", str(SENDER), "--days", "3")
    (line,) = document(folder, "trust", "list")["entries"]
    assert (line["id"], line["sender"], line["reason"]) == (made["number"], str(SENDER), "our keeper")
    assert line["author"].startswith("cli:")
    for wrong in (["-m", "nobody"], ["-m", "x", "--sender", "0x12"], ["-m", " ", "--sender", str(SENDER)]):
        refused = call(folder, "trust", "add", *wrong)
        assert refused.exit_code == 1, wrong
    assert call(folder, "trust", "withdraw", str(line["id"]), "-m", "the keeper moved").exit_code == 0
    assert call(folder, "trust", "withdraw", str(line["id"]), "-m", "again").exit_code == 1
    assert document(folder, "trust", "list")["entries"] == []
    assert len(document(folder, "trust", "list", "--ended")["entries"]) == 1


def test_a_reputation_is_told(folder: Path) -> None:
    (known,) = document(folder, "trust", "reputation", str(ROUTER))["reputations"]
    assert (known["clean"], known["senders"], known["standing"]) == (70, 1, "unproven")
    assert len(document(folder, "trust", "reputation")["reputations"]) == 1
    assert call(folder, "trust", "reputation", str(SENDER)).exit_code == 1
    assert call(folder, "trust", "reputation", "0x12").exit_code == 1

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli import cli
from gateway.errors import ConfigurationError


def _run(folder: Path, *words: str) -> str:
    answer = CliRunner().invoke(cli, ["service", *words, "--data-dir", str(folder)], catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    return answer.output


def _listed(folder: Path) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(_run(folder, "list", "--json"))
    return found


def test_a_service_account_is_added_given_a_token_rotated_and_revoked(tmp_path: Path) -> None:
    assert "role analyst" in _run(tmp_path, "add", "pager", "--role", "analyst")
    assert _listed(tmp_path) == [{"service": "pager", "role": "analyst", "disabled": False}]
    secret = _run(tmp_path, "token", "pager", "watch", "--scope", "read", "--days", "3").strip()
    successor = _run(tmp_path, "rotate", "pager", "1", "--overlap-hours", "0").strip()
    assert secret.startswith("sg_")
    assert successor not in ("", secret)
    new, old = _listed(tmp_path)
    assert (new["id"], new["scopes"], new["last_used_at"]) == (2, ["read"], None)
    assert str(old["expires_at"]) < str(new["expires_at"])
    _run(tmp_path, "revoke", "pager", "2")
    assert _listed(tmp_path)[0]["revoked"] is True
    assert "watch" in _run(tmp_path, "list")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("token", "nobody", "x", "--scope", "read"), "no service account nobody"),
        (("token", "pager", "x", "--scope", "audit"), "does not have audit"),
        (("rotate", "pager", "7"), "no live token 7"),
        (("revoke", "pager", "7"), "no live token 7"),
        (("add", "pager"), "already"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    _run(tmp_path, "add", "pager")
    with pytest.raises(ConfigurationError, match=said):
        CliRunner().invoke(cli, ["service", *words, "--data-dir", str(tmp_path)], catch_exceptions=False)

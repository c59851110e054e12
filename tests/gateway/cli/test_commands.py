"""The command line as a whole: every command is there, each loads only what it needs, and errors are one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway import cli as command_line
from gateway.cli import COMMANDS, cli
from gateway.errors import ConfigurationError

RUN = CliRunner()


def test_every_command_is_in_the_help_and_has_one_of_its_own() -> None:
    told = RUN.invoke(cli, ["--help"], env={"COLUMNS": "200"}).stdout
    assert [name for name in COMMANDS if f" {name} " not in told] == []
    for name in COMMANDS:
        own = RUN.invoke(cli, [name, "--help"], env={"COLUMNS": "200"})
        assert own.exit_code == 0, own.output
        assert f"Usage: stopgate {name} " in own.stdout
        assert "--install-completion" not in own.stdout
    assert "add" in RUN.invoke(cli, ["user", "--help"]).stdout
    assert RUN.invoke(cli, ["sreve"]).exit_code == 2


@pytest.mark.parametrize(("words", "unneeded"), [(["--version"], "sqlalchemy"), (["rules", "new", "x"], "sqlalchemy")])
def test_what_a_command_does_not_need_is_not_loaded(words: list[str], unneeded: str, tmp_path: Path) -> None:
    script = f"import sys; from gateway.cli import cli; cli({words!r}, standalone_mode=False)"
    script += f"; sys.exit({unneeded!r} in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_an_error_is_told_as_it_is_written(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise ConfigurationError("no [bold]markup[/bold] and no [/] here: [Errno 98]")

    monkeypatch.setattr(command_line, "cli", fail)
    with pytest.raises(SystemExit, match="2"):
        command_line.main()
    assert capsys.readouterr().err == "stopgate: no [bold]markup[/bold] and no [/] here: [Errno 98]\n"

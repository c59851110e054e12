from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gateway.devnet.child import free_port, serving
from gateway.errors import ConfigurationError


def test_a_program_that_ends_at_once_is_told_with_its_output(tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = [sys.executable, "-c", "print('no such luck'); raise SystemExit(3)"]
    with (
        pytest.raises(ConfigurationError, match="ended at once with code 3"),
        serving(command, free_port(), log=log, patience=20),
    ):
        pass
    assert log.read_text() == "no such luck\n"


def test_a_program_that_never_answers_is_stopped_in_time() -> None:
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    with (
        pytest.raises(ConfigurationError, match="did not answer"),
        serving(command, free_port(), log=None, patience=0.3),
    ):
        pass

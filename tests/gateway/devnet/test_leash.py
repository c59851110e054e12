from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

LEASH = [sys.executable, "-m", "gateway.devnet.leash"]
PATIENCE = 20.0
"""seconds; a fraction of one on an idle machine"""


def leashed(code: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*LEASH, sys.executable, "-c", code], stdin=subprocess.PIPE)


def started(marker: Path) -> int:
    until = time.monotonic() + PATIENCE
    while not (marker.exists() and marker.read_text()):
        assert time.monotonic() < until
        time.sleep(0.02)
    return int(marker.read_text())


def gone(pid: int) -> bool:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


def sleeper(marker: Path, *, stubborn: bool = False) -> str:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " if stubborn else ""
    return f"{deaf}import os, pathlib, time; pathlib.Path({str(marker)!r}).write_text(str(os.getpid())); time.sleep(60)"


def test_the_command_s_exit_code_is_passed_on() -> None:
    with leashed("raise SystemExit(5)") as leash:
        assert leash.wait(PATIENCE) == 5


def test_closing_the_pipe_stops_even_a_command_that_ignores_it(tmp_path: Path) -> None:
    marker = tmp_path / "pid"
    with leashed(sleeper(marker, stubborn=True)) as leash:
        pid = started(marker)
        assert leash.stdin is not None
        leash.stdin.close()
        assert leash.wait(PATIENCE) == 0
    assert gone(pid)


def test_an_owner_that_is_killed_leaves_nothing_behind(tmp_path: Path) -> None:
    marker = tmp_path / "pid"
    owner = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import subprocess, sys, time\n"
            f"subprocess.Popen({[*LEASH, sys.executable, '-c', sleeper(marker)]!r}, stdin=subprocess.PIPE)\n"
            "time.sleep(60)",
        ]
    )
    pid = started(marker)
    owner.send_signal(signal.SIGKILL)
    owner.wait(PATIENCE)
    assert gone(pid)

"""Runs a command for as long as standard input stays open: `python -m gateway.devnet.leash COMMAND ...`.

The owner holds the other end of the pipe. However the owner ends, even by SIGKILL, the pipe closes and
the command is stopped; no other portable way keeps a chain from outliving a killed test run.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from types import FrameType

_GRACE = 3.0
"""seconds between asking and killing"""


def main(command: list[str]) -> int:
    """Run `command`; its exit code, or 0 if the leash stopped it."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 - the owner's own command
    let_go = threading.Event()

    def stop(_signal: int = 0, _frame: FrameType | None = None) -> None:
        let_go.set()
        child.terminate()

    def watch() -> None:
        # not sys.stdin: a thread inside its lock would abort the interpreter's shutdown
        while os.read(0, 4096):
            pass
        stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    threading.Thread(target=watch, daemon=True).start()
    while True:
        try:
            code = child.wait(timeout=_GRACE)
        except subprocess.TimeoutExpired:
            if let_go.is_set():
                child.kill()
            continue
        return 0 if let_go.is_set() else code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

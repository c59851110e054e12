"""What is told to end tidies up behind itself."""

from __future__ import annotations

import signal
import subprocess
import sys

SCRIPT = """
import time
from gateway.cli.demonstration import unwind_when_terminated
unwind_when_terminated()
try:
    print("up", flush=True)
    time.sleep(60)
finally:
    print("tidied", flush=True)
"""


def test_sigterm_unwinds() -> None:
    with subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "up\n"
        child.terminate()
        assert child.stdout.read() == "tidied\n"
        assert child.wait(20) == 128 + signal.SIGTERM

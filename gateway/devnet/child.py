"""A child process that serves JSON-RPC on the loopback interface and never outlives its owner."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

from gateway.errors import ConfigurationError

_PROBE = b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}'
_POLL = 0.03
"""seconds between two looks at a starting chain"""


def free_port() -> int:
    """A TCP port that is free on the loopback interface at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def serving(command: Sequence[str], port: int, *, log: Path | None, patience: float) -> Iterator[str]:
    """Run `command` until the block is left; yields its URL once it answers `eth_chainId`.

    Args:
        command: the program and its arguments; it must listen on `port` of 127.0.0.1.
        port: where it listens.
        log: file that takes its output; None discards it.
        patience: seconds it may take to answer for the first time.

    Raises:
        ConfigurationError: it ended early or did not answer in time.
    """
    url = f"http://127.0.0.1:{port}"
    with contextlib.ExitStack() as stack:
        output = stack.enter_context(log.open("wb")) if log else subprocess.DEVNULL
        leashed = [sys.executable, "-m", "gateway.devnet.leash", *command]
        child = stack.enter_context(
            subprocess.Popen(leashed, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT)  # noqa: S603 - our own command
        )
        stack.callback(_stop, child)
        _wait(child, url, time.monotonic() + patience, log)
        yield url


def _wait(child: subprocess.Popen[bytes], url: str, until: float, log: Path | None) -> None:
    where = f"; its output is in {log}" if log else ""
    while True:
        if child.poll() is not None:
            raise ConfigurationError(f"the local chain ended at once with code {child.returncode}{where}")
        if _answers(url):
            return
        if time.monotonic() > until:
            raise ConfigurationError(f"the local chain did not answer on {url} in time{where}")
        time.sleep(_POLL)


def _answers(url: str) -> bool:
    request = urllib.request.Request(url, _PROBE, {"content-type": "application/json"})  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=2) as answer:  # noqa: S310 - loopback
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def _stop(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(5)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()

"""A real anvil on a free port of 127.0.0.1, and raw RPC to it."""

from __future__ import annotations

import contextlib
import json
import platform
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

KEYS = (
    "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
    "5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
    "7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6",
)
"""anvil's well-known development keys: 10,000 ETH each."""

_ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), platform.machine())
_PACKAGE = f"@foundry-rs/anvil-{platform.system().lower()}-{_ARCHITECTURE}"
BINARY = Path(__file__).parent.parent / "node_modules" / _PACKAGE / "bin" / "anvil"

needs_anvil = pytest.mark.skipif(not BINARY.exists(), reason="anvil is not installed (npm install)")


def free_port() -> int:
    """A port nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Anvil:
    """A running anvil."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.websocket = f"ws://127.0.0.1:{port}"

    def rpc(self, method: str, *params: object) -> Any:
        """The result, or AssertionError with the node's error."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        request = urllib.request.Request(self.url, body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as response:
            answer = json.load(response)
        assert "error" not in answer, (method, answer["error"])
        return answer["result"]

    def mine(self) -> None:
        """One block now."""
        self.rpc("evm_mine")


@contextlib.contextmanager
def running_anvil(*arguments: str, port: int | None = None) -> Iterator[Anvil]:
    """Start anvil with `arguments`, wait until it answers, stop it at the end."""
    chain = Anvil(port or free_port())
    command = [str(BINARY), "--silent", "--port", str(chain.port), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with contextlib.suppress(OSError):
                chain.rpc("eth_chainId")
                break
            time.sleep(0.05)
        yield chain
    finally:
        process.kill()
        process.wait()

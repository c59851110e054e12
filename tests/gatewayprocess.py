"""The real gateway as a child process, in front of a real chain, spoken to over HTTP."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.anvil import free_port

READY_SECONDS = 90.0


class GatewayProcess:
    """One gateway; `kill` and `start` again to see what it remembers."""

    def __init__(self, upstream: str, data_dir: Path, environment: dict[str, str] | None = None) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.data_dir = data_dir
        self._command = [sys.executable, "-m", "gateway", "serve", "--upstream", upstream, "--data-dir", str(data_dir)]
        self._command += ["--listen", f"127.0.0.1:{self.port}"]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("STOPGATE_", "REDIS_URL"))}
        self._environment = kept | (environment or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        return (self.data_dir / "gateway.log").read_text("utf-8", "replace")

    def start(self, *, wait: bool = True) -> None:
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with (self.data_dir / "gateway.log").open("ab") as log:
            self._process = subprocess.Popen(self._command, env=self._environment, stdout=log, stderr=log)
        deadline = time.monotonic() + READY_SECONDS
        while wait and time.monotonic() < deadline:
            assert self._process.poll() is None, self.log[-3000:]
            if self.get("/readyz")[0] == 200:
                return
            time.sleep(0.05)
        assert not wait, self.log[-3000:]

    def wait(self) -> int:
        """The exit code of one that ends by itself."""
        assert self._process is not None
        return self._process.wait(READY_SECONDS)

    def kill(self) -> None:
        """kill -9."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """SIGTERM, as an operator would; the exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(30)

    def get(self, path: str) -> tuple[int, Any]:
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, None
        except OSError:
            return 0, None

    def text(self, path: str) -> str:
        """A page that is no JSON."""
        with urllib.request.urlopen(self.url + path, timeout=10) as response:
            return str(response.read(), "utf-8")

    def post(self, body: bytes) -> bytes:
        request = urllib.request.Request(self.url, body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as response:
            answer: bytes = response.read()
            return answer

    def call(self, method: str, *params: object) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(
            self.post(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode())
        )
        return answer

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The stopgate command on the same data folder."""
        command = [sys.executable, "-m", "gateway", *arguments, "--data-dir", str(self.data_dir)]
        return subprocess.run(command, env=self._environment, capture_output=True, text=True, timeout=60)


@contextlib.contextmanager
def running_gateway(
    upstream: str, data_dir: Path, environment: dict[str, str] | None = None
) -> Iterator[GatewayProcess]:
    """Started and ready; killed at the end if it still runs. Its Valkey goes with it."""
    gateway = GatewayProcess(upstream, data_dir, environment)
    gateway.start()
    try:
        yield gateway
    finally:
        with contextlib.suppress(Exception):
            gateway.stop()
        gateway.kill()

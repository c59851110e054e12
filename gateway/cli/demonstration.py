"""`stopgate demo` and `devnet`: everything on this machine, nothing to set up."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from gateway.app.stores import database_url
from gateway.cli.server import Engine, dashboard_command, stop_children
from gateway.cli.terminal import console, problems
from gateway.demo.playbill import Act, load
from gateway.demo.player import play
from gateway.demo.screen import Summary, show
from gateway.devnet.child import free_port
from gateway.devnet.local import ChainKind, LocalChain, local_chain
from gateway.errors import ConfigurationError
from gateway.model.account import Role
from gateway.settings import StoreSettings
from gateway.store.database import Database
from gateway.store.people.account import People
from gateway.store.people.sign_in import SignIn

_READY_SECONDS = 180.0
"""The first start compiles every module; on a busy machine that alone takes a minute."""
_ANALYST = "demo"
Chain = Annotated[ChainKind | None, typer.Option("--chain", help="anvil or py-evm; default: anvil if it is there.")]


def demo(
    once: Annotated[bool, typer.Option("--once", help="Leave when the play is over.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON summary as the last line.")] = False,
    engine: Engine = None,
    chain: Chain = None,
) -> None:
    """Play honest and hostile transactions through a gateway of its own, and show what becomes of each.

    Exit code 0 only if every honest transaction was mined and every exploit held.
    """
    unwind_when_terminated()
    screen = Console(stderr=True, markup=False) if as_json else console
    root = Path(".stopgate")
    root.mkdir(mode=0o700, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="demo-", dir=root)).resolve()
    try:
        with (
            local_chain(chain, log=folder / "chain.log") as local,
            _processes(local, folder, engine, screen) as running,
        ):
            summary = _play(running, local, screen)
            if not once:
                _stay(running, screen)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if as_json:
        typer.echo(json.dumps({**summary.json(), "chain": local.kind.value, "engine": running.engine}))
    raise typer.Exit(0 if summary.ok else 1)


def devnet(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = 8545, chain: Chain = None
) -> None:
    """Run a local development chain until interrupted."""
    unwind_when_terminated()
    with local_chain(chain, port=port) as local:
        console.print(f"{local.kind} chain at {local.url}, Ctrl-C ends it", highlight=False)
        _wait_for_interrupt()


def unwind_when_terminated() -> None:
    """Let SIGTERM end the program like Ctrl-C: children are stopped, and the data of the play is deleted."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))


class _Running:
    """The demonstration's processes."""

    def __init__(self, rpc: str, dashboard: str, login: str) -> None:
        self.rpc, self.dashboard, self.login = rpc, dashboard, login
        self.engine = ""


@contextlib.contextmanager
def _processes(chain: LocalChain, folder: Path, engine: str | None, screen: Console) -> Iterator[_Running]:
    rpc_port, dashboard_port = free_port(), free_port()
    # What this shell is configured with belongs to a real gateway: the demonstration has stores of its own.
    environment = {
        name: value for name, value in os.environ.items() if name != "REDIS_URL" and not name.startswith("STOPGATE_")
    }
    serving = [sys.executable, "-m", "gateway", "serve", "--upstream", chain.url, "--data-dir", str(folder)]
    serving += ["--listen", f"127.0.0.1:{rpc_port}", "--engine", engine or "auto"]
    desk = dashboard_command(folder, f"127.0.0.1:{dashboard_port}")
    children: list[subprocess.Popen[Any]] = []
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: stop_children(children))
        for name, command in (("gateway", serving), ("dashboard", desk)):
            log = stack.enter_context((folder / f"{name}.log").open("wb"))
            with screen.status(f"starting the {name}"):
                children.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))  # noqa: S603
                port = rpc_port if name == "gateway" else dashboard_port
                path = "/readyz" if name == "gateway" else "/healthz"
                _wait_until_ready(name, f"http://127.0.0.1:{port}{path}", children[-1], folder / f"{name}.log")
        token = asyncio.run(_login_token(folder))
        address = f"http://127.0.0.1:{dashboard_port}"
        running = _Running(f"http://127.0.0.1:{rpc_port}", address, f"{address}/login/token?token={token}")
        running.engine = _engine(folder / "gateway.log")
        screen.print(
            f"chain {chain.kind} at {chain.url}, gateway at {running.rpc} with engine {running.engine}", highlight=False
        )
        yield running


def _wait_until_ready(name: str, url: str, child: subprocess.Popen[Any], log: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise ConfigurationError(f"the {name} ended while it started: {_last_lines(log)}")
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(url, timeout=2.0).status_code == 200:
                return
        time.sleep(0.1)
    raise ConfigurationError(
        f"the {name} was not ready within {_READY_SECONDS:.0f} s: {_last_lines(log)}; "
        "if this machine is busy, try again when it is not"
    )


def _last_lines(log: Path) -> str:
    return " | ".join(log.read_text("utf-8", "replace").splitlines()[-3:]) or "it wrote nothing"


def _engine(log: Path) -> str:
    for line in log.read_text("utf-8", "replace").splitlines():
        if '"chain.open"' in line:
            return str(json.loads(line).get("engine", ""))
    return ""


async def _login_token(folder: Path) -> str:
    database = Database(database_url(StoreSettings(), folder))
    try:
        await People(database).add(_ANALYST, Role.LEAD, actor="demo")
        return await SignIn(database).issue_login_token(_ANALYST)
    finally:
        await database.close()


def _play(running: _Running, chain: LocalChain, screen: Console) -> Summary:
    items = load()
    total = sum(isinstance(item, Act) for item in items)
    return asyncio.run(show(play(running.rpc, chain.url, items), screen, total))


def _stay(running: _Running, screen: Console) -> None:
    text = Text.assemble(
        "Dashboard  ", (running.dashboard, "bold"), "\nLogin once ", (running.login, "bold cyan"),
        "\nPublic RPC ", (running.rpc, "bold"), "\nCtrl-C ends the demonstration and deletes its data.",
    )  # fmt: skip
    screen.print(Panel(text, title="Look at the held transactions", expand=False))
    _wait_for_interrupt()


def _wait_for_interrupt() -> None:
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        problems.print("stopping")

"""`stopgate serve`, `dashboard` and `up`: the processes that stay."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
import uvicorn

from gateway.app.gateway import Gateway
from gateway.app.heap import settle
from gateway.cli.terminal import problems
from gateway.errors import ConfigurationError
from gateway.model.policy import Mode
from gateway.settings import Settings, check_listen, load_settings, split_listen
from gateway.telemetry import configure_logging

Upstream = Annotated[
    list[str] | None, typer.Option("--upstream", "-u", help="The sequencer's RPC; more than one stand in for it.")
]
Listen = Annotated[str | None, typer.Option("--listen", "-l", help="HOST:PORT of the public RPC.")]
DataDir = Annotated[Path | None, typer.Option("--data-dir", "-d", help="Folder of the embedded stores.")]
Engine = Annotated[str | None, typer.Option("--engine", "-e", help="auto, revm or py-evm.")]
ModeOption = Annotated[Mode | None, typer.Option("--mode", help="observe forwards everything and records verdicts.")]

_STOP_SECONDS = 15.0
_PING_SECONDS = 20.0
_LOOK_SECONDS = 0.2


def serve(
    upstream: Upstream = None,
    listen: Listen = None,
    data_dir: DataDir = None,
    engine: Engine = None,
    mode: ModeOption = None,
) -> None:
    """Serve the public RPC in front of a sequencer."""
    settings = _settings(upstream, listen, data_dir, engine, mode)
    if not settings.upstream.urls:
        raise ConfigurationError("no upstream is configured; give --upstream URL, the RPC of the sequencer")
    check_listen(settings.rpc.listen, "stop what listens there, or name another with --listen or STOPGATE_RPC__LISTEN")
    configure_logging(settings.log.level, json=settings.log.format == "json")
    run_server(settings)


def run_server(settings: Settings) -> None:
    """Run the gateway in this process until it is told to stop. Raises SystemExit if it could not start."""
    host, port = split_listen(settings.rpc.listen)
    config = uvicorn.Config(
        Gateway(settings),
        host=host,
        port=port,
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio" if settings.rpc.websockets else "none",
        ws_max_size=settings.rpc.body_bytes,
        ws_ping_interval=_PING_SECONDS,
        ws_ping_timeout=_PING_SECONDS,
        ws_per_message_deflate=False,
        lifespan="on",
        access_log=False,
        log_level="warning",
        proxy_headers=True,
        forwarded_allow_ips=settings.rpc.forwarded_allow_ips,
        limit_concurrency=settings.rpc.connections,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=30,
        server_header=False,
    )
    server = uvicorn.Server(config)
    settle()  # the collector need not walk over what stays in the middle of an inspection
    server.run()
    if not server.started:
        raise SystemExit(3)


def dashboard(
    data_dir: DataDir = None,
    listen: Annotated[str | None, typer.Option("--listen", "-l", help="HOST:PORT of the dashboard.")] = None,
) -> None:
    """Serve the analysts' dashboard."""
    raise SystemExit(_run_together([dashboard_command(data_dir, listen)]))


def up(
    upstream: Upstream = None,
    listen: Listen = None,
    data_dir: DataDir = None,
    engine: Engine = None,
    mode: ModeOption = None,
    dashboard_listen: Annotated[str | None, typer.Option(help="HOST:PORT of the dashboard.")] = None,
) -> None:
    """Serve the public RPC and the dashboard, as two processes."""
    settings = _settings(upstream, listen, data_dir, engine, mode)
    if not settings.upstream.urls:
        raise ConfigurationError("no upstream is configured; give --upstream URL, the RPC of the sequencer")
    serving = [sys.executable, "-m", "gateway", "serve", "--data-dir", str(settings.data_dir)]
    for url in settings.upstream.urls:
        serving += ["--upstream", url]
    serving += ["--listen", settings.rpc.listen, "--engine", settings.inspection.engine]
    serving += ["--mode", settings.policy.mode]
    problems.print(f"RPC        http://{settings.rpc.listen}", highlight=False)
    raise SystemExit(_run_together([serving, dashboard_command(settings.data_dir, dashboard_listen)]))


def dashboard_command(data_dir: Path | None, listen: str | None) -> list[str]:
    """The dashboard runs by module name: the process that shows hostile data shares nothing with this one."""
    command = [sys.executable, "-m", "dashboard"]
    if data_dir is not None:
        command += ["--data-dir", str(data_dir)]
    if listen is not None:
        command += ["--listen", listen]
    return command


def _run_together(commands: Sequence[Sequence[str]]) -> int:
    """Run children until one ends or we are told to stop; the exit code of the first that ended."""
    children = [subprocess.Popen(command) for command in commands]  # noqa: S603 - our own modules
    stopping = False

    def stop(number: int, frame: object) -> None:
        nonlocal stopping
        stopping = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    try:
        while not stopping:
            for child in children:
                if child.poll() is not None:
                    return child.returncode
            time.sleep(_LOOK_SECONDS)
        return 0
    finally:
        stop_children(children)


def stop_children(children: Sequence[subprocess.Popen[Any]]) -> None:
    """Ask each to stop, and kill those that do not within 15 s."""
    for child in children:
        if child.poll() is None:
            child.terminate()
    deadline = time.monotonic() + _STOP_SECONDS
    for child in children:
        try:
            child.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _settings(
    upstream: list[str] | None, listen: str | None, data_dir: Path | None, engine: str | None, mode: Mode | None
) -> Settings:
    overrides: dict[str, Any] = {}
    if upstream:
        overrides["upstream"] = {"urls": tuple(upstream)}
    if listen:
        overrides["rpc"] = {"listen": listen}
    if data_dir:
        overrides["data_dir"] = data_dir
    if engine:
        overrides["inspection"] = {"engine": engine}
    if mode:
        overrides["policy"] = {"mode": mode}
    return load_settings(**overrides)

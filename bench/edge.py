"""`make bench`: the edge beside the upstream asked directly, and the time of inspection by class, in one run.

Ratios count; the absolute figures are those of this machine at this moment.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console
from rich.table import Table

from gateway.errors import ConfigurationError
from gateway.evaluate.case import Case, read_case
from gateway.evaluate.command import make_simulator
from gateway.evm.simulator import REPLAY, Limits, Simulator, World
from gateway.inspection.engine import inspect
from gateway.inspection.policy import decide
from gateway.inspection.registry import Ruleset, load
from gateway.inspection.subject import Inspection
from tests.anvil import running_anvil
from tests.gatewayprocess import GatewayProcess, running_gateway

CASES = Path(__file__).parents[1] / "fixtures" / "cases"
CLASSES = {
    "ether transfer": "payments.ether-transfer",
    "ERC-20 transfer": "payments.token-transfer",
    "swap": "payments.swap",
    "deployment": "payments.deployment",
    "exploit: re-entry": "reentrancy.bank-reentry",
    "exploit: price by flash loan": "spot-oracle.spot-oracle-borrow",
}
BODY = b'{"jsonrpc":"2.0","id":1,"method":"eth_getBalance","params":["0x' + b"11" * 20 + b'","latest"]}'
CLIENTS = (1, 16)
ROUNDS = 5
SECONDS = 1.0
REPEATS = 60


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


async def load_url(session: aiohttp.ClientSession, url: str, clients: int, seconds: float) -> list[float]:
    """Seconds of each request while `clients` ask one after the other."""
    times: list[float] = []
    until = time.perf_counter() + seconds

    async def client() -> None:
        while (began := time.perf_counter()) < until:
            async with session.post(url, data=BODY, headers={"content-type": "application/json"}) as response:
                answer = await response.read()
            times.append(time.perf_counter() - began)
            assert b'"result"' in answer, answer

    await asyncio.gather(*(client() for _ in range(clients)))
    return times


async def pass_through(direct: str, gateway: str) -> list[dict[str, Any]]:
    """Both ways in turn, several rounds, so that what else this machine does falls on both."""
    rows = []
    async with aiohttp.ClientSession() as session:
        for clients in CLIENTS:
            times: dict[str, list[float]] = {direct: [], gateway: []}
            for url in times:
                await load_url(session, url, clients, SECONDS / 2)
            for _ in range(ROUNDS):
                for url, kept in times.items():
                    kept.extend(await load_url(session, url, clients, SECONDS))
            row: dict[str, Any] = {"clients": clients}
            for name, url in (("direct", direct), ("gateway", gateway)):
                row[f"{name}_rps"] = round(len(times[url]) / (ROUNDS * SECONDS))
                row[f"{name}_p50_ms"] = round(percentile(times[url], 0.5) * 1000, 3)
                row[f"{name}_p99_ms"] = round(percentile(times[url], 0.99) * 1000, 3)
            row["added_p50_ms"] = round(row["gateway_p50_ms"] - row["direct_p50_ms"], 3)
            rows.append(row)
    return rows


async def inspection(engine: str) -> list[dict[str, Any]]:
    """Warm time from a known world to a verdict, for the last transaction of one case of each class."""
    simulator, ruleset = make_simulator(engine), load()
    rows = []
    for name, file in CLASSES.items():
        rows.append({"class": name, **await _time(simulator, ruleset, read_case(CASES / f"{file}.json.zst"))})
    await simulator.close()
    return rows


async def _time(simulator: Simulator, ruleset: Ruleset, case: Case) -> dict[str, Any]:
    world = simulator.world(complete=True)
    world.load(case.prestate)
    for move in case.moves[:-1]:
        world.load(move.patch)
        done = await simulator.simulate(world, move.transaction, move.block, checks=REPLAY)
        world.apply(done.state_diff)
    move = case.moves[-1]
    world.load(move.patch)
    stages: dict[str, list[float]] = {"simulate_ms": [], "inspect_ms": [], "all_ms": []}
    frames = 0
    for turn in range(REPEATS):
        began = time.perf_counter()
        frames = await _judge(simulator, ruleset, world, case, stages)
        if turn >= REPEATS // 6:
            stages["all_ms"].append(time.perf_counter() - began)
    row: dict[str, Any] = {name: round(statistics.median(values) * 1000, 3) for name, values in stages.items()}
    return row | {"p95_ms": round(percentile(stages["all_ms"], 0.95) * 1000, 3), "frames": frames}


async def _judge(
    simulator: Simulator, ruleset: Ruleset, world: World, case: Case, stages: dict[str, list[float]]
) -> int:
    move = case.moves[-1]
    began = time.perf_counter()
    result = await simulator.simulate(
        world.fork(), move.transaction, move.block, limits=Limits(wall_clock=30.0), checks=REPLAY
    )
    simulated = time.perf_counter()
    decide(inspect(ruleset, Inspection(move.transaction, result)))
    stages["simulate_ms"].append(simulated - began)
    stages["inspect_ms"].append(time.perf_counter() - simulated)
    return len(result.trace.frames)


def memory_mb(gateway: GatewayProcess) -> float:
    status = Path(f"/proc/{gateway.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return round(int(line.split()[1]) / 1024, 1)


def table(title: str, rows: list[dict[str, Any]]) -> Table:
    made = Table(title=title, title_justify="left")
    for name in rows[0]:
        made.add_column(name.replace("_", " "), justify="left" if isinstance(rows[0][name], str) else "right")
    for row in rows:
        made.add_row(*(str(value) for value in row.values()))
    return made


async def _measured(name: str, work: Callable[[], Awaitable[list[dict[str, Any]]]], console: Console) -> Any:
    gc.collect()
    with console.status(name):
        rows = await work()
    console.print(table(name, rows))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    as_json = parser.parse_args().json
    console = Console(stderr=as_json, width=140)
    report: dict[str, Any] = {"cpus": os.cpu_count(), "load": round(os.getloadavg()[0], 2), "python": sys.version[:6]}
    console.print(f"{report['cpus']} CPUs, load {report['load']} before the run")
    with (
        tempfile.TemporaryDirectory(prefix="stopgate-bench-") as folder,
        running_anvil() as chain,
        running_gateway(chain.url, Path(folder)) as gateway,
    ):
        report["memory_idle_mb"] = memory_mb(gateway)

        async def ask() -> list[dict[str, Any]]:
            return await pass_through(chain.url, gateway.url)

        report["pass_through"] = asyncio.run(_measured("Pass-through of eth_getBalance", ask, console))
        report["memory_loaded_mb"] = memory_mb(gateway)
    console.print(f"memory of the gateway: {report['memory_idle_mb']} MB idle, {report['memory_loaded_mb']} MB after")
    for engine in ("py-evm", "revm"):
        try:
            make_simulator(engine)
        except ConfigurationError as error:
            console.print(f"{engine}: {error}")
            continue

        async def judge(engine: str = engine) -> list[dict[str, Any]]:
            return await inspection(engine)

        report[f"inspection_{engine}"] = asyncio.run(_measured(f"Inspection on {engine}, warm", judge, console))
    if as_json:
        print(json.dumps(report))


if __name__ == "__main__":
    main()

"""What the engines cost, side by side in one run: `make bench-engine`, with ARGS=--json for machines.

traced_ms and bare_revm_ms are measured inside the native engine, alternating, from inputs in Rust to results in Rust;
call_ms is the same traced run as Python sees it, conversions included; node_ms is a debug_traceCall over HTTP.
Figures are medians.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from bench.scenario import BLOCK, PROFILE, Scenario, frames, scenarios
from gateway.decoding.keccak import keccak256
from gateway.decoding.native import decode_transaction
from gateway.devnet.anvil import anvil
from gateway.errors import ConfigurationError
from gateway.evm.py_evm import execute
from gateway.evm.revm import RevmSimulator, RevmWorld
from gateway.evm.simulator import ADMISSION, Limits
from gateway.inspection import registry
from gateway.inspection.engine import inspect
from gateway.inspection.policy import DEFAULT_POLICY, decide
from gateway.inspection.subject import Inspection
from gateway.model.primitive import Address
from gateway.model.state import AccountState, StateBatch

PATIENT = Limits(wall_clock=300.0)
ROUNDS = 6
SECONDS = 0.25
"""of each measurement in a round"""
ACCOUNTS, SLOTS = 100_000, 10


def timed(run: Callable[[], object], *, seconds: float = 1.0, most: int = 2_000) -> float:
    """Median seconds of a call, of as many as fit."""
    times: list[float] = []
    until = time.perf_counter() + seconds
    while not times or (time.perf_counter() < until and len(times) < most):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return median(times[1:] or times)


class Native:
    """One scenario on the native engine."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self.engine = RevmSimulator()
        world = self.engine.world(complete=True)
        world.load(scenario.state)
        assert isinstance(world, RevmWorld)
        self.world = world

    def call(self) -> Any:
        """One run as the gateway makes it."""
        at = self._scenario
        return self.engine.run(self.world, at.transaction, at.block, limits=PATIENT, checks=at.checks)

    def inside(self, times: int, *, traced: bool) -> list[float]:
        """Seconds of runs inside the engine."""
        at = self._scenario
        measured: list[float] = self.world.native.measure(at.transaction, at.block, PATIENT, at.checks, times, traced)
        return measured

    def compare(self) -> tuple[float, float]:
        """(traced, bare) in seconds, measured in turns."""
        times = max(1, min(3_000, int(SECONDS / max(min(self.inside(2, traced=True)), 1e-7))))
        traced: list[float] = []
        bare: list[float] = []
        for _ in range(ROUNDS):
            bare.append(median(self.inside(times, traced=False)))
            traced.append(median(self.inside(times, traced=True)))
        return median(traced), median(bare)


def node_seconds(scenario: Scenario, client: httpx.Client) -> float | None:
    """A debug_traceCall with callTracer and logs over HTTP; None if the node refuses."""
    state, at = scenario.state, scenario.transaction
    calls: list[tuple[str, list[Any]]] = []
    for who, account in state.accounts.items():
        calls.append(("anvil_setBalance", [str(who), hex(account.balance)]))
        calls.append(("anvil_setNonce", [str(who), hex(account.nonce)]))
        if account.code:
            calls.append(("anvil_setCode", [str(who), "0x" + account.code.hex()]))
    for (who, slot), value in state.slots.items():
        calls.append(("anvil_setStorageAt", [str(who), f"0x{slot:064x}", f"0x{value:064x}"]))
    for start in range(0, len(calls), 200):
        part = enumerate(calls[start : start + 200])
        batch = [{"jsonrpc": "2.0", "id": number, "method": name, "params": given} for number, (name, given) in part]
        client.post("/", json=batch).raise_for_status()
    call = {"from": str(at.sender), "value": hex(at.value), "gas": hex(at.gas_limit), "data": "0x" + at.input.hex()}
    if at.to is not None:
        call["to"] = str(at.to)
    options = {
        "tracer": "callTracer",
        "tracerConfig": {"withLog": True},
        "blockOverrides": {"number": hex(scenario.block.number), "time": hex(scenario.block.timestamp)},
    }
    body = {"jsonrpc": "2.0", "id": 1, "method": "debug_traceCall", "params": [call, "latest", options]}
    answer = client.post("/", json=body).json()
    if "error" in answer:
        return None
    return timed(lambda: client.post("/", json=body), seconds=1.0)


def bench_class(scenario: Scenario, client: httpx.Client | None) -> dict[str, Any]:
    """One row of the table."""
    native = Native(scenario)
    result = native.call()
    traced, bare = native.compare()
    call = timed(native.call)
    at = scenario
    reference = timed(
        lambda: execute(at.world, at.transaction, at.block, limits=PATIENT, checks=at.checks), seconds=1.0
    )
    node = None if client is None else node_seconds(scenario, client)
    return {
        "gas": result.gas_used,
        "frames": len(result.trace.frames),
        "traced_ms": traced * 1e3,
        "bare_revm_ms": bare * 1e3,
        "py_evm_ms": reference * 1e3,
        "node_ms": None if node is None else node * 1e3,
        "call_ms": call * 1e3,
    }


def threads(scenario: Scenario) -> dict[str, float]:
    """Runs per second of one and of two Python threads, and what the machine itself gives for a second thread.

    `control` is the ratio of runs that stay inside the engine, where no thread can wait for another: on two free cores
    it is 2, on a machine with other work less. Measured in turns; medians.
    """
    natives = [Native(scenario) for _ in range(2)]

    def inside(index: int) -> int:
        natives[index].inside(20, traced=True)
        return 21

    def call(index: int) -> int:
        natives[index].call()
        return 1

    rounds = [(rate(inside, 1), rate(inside, 2), rate(call, 1), rate(call, 2)) for _ in range(5)]
    return {
        "one_per_s": median(at[2] for at in rounds),
        "two_per_s": median(at[3] for at in rounds),
        "ratio": median(at[3] / at[2] for at in rounds),
        "control": median(at[1] / at[0] for at in rounds),
    }


def rate(work: Callable[[int], int], count: int) -> float:
    """Runs per second of `count` threads; `work` does some and says how many."""
    done = [0] * count
    stop = time.perf_counter() + 0.7

    def repeat(index: int) -> None:
        while time.perf_counter() < stop:
            done[index] += work(index)

    workers = [threading.Thread(target=repeat, args=(index,)) for index in range(count)]
    began = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(done) / (time.perf_counter() - began)


def warm_inspection(scenario: Scenario) -> float:
    """Milliseconds, p50, from signed bytes to a verdict on warm state: decode, recover, simulate, detect, decide."""
    native, ruleset = Native(scenario), registry.load()
    raw = scenario.transaction.raw.data

    def run() -> None:
        transaction = decode_transaction(raw, PROFILE)
        result = native.engine.run(native.world, transaction, BLOCK, checks=ADMISSION)
        subject = Inspection(transaction, result)
        decide(inspect(ruleset, subject), DEFAULT_POLICY, sender=transaction.sender)

    run()
    return timed(run, seconds=3.0, most=10_000) * 1e3


def per_frame() -> dict[str, float]:
    """Microseconds a frame costs in runs of ever more frames: equal if the cost is linear."""
    found = {}
    for count in (100, 1_000, 10_000, 40_000):
        native = Native(frames(count))
        assert len(native.call().trace.frames) == count + 1
        found[str(count)] = median(native.inside(9, traced=True)) / count * 1e6
    return found


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def memory() -> float:
    """Megabytes that 100,000 accounts with a million slots take; for a process of its own."""
    codes = [bytes([number]) * 8_192 for number in range(64)]
    hashes = [keccak256(code) for code in codes]
    world = RevmSimulator().world()
    gc.collect()
    before = resident()
    for start in range(0, ACCOUNTS, 1_000):
        owners = [(number, Address(number.to_bytes(20, "big"))) for number in range(start, start + 1_000)]
        world.load(
            StateBatch(
                {
                    who: AccountState(1, 10**18 + number, codes[number % 64], hashes[number % 64])
                    for number, who in owners
                },
                {(who, slot * 2**200): number * 2**128 + slot for number, who in owners for slot in range(SLOTS)},
            )
        )
    world.fork()
    gc.collect()
    return (resident() - before) / 1e6


def run(names: frozenset[str]) -> dict[str, Any]:
    """Measure; `names` limits the classes."""
    found: dict[str, Any] = {}
    made = {scenario.name: scenario for scenario in scenarios()}
    try:
        with anvil() as url, httpx.Client(base_url=url, timeout=120) as client:
            for name, scenario in made.items():
                if not names or name in names:
                    found[name] = bench_class(scenario, client)
                    print(row(name, found[name]), file=sys.stderr, flush=True)
    except ConfigurationError as absent:
        print(f"no node column: {absent}", file=sys.stderr)
        for name, scenario in made.items():
            if not names or name in names:
                found[name] = bench_class(scenario, None)
    if names:
        return found
    found["threads"] = {name: threads(made[name]) for name in ("swap", "liquidation")}
    found["frame_us"] = per_frame()
    found["warm_erc20_inspection_ms"] = warm_inspection(made["erc20"])
    command = [sys.executable, "-m", "bench.engine", "--memory"]
    found["memory_mb"] = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return found


def row(name: str, at: dict[str, Any]) -> str:
    """One line of the table in docs/engine.md."""
    node = "-" if at["node_ms"] is None else f"{at['node_ms']:.2f}"
    cells = (
        f"{name} | {at['gas']:,} | {at['frames']} | {at['traced_ms']:.4g} | {at['bare_revm_ms']:.4g}",
        f"{at['traced_ms'] / at['bare_revm_ms']:.2f} | {at['call_ms']:.4g} | {at['py_evm_ms']:.4g}",
        f"{at['py_evm_ms'] / at['traced_ms']:,.0f} | {node}",
    )
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.engine", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the figures as one line of JSON, last")
    parser.add_argument("--only", default="", help="classes, separated by commas")
    parser.add_argument("--memory", action="store_true", help="print the megabytes of the cached state and end")
    asked = parser.parse_args()
    if asked.memory:
        print(memory())
        return
    print("| class | gas | frames | traced ms | bare revm ms | ratio | call ms | py-evm ms | x py-evm | node ms |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
    found = run(frozenset(filter(None, asked.only.split(","))))
    for name, values in found.items():
        if isinstance(values, dict) and "traced_ms" in values:
            print(row(name, values))
        else:
            print(f"{name}: {values}")
    if asked.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()

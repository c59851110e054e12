"""How fresh, how cheap and how right verdict state is, against anvil with steady traffic.

Every prediction is compared with what the chain then did: status, gas and events by receipt, effects by the trace of
the mined transaction, and, where it stands first in its block, by debug_traceCall on the block before. A difference is
a verdict on a wrong state, and there must be none.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from gateway.evm.simulator import Simulator
from gateway.live.recheck import Outcome, Recheck
from gateway.live.simulation import LiveSimulation
from gateway.live.state import LiveState
from gateway.model.pending import Admission
from gateway.model.transaction import Transaction
from gateway.store.shared.pending import MemoryPendingLog
from gateway.upstream.aiohttp import HttpUpstream
from gateway.upstream.subscription import new_heads
from gateway.watch.head import HeadFollower
from tests.anvil import running_anvil
from tests.gateway.live.chain import ENGINES, PROFILE, STORE, decode, engine, init_code, signed

TOKEN = "3360005260006020526040600020805460243590039055600435600052604060002080546024350190" + "5500"
"""transfer(to, amount) over a mapping, without checks"""
SENDERS = 3
ROUTER = "602036038060206000376000600082600060006000355af100"
"""calls the address in the first word with the rest of its call data: what it touches no call before foretells"""
COLD_EVERY = 10
"""each tenth transaction meets state never seen before: in turn a new recipient of a known token, a new contract, and a
new contract called by a known one"""
SETTLED = 100
"""transactions after which what is called warm has been seen once"""


@dataclass
class Sample:
    """One forwarded transaction."""

    transaction: Transaction
    simulation: LiveSimulation
    cold: bool
    seconds: float
    """from bytes to an admitted simulation"""


@dataclass
class Row:
    """One block time."""

    block_seconds: float
    transactions: int = 0
    cold_trips_mean: float = 0.0
    cold_trips_p50: float = 0.0
    cold_trips_max: int = 0
    warm_trips_mean: float = 0.0
    warm_trips_max: int = 0
    cold_ms_p50: float = 0.0
    cold_ms_p99: float = 0.0
    warm_ms_p50: float = 0.0
    warm_ms_p99: float = 0.0
    newest_head_percent: float = 0.0
    within_one_block_percent: float = 0.0
    judged_again: int = 0
    traced: int = 0
    """predictions also compared with the node's trace"""
    wrong: int = 0
    wrong_examples: list[str] = field(default_factory=list)


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0


async def deploy(upstream: HttpUpstream, runtime: str, count: int) -> list[str]:
    """Deploy by anvil's own account, which the traffic does not use."""
    accounts: Any = await upstream.call("eth_accounts")
    call = {"from": accounts[5], "data": "0x" + init_code(runtime), "gas": "0x100000"}
    hashes = [await upstream.call("eth_sendTransaction", [call]) for _ in range(count)]
    addresses = []
    for hash in hashes:
        receipt: Any = None
        while receipt is None:
            await asyncio.sleep(0.05)
            receipt = await upstream.call("eth_getTransactionReceipt", [hash])
        addresses.append(str(receipt["contractAddress"]))
    return addresses


def next_transaction(number: int, contracts: dict[str, list[str]]) -> tuple[Transaction, bool]:
    sender, nonce = number % SENDERS, number // SENDERS
    if number % COLD_EVERY == COLD_EVERY - 1:
        turn = number // COLD_EVERY
        fresh = contracts["fresh"][turn % len(contracts["fresh"])]
        data = "a9059cbb" + f"{0xC01D_0000_0000 + number:064x}" + f"{1:064x}"
        if turn % 3 == 2:
            data = f"{int(fresh, 16):064x}" + data
            return signed(sender, nonce, contracts["router"][0], data=data, gas=200_000), True
        target = fresh if turn % 3 else contracts["token"][0]
        return signed(sender, nonce, target, data=data, gas=150_000), True
    kind = number % 3
    if kind == 0:
        return signed(sender, nonce, "0x" + f"{0xFACE_0000 + number % 7:040x}", value=1), False
    if kind == 1:
        data = "a9059cbb" + f"{0xBEEF_0000 + number % 5:064x}" + f"{1:064x}"
        return signed(sender, nonce, contracts["token"][0], data=data, gas=150_000), False
    data = f"{number % 11:064x}{number * 7 % 5:064x}"
    return signed(sender, nonce, contracts["store"][0], data=data, gas=150_000), False


async def forward(live: LiveState, transaction: Transaction, upstream: HttpUpstream) -> tuple[LiveSimulation, float]:
    started = time.perf_counter()
    for _ in range(10):
        simulation = await live.simulate(transaction, time.monotonic() + 10)
        if await live.admit(transaction, simulation) is Admission.ADMITTED:
            elapsed = time.perf_counter() - started
            await upstream.call("eth_sendRawTransaction", ["0x" + transaction.raw.data.hex()])
            return simulation, elapsed
    raise RuntimeError(f"{transaction.hash} was never admitted")


async def traffic(
    live: LiveState, upstream: HttpUpstream, contracts: dict[str, list[str]], rate: float, seconds: float
) -> list[Sample]:
    samples = []
    until = time.monotonic() + seconds
    number = 0
    while time.monotonic() < until:
        due = time.monotonic() + 1 / rate
        transaction, cold = next_transaction(number, contracts)
        simulation, elapsed = await forward(live, transaction, upstream)
        samples.append(Sample(transaction, simulation, cold, elapsed))
        number += 1
        await asyncio.sleep(max(due - time.monotonic(), 0))
    return samples


async def check(samples: Sequence[Sample], upstream: HttpUpstream, row: Row) -> None:
    """Compare each prediction with receipt and trace."""
    newest = one_behind = 0
    recheck = Recheck(upstream, 1.0)
    for sample in samples:
        checked = await recheck.check(sample.transaction, sample.simulation)
        while checked.outcome is Outcome.UNMINED:
            await asyncio.sleep(0.1)
            checked = await recheck.check(sample.transaction, sample.simulation)
        row.traced += checked.traced
        if checked.outcome is not Outcome.RIGHT:
            row.wrong += 1
            row.wrong_examples.append(f"{sample.transaction.hash}: {checked.difference}")
        newest += checked.behind == 0
        one_behind += checked.behind <= 1
    row.newest_head_percent = round(100 * newest / len(samples), 2)
    row.within_one_block_percent = round(100 * one_behind / len(samples), 2)


async def measure(block_seconds: float, simulator: Simulator, seconds: float, rate: float) -> Row:
    row = Row(block_seconds)
    with running_anvil("--block-time", str(block_seconds), "--order", "fifo") as chain:
        async with HttpUpstream(chain.url) as upstream:
            contracts = {
                "store": await deploy(upstream, STORE, 1),
                "token": await deploy(upstream, TOKEN, 1),
                "router": await deploy(upstream, ROUTER, 1),
                "fresh": await deploy(upstream, TOKEN + "00", max(int(rate * seconds / COLD_EVERY) + 1, 1)),
            }
            live = LiveState(simulator, upstream, PROFILE, MemoryPendingLog(), decode)
            follower = HeadFollower(upstream, live.advance, lambda: new_heads(chain.websocket))
            await follower.refresh()
            following = asyncio.ensure_future(follower.run())
            try:
                samples = await traffic(live, upstream, contracts, rate, seconds)
            finally:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)
            await check(samples, upstream, row)
            row.judged_again = live.statistics.changed
    settled = samples[SETTLED:]
    cold, warm = [s for s in settled if s.cold], [s for s in settled if not s.cold]
    cold_trips = [s.simulation.basis.trips for s in cold if s.simulation.basis]
    warm_trips = [s.simulation.basis.trips for s in warm if s.simulation.basis]
    row.transactions = len(samples)
    row.cold_trips_mean = round(sum(cold_trips) / max(len(cold_trips), 1), 2)
    row.cold_trips_p50, row.cold_trips_max = percentile(cold_trips, 0.5), max(cold_trips, default=0)
    row.warm_trips_mean = round(sum(warm_trips) / max(len(warm_trips), 1), 4)
    row.warm_trips_max = max(warm_trips, default=0)
    for name, group in (("cold", cold), ("warm", warm)):
        for label, share in (("p50", 0.5), ("p99", 0.99)):
            setattr(row, f"{name}_ms_{label}", round(1000 * percentile([s.seconds for s in group], share), 2))
    return row


def table(rows: Sequence[Row], engine_name: str) -> str:
    lines = [
        f"Engine {engine_name}, {platform.machine()}, Python {platform.python_version()}; anvil on loopback.",
        "",
        "| block time | transactions | trips cold mean / p50 / max | trips warm mean / max | cold ms p50 / p99 | "
        "warm ms p50 / p99 | newest head | at most one behind | judged again | rechecked by trace | wrong state |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        lines.append(
            f"| {row.block_seconds:g} s | {row.transactions} | {row.cold_trips_mean:g} / "
            f"{row.cold_trips_p50:g} / {row.cold_trips_max} | "
            f"{row.warm_trips_mean:g} / {row.warm_trips_max} | {row.cold_ms_p50:g} / {row.cold_ms_p99:g} | "
            f"{row.warm_ms_p50:g} / {row.warm_ms_p99:g} | {row.newest_head_percent:g} % | "
            f"{row.within_one_block_percent:g} % | {row.judged_again} | {row.traced} | {row.wrong} |"
        )
    return "\n".join(lines)


async def main(arguments: argparse.Namespace) -> int:
    simulator = engine(arguments.engine)
    rows = [
        await measure(block_seconds, simulator, arguments.seconds, arguments.rate)
        for block_seconds in arguments.block_times
    ]
    await simulator.close()
    print(table(rows, simulator.name))
    for row in rows:
        for example in row.wrong_examples[:5]:
            print("wrong:", example)
    if arguments.json:
        print(json.dumps({"engine": simulator.name, "rate": arguments.rate, "rows": [asdict(row) for row in rows]}))
    return 1 if any(row.wrong for row in rows) else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="also print one JSON object as the last line")
    parser.add_argument("--seconds", type=float, default=20.0, help="of traffic for each block time")
    parser.add_argument("--rate", type=float, default=20.0, help="transactions per second")
    parser.add_argument("--engine", choices=ENGINES, default=ENGINES[-1])
    parser.add_argument("--block-times", type=float, nargs="+", default=[0.25, 1.0, 2.0], help="seconds")
    raise SystemExit(asyncio.run(main(parser.parse_args())))

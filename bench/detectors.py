"""All detectors over everything that is recorded: what an inspection costs beside its simulation.

Processor time counts, for other programs do not fall on it as they do on the wall clock; both are shown. What several
detectors share is derived by the first that asks for it, and counts as its time. The attack corpus and the honest
blocks are used where they lie beside the project; without them the fixtures are measured alone.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.figure import at, table
from bench.recollection import memory
from gateway.app.heap import settle
from gateway.errors import Unexecutable
from gateway.evaluate.benign import BENIGN, RecordedBlock
from gateway.evaluate.case import Case, find_cases, read_case
from gateway.evaluate.command import make_simulator
from gateway.evaluate.corpus import CORPUS
from gateway.evaluate.run import LIMITS, find_blocks
from gateway.evm.simulator import ADMISSION, REPLAY, Checks, Simulator, World
from gateway.inspection.engine import inspect
from gateway.inspection.past.recollection import Recollection
from gateway.inspection.policy import DEFAULT_POLICY, decide
from gateway.inspection.registry import Ruleset, load
from gateway.inspection.subject import Inspection
from gateway.model.block import BlockContext
from gateway.model.primitive import Address
from gateway.model.state import StateBatch
from gateway.model.transaction import Transaction
from tests.gateway.evm import scenes

FIXTURES = Path(__file__).parents[1] / "fixtures" / "cases"
SIZES = (1_000, 2_000, 4_000, 8_000, 16_000)
FRAMES = (10, 100, 1_000, 10_000)
TRANSFER = 0xDDF252AD1BE2C89B69C2B068FC378DAA952BA7F163C4A11628F55A4DF523B3EF


@dataclass(slots=True)
class Sample:
    """One inspected transaction; times in milliseconds."""

    group: str
    name: str
    frames: int
    simulate_cpu: float
    cpu: float
    wall: float
    detectors: dict[str, float] = field(default_factory=dict)
    """by the gateway's own clock: reading processor time before and after each would cost a tenth of it all"""


class Meter:
    """Simulates, inspects and decides as the gateway does, with a clock at each end."""

    def __init__(self, simulator: Simulator, ruleset: Ruleset) -> None:
        self.simulator, self.ruleset = simulator, ruleset
        self.samples: list[Sample] = []

    async def case(self, group: str, case: Case) -> None:
        world, memory = self.simulator.world(complete=True), Recollection()
        world.load(case.prestate)
        gc.freeze()  # the recording itself is no garbage of an inspection; to collect here would leave cold caches
        for move in case.moves:
            world.load(move.patch)
            await self.look(group, case.id, world, memory, move.transaction, move.block, REPLAY)
        gc.unfreeze()

    async def block(self, group: str, recorded: RecordedBlock) -> None:
        world, memory = self.simulator.world(complete=True), Recollection()
        world.load(recorded.prestate)
        gc.freeze()
        for row in recorded.transactions:
            name = f"{recorded.context.number}/{row.index}"
            try:
                await self.look(group, name, world, memory, row.transaction, recorded.context, ADMISSION)
            except Unexecutable:
                await self.look(group, name, world, memory, row.transaction, recorded.context, REPLAY)
        gc.unfreeze()

    async def look(
        self,
        group: str,
        name: str,
        world: World,
        memory: Recollection,
        transaction: Transaction,
        block: BlockContext,
        checks: Checks,
    ) -> Sample:
        began = time.process_time()
        result = await self.simulator.simulate(world, transaction, block, limits=LIMITS, checks=checks)
        simulated = time.process_time()
        world.apply(result.state_diff)
        wall, cpu = time.perf_counter(), time.process_time()
        past = memory.before(transaction, result)
        subject = Inspection(transaction, result, past.memory, past.taken, relied=past.relied, leaned=past.leaned)
        report = inspect(self.ruleset, subject)
        decide(report, DEFAULT_POLICY, sender=transaction.sender)
        sample = Sample(
            group,
            name,
            len(result.trace.frames),
            1000 * (simulated - began),
            1000 * (time.process_time() - cpu),
            1000 * (time.perf_counter() - wall),
            {outcome.detector_id: 1000 * outcome.duration for outcome in report.outcomes},
        )
        memory.keep(transaction.hash, transaction.sender, transaction.to, subject.effects)
        self.samples.append(sample)
        return sample


def summary(name: str, samples: Sequence[Sample]) -> dict[str, Any]:
    cpu, wall = [sample.cpu for sample in samples], [sample.wall for sample in samples]
    slowest = max(samples, key=lambda sample: sample.cpu)
    return {
        "transactions": name,
        "n": len(samples),
        **{f"cpu_{label}_ms": at(cpu, share) for label, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))},
        **{f"wall_{label}_ms": at(wall, share) for label, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))},
        "to_simulation": round(sum(cpu) / sum(sample.simulate_cpu for sample in samples), 2),
        "slowest": f"{slowest.name} ({slowest.frames} frames)",
    }


def by_group(samples: Sequence[Sample]) -> list[dict[str, Any]]:
    groups: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[sample.group].append(sample)
    return [summary("all", samples), *(summary(name, rows) for name, rows in groups.items())]


def by_frames(samples: Sequence[Sample]) -> list[dict[str, Any]]:
    rows, low = [], 1
    for high in (*FRAMES, sys.maxsize):
        found = [sample for sample in samples if low <= sample.frames < high]
        if found:
            cpu = [sample.cpu for sample in found]
            each = [1000 * sample.cpu / sample.frames for sample in found]
            name = f"{low} to {high - 1}" if high < sys.maxsize else f"{low} and more"
            rows.append({"frames": name, "n": len(found), "cpu_p50_ms": at(cpu, 0.5), "us_a_frame_p50": at(each, 0.5)})
        low = high
    return rows


def by_detector(samples: Sequence[Sample]) -> list[dict[str, Any]]:
    times: dict[str, list[float]] = defaultdict(list)
    for sample in samples:
        for name, spent in sample.detectors.items():
            times[name].append(spent)
    rows = [
        {"detector": name, "wall_p50_ms": at(row, 0.5), "wall_p99_ms": at(row, 0.99), "wall_max_ms": at(row, 1.0)}
        for name, row in times.items()
    ]
    return sorted(rows, key=lambda row: -row["wall_p99_ms"])


async def growth(meter: Meter, sizes: Sequence[int]) -> list[dict[str, Any]]:
    """One program, ever more frames: each call comes back to the caller, writes a slot and says that tokens moved."""
    said = b"".join(scenes.push(word) for word in (int.from_bytes(scenes.SENDER, "big"), 5, TRANSFER))
    word = scenes.push(1) + scenes.push(0) + b"\x52" + said + scenes.push(32) + scenes.push(0) + b"\xa3"
    count = b"\x60\x00\x54\x60\x01\x01\x60\x00\x55"  # one more in slot 0
    again = scenes.push(1) + b"\x90\x03\x80" + scenes.push(5) + b"\x57" + b"\x00"
    rows = []
    for size in sizes:
        head = b"\x63" + (size // 2).to_bytes(4, "big") + b"\x5b"
        code = head + scenes.call(scenes.OTHER) + b"\x50" + again
        other = count + word + scenes.call(Address(b"\x77" * 20)) + b"\x50\x00"
        world = meter.simulator.world(complete=True)
        accounts = {
            scenes.SENDER: scenes.account(balance=10**40),
            scenes.CONTRACT: scenes.account(code, balance=scenes.ETHER),
            scenes.OTHER: scenes.account(other, balance=scenes.ETHER),
            Address(b"\x77" * 20): scenes.account(b"\x00"),
        }
        world.load(StateBatch(accounts))
        transaction, block = scenes.transaction(gas=2**40), scenes.block(gas_limit=2**50)
        found = await meter.look("growth", str(size), world, Recollection(), transaction, block, REPLAY)
        rows.append(
            {
                "frames": found.frames,
                "cpu_ms": round(found.cpu, 2),
                "us_a_frame": round(1000 * found.cpu / found.frames, 2),
            }
        )
    return rows


def sources(
    console: Console, corpus: Path, benign: Path
) -> tuple[dict[str, tuple[Path, ...]], Iterator[RecordedBlock]]:
    """Case files by group, and blocks; what is not there is said."""
    files = {"fixtures": find_cases([FIXTURES])}
    if corpus.is_dir():
        files["attacks"] = find_cases([corpus])
    else:
        console.print(f"no attack corpus at {corpus}: none of its attacks is measured")
    if not benign.exists():
        console.print(f"no honest blocks at {benign}: none are measured")
        return files, iter(())
    return files, find_blocks(benign)


async def measure(
    files: Mapping[str, Sequence[Path]], blocks: Iterator[RecordedBlock], most: int | None, most_blocks: int | None
) -> dict[str, Any]:
    """Everything; `most` bounds the case files of each group, `most_blocks` the blocks."""
    meter = Meter(make_simulator("auto"), load())
    try:
        for group, paths in files.items():
            for case in map(read_case, paths[:most]):
                if case.moves and case.verified:
                    await meter.case(group, case)
        for block in islice(blocks, most_blocks):
            await meter.block("honest blocks", block)
        recorded = list(meter.samples)
        return {
            "engine": meter.simulator.name,
            "inspection": by_group(recorded),
            "by_frames": by_frames(recorded),
            "growth": await growth(meter, SIZES),
            "memory": await memory(),
            "detectors": by_detector(recorded),
        }
    finally:
        await meter.simulator.close()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="folder of recorded attacks")
    parser.add_argument("--benign", type=Path, default=BENIGN, help="folder of recorded honest blocks")
    parser.add_argument("--cases", type=int, help="at most so many case files of each folder")
    parser.add_argument("--blocks", type=int, help="at most so many honest blocks")
    given = parser.parse_args(arguments)
    console = Console(stderr=given.json, width=160)
    report: dict[str, Any] = {"cpus": os.cpu_count(), "load": round(os.getloadavg()[0], 2), "python": sys.version[:6]}
    console.print(f"{report['cpus']} CPUs, load {report['load']} before the run")
    settle()  # as the gateway does when it starts
    report |= asyncio.run(measure(*sources(console, given.corpus, given.benign), given.cases, given.blocks))
    titles = {
        "inspection": f"All detectors and the decision, on {report['engine']}",
        "by_frames": "By the size of the trace",
        "growth": "One program, ever more frames",
        "memory": "The look into memory",
        "detectors": "Each detector; what it derives first for others counts as its own",
    }
    for key, title in titles.items():
        console.print(table(title, report[key]))
    if given.json:
        print(json.dumps(report))


if __name__ == "__main__":
    main()

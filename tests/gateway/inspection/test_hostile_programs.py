"""Programs made to hurt, run by both engines and inspected: bounded time, marked where they were cut, never silence."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import pytest

from gateway.evaluate.command import make_simulator
from gateway.evm.simulator import REPLAY, Limits
from gateway.inspection.engine import inspect
from gateway.inspection.registry import load
from gateway.inspection.subject import Inspection
from gateway.model.block import Fork
from gateway.model.finding import OutcomeStatus
from gateway.model.primitive import Address
from gateway.model.state import StateBatch
from gateway.model.trace import SimulationResult
from tests.gateway.evm import scenes

pytest.importorskip("gateway.evm.revm", reason="the native engine is not installed (no cargo)")

push = scenes.push
TRANSFER = 0xDDF252AD1BE2C89B69C2B068FC378DAA952BA7F163C4A11628F55A4DF523B3EF
VICTIM = int.from_bytes(b"\x77" * 20, "big")
THIEF = int.from_bytes(scenes.SENDER, "big")
MOST = 2**256 - 1
INSPECTION = 20.0
"""seconds of this process for the largest trace that the caps allow; quadratic work on it takes hours"""


def rounds(body: bytes, at: int = 0) -> bytes:
    """`body` a million times; this code begins at offset `at`."""
    again = push(1) + b"\x90\x03\x80" + push(at + 4) + b"\x57" + scenes.STOP  # one less, until zero
    return b"\x62" + (1_000_000).to_bytes(3, "big") + b"\x5b" + body + again


def called(to: Address, *, opcode: int = 0xF1, size: int = 0) -> bytes:
    """A call whose flag is dropped."""
    return scenes.call(to, opcode=opcode, size=size) + b"\x50"


def moved(from_: int, to: int, amount: int) -> bytes:
    """The event Transfer(from, to, amount)."""
    topics = push(to) + push(from_) + push(TRANSFER)
    return push(amount) + push(0) + b"\x52" + topics + push(32) + push(0) + b"\xa3"


def with_data(plain: bytes, told: bytes) -> bytes:
    """Runs `told` if there is call data, else `plain`, which begins at offset 5."""
    return b"\x36\x61" + (5 + len(plain)).to_bytes(2, "big") + b"\x57" + plain + b"\x5b" + told


def created(init: bytes) -> bytes:
    """Creations without end, each of which runs `init`."""
    size = len(init).to_bytes(2, "big")
    make = b"\x61" + size + b"\x61%s" + push(0) + b"\x39\x61" + size + push(0) + push(0) + b"\xf0\x50"
    place = len(rounds(make.replace(b"%s", b"\0\0"))).to_bytes(2, "big")
    return rounds(make.replace(b"%s", place)) + init


@dataclass(frozen=True)
class Program:
    """What the called contract and the other one run, and which cap must cut the native run."""

    contract: bytes
    other: bytes = scenes.STOP
    cut: str | None = None


BALANCE_OF = b"\x7f" + bytes.fromhex("70a08231").ljust(32, b"\0") + push(0) + b"\x52" + push(VICTIM) + push(4) + b"\x52"
ASK = push(32) + push(0) + push(36) + push(0) + push(scenes.OTHER) + b"\x5a\xfa\x50"
NOTHING_LEFT = push(0) + push(0) + b"\x52" + push(32) + push(0) + b"\xf3"
PROGRAMS = {
    "calls without end": Program(rounds(called(scenes.OTHER)), cut="frames"),
    "logs without end": Program(rounds(moved(VICTIM, THIEF, 1)), cut="logs"),
    "tens of thousands of tokens": Program(created(moved(VICTIM, THIEF, 1)), cut="frames"),
    "all there is in a circle": Program(rounds(moved(VICTIM, THIEF, MOST) + moved(THIEF, VICTIM, MOST)), cut="logs"),
    "slots without end": Program(rounds(b"\x80\x80\x55"), cut="accesses"),
    "comebacks without end": Program(
        with_data(called(scenes.OTHER) + scenes.STOP, called(scenes.OTHER, size=1) + scenes.STOP),
        with_data(rounds(scenes.ADD_ONE + called(scenes.CONTRACT, size=1), at=5), scenes.ADD_ONE + scenes.STOP),
        cut="frames",
    ),
    "towers of borrowed code": Program(
        rounds(called(scenes.OTHER, opcode=0xF4)), called(scenes.OTHER, opcode=0xF4) + scenes.STOP, cut="frames"
    ),
    "names of a megabyte": Program(rounds(called(scenes.OTHER)), push(1 << 20) + push(0) + b"\xf3", cut="output bytes"),
    "a token that contradicts its transfers": Program(
        rounds(called(scenes.OTHER) + BALANCE_OF + ASK),
        with_data(moved(THIEF, VICTIM, 7) + scenes.STOP, NOTHING_LEFT),
        cut="frames",
    ),
}


def run(engine: str, program: Program, limits: Limits) -> SimulationResult:
    """One transaction of `SENDER` to the contract."""
    simulator = make_simulator(engine)
    world = simulator.world(complete=True)
    accounts = {
        scenes.SENDER: scenes.account(balance=10**40),
        scenes.CONTRACT: scenes.account(program.contract, balance=scenes.ETHER),
        scenes.OTHER: scenes.account(program.other, balance=scenes.ETHER),
    }
    world.load(StateBatch(accounts))
    block = scenes.block(Fork.CANCUN, gas_limit=2**60)

    async def simulate() -> SimulationResult:
        try:
            return await simulator.simulate(world, scenes.transaction(gas=2**50), block, limits=limits, checks=REPLAY)
        finally:
            await simulator.close()

    return asyncio.run(simulate())


@pytest.mark.parametrize(
    "limits",
    [
        pytest.param(Limits(wall_clock=30.0, frames=20_000, logs=20_000, accesses=100_000), id="smaller caps"),
        pytest.param(Limits(wall_clock=30.0), id="the default caps", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("name", PROGRAMS)
def test_on_the_native_engine(name: str, limits: Limits) -> None:
    program = PROGRAMS[name]
    result = run("revm", program, limits)
    judge(result)
    assert result.truncated == program.cut


@pytest.mark.parametrize("name", PROGRAMS)
def test_on_the_reference(name: str) -> None:
    result = run("py-evm", PROGRAMS[name], Limits(wall_clock=1.0, frames=2_000, logs=2_000, accesses=5_000))
    assert result.truncated is not None
    judge(result)


def judge(result: SimulationResult) -> None:
    """Every detector runs to its end in time, and the report says what was cut."""
    subject = Inspection(scenes.transaction(gas=2**50), result)
    began = time.process_time()
    report = inspect(load(), subject)
    assert subject.effects is not None
    assert time.process_time() - began < INSPECTION
    assert {outcome.status for outcome in report.outcomes} == {OutcomeStatus.COMPLETED}
    assert report.truncated == result.truncated


def test_the_programs_do_what_their_names_say() -> None:
    few = Limits(wall_clock=30.0, frames=300, logs=300)
    back = run("revm", PROGRAMS["comebacks without end"], few).facts
    assert back is not None
    assert len(back.comebacks) > 100
    tokens = run("revm", PROGRAMS["tens of thousands of tokens"], few).facts
    assert tokens is not None
    assert len(tokens.tokens) > 100
    tower = run("revm", PROGRAMS["towers of borrowed code"], Limits(wall_clock=30.0, frames=3_000)).trace.frames
    assert max(frame.depth for frame in tower) > 300
    lies = Inspection(scenes.transaction(), run("revm", PROGRAMS["a token that contradicts its transfers"], few))
    assert lies.ledger.net[Address(b"\x77" * 20)]
    assert Address(b"\x77" * 20) not in {holder for holder, _ in lies.ledger.before}

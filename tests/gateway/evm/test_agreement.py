"""revm and py-evm on the same made programs: one answer, or a difference that is explained here."""

from __future__ import annotations

import pytest

from gateway.decoding.keccak import keccak256
from gateway.evm.crosscheck import compare
from gateway.evm.py_evm import execute
from gateway.evm.simulator import ADMISSION, Checks, Limits
from gateway.evm.world import LayeredWorld
from gateway.model.block import BlockContext
from gateway.model.primitive import Address
from gateway.model.state import AccountState, StateBatch
from gateway.model.trace import SimulationResult
from gateway.model.transaction import Transaction
from tests.gateway.evm import scenes

pytest.importorskip("stopgate_engine", reason="the native engine is not built (make setup with cargo)")
from gateway.evm.revm import RevmSimulator

LIBRARY = Address(b"\xab" * 20)
PATIENT = Limits(wall_clock=60)


@pytest.fixture(scope="module")
def revm() -> RevmSimulator:
    return RevmSimulator()


def both(
    revm: RevmSimulator,
    batch: StateBatch,
    transaction: Transaction,
    block: BlockContext,
    *,
    checks: Checks = ADMISSION,
) -> tuple[SimulationResult, SimulationResult]:
    """The same run on a fresh world of either engine."""
    native, reference = revm.world(complete=True), LayeredWorld(complete=True)
    native.load(batch)
    reference.load(batch)
    return (
        revm.run(native, transaction, block, limits=PATIENT, checks=checks),
        execute(reference, transaction, block, limits=PATIENT, checks=checks),
    )


def state(accounts: dict[Address, AccountState]) -> StateBatch:
    """A rich sender, an empty coinbase, and what is given."""
    known = {
        scenes.SENDER: scenes.account(balance=100 * scenes.ETHER),
        scenes.COINBASE: scenes.account(),
    }
    return StateBatch(known | accounts)


def test_both_engines_give_the_code_of_every_frame(revm: RevmSimulator) -> None:
    runtime = scenes.push(1) + scenes.STOP
    init = scenes.push(runtime.rjust(32, b"\0")) + scenes.push(0) + b"\x52" + scenes.push(3) + scenes.push(29) + b"\xf3"
    make = (
        scenes.push(init.ljust(64, b"\0")[:32])
        + scenes.push(0)
        + b"\x52"
        + scenes.push(init.ljust(64, b"\0")[32:])
        + scenes.push(32)
        + b"\x52"
        + scenes.push(len(init))
        + scenes.push(0)
        + scenes.push(0)
        + b"\xf0"
    )
    code = make + scenes.call(LIBRARY) + scenes.call(LIBRARY, opcode=0xF4) + scenes.STOP
    accounts = {scenes.CONTRACT: scenes.account(code), LIBRARY: scenes.account(scenes.ADD_ONE)}
    results = both(revm, state(accounts), scenes.transaction(), scenes.block())
    assert compare(*results) is None
    for result in results:
        codes = result.trace.codes
        assert codes == {keccak256(each): each for each in (code, scenes.ADD_ONE, init)}
        assert set(codes) == {frame.code_hash for frame in result.trace.frames}

"""Whatever a transaction brings: the native engine answers in bounded time and memory, and nothing panics."""

from __future__ import annotations

import contextlib
import resource
import time
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import Unexecutable
from gateway.evm.simulator import REPLAY, Limits
from gateway.model.block import Fork
from gateway.model.primitive import Address
from gateway.model.state import StateBatch
from gateway.model.trace import SimulationResult
from tests.gateway.evm import scenes

pytest.importorskip("stopgate_engine", reason="the native engine is not built (make setup with cargo)")
import stopgate_engine

from gateway.evm.revm import RevmSimulator

push = scenes.push
LIMIT = 0.5
"""seconds of wall clock that a hostile run gets"""
PATIENCE = 0.4
"""seconds more on a machine that others use too"""
ROUNDS = push(1_000_000) + b"\x5b"
AGAIN = push(1) + b"\x90\x03\x80" + push(4) + b"\x57"  # one less, and again until zero

HOSTILE = {
    "calls": ROUNDS + scenes.call(scenes.OTHER) + b"\x50" + AGAIN,
    "events": ROUNDS + push(0) + push(0) + b"\xa0" + AGAIN,
    "large events": ROUNDS + push(60_000) + push(0) + b"\xa0" + AGAIN,
    "creations": ROUNDS + push(0) + push(0) + push(0) + b"\xf0\x50" + AGAIN,
    "self calls": ROUNDS + scenes.call(scenes.CONTRACT) + b"\x50" + AGAIN,
    "reads": ROUNDS + b"\x80\x54\x50" + AGAIN,
    "writes": ROUNDS + b"\x80\x80\x55" + AGAIN,
    "hashes of a megabyte": ROUNDS + push(1 << 20) + push(0) + b"\x20\x50" + AGAIN,
    "short hashes": ROUNDS + push(64) + push(0) + b"\x20" + push(0) + b"\x52" + AGAIN,
    "memory": ROUNDS + b"\x80" + push(0) + b"\x52" + b"\x80\x61\x04\x00\x02\x51\x50" + AGAIN,
    "copies": ROUNDS + push(1 << 20) + push(0) + push(1) + b"\x5e" + AGAIN,
    "large arguments": ROUNDS + scenes.call(Address(b"\x99" * 20), size=1 << 16) + b"\x50" + AGAIN,
    "large modular powers": ROUNDS
    + push(1024)
    + push(0)
    + b"\x52"
    + push(1024)
    + push(32)
    + b"\x52"
    + push(1024)
    + push(64)
    + b"\x52"
    + push(0)
    + push(0)
    + push(4096)
    + push(0)
    + push(0)
    + push(5)
    + b"\x5a\xf1\x50"
    + AGAIN,
    "an endless loop": scenes.FOREVER,
}


@pytest.fixture(scope="module")
def engine() -> RevmSimulator:
    return RevmSimulator()


def run(engine: RevmSimulator, code: bytes, *, data: bytes = b"", gas: int = 2**50, limits: Limits) -> SimulationResult:
    world = engine.world(complete=True)
    world.load(
        StateBatch(
            {
                scenes.SENDER: scenes.account(balance=10**40),
                scenes.CONTRACT: scenes.account(code, balance=scenes.ETHER),
                scenes.OTHER: scenes.account(scenes.STOP),
            }
        )
    )
    block = scenes.block(Fork.CANCUN, gas_limit=2**60)
    return engine.run(world, scenes.transaction(data=data, gas=gas), block, limits=limits)


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_contract_is_stopped_in_time(engine: RevmSimulator, name: str) -> None:
    limits = Limits(wall_clock=LIMIT)
    before, began = peak(), time.perf_counter()
    result = run(engine, HOSTILE[name], limits=limits)
    taken = time.perf_counter() - began
    assert taken < LIMIT + PATIENCE, f"{taken:.2f} s, truncated: {result.truncated}, error: {result.error}"
    assert peak() - before < 600 << 20
    assert len(result.trace.frames) <= limits.frames
    assert len(result.trace.logs) <= limits.logs
    assert len(result.trace.accesses or ()) <= limits.accesses
    following = run(engine, scenes.ADD_ONE + scenes.STOP, limits=Limits())
    assert following.succeeded


def test_a_million_calls_and_logs_are_cut_off_at_the_caps(engine: RevmSimulator) -> None:
    patient = Limits(wall_clock=30)
    assert run(engine, HOSTILE["calls"], limits=patient).truncated == "frames"
    assert run(engine, HOSTILE["events"], limits=patient).truncated == "logs"
    assert run(engine, HOSTILE["reads"], limits=patient).truncated == "accesses"
    assert run(engine, HOSTILE["large events"], limits=patient).truncated == "output bytes"


def test_memory_beyond_the_bound_ends_the_run_and_says_so(engine: RevmSimulator) -> None:
    result = run(engine, push(1) + push(300 << 20) + b"\x52", limits=Limits())
    assert result.truncated == "memory"


@pytest.mark.parametrize("at", [300 << 20, 2**40, 2**63, 2**255])
def test_memory_that_nobody_could_pay_for_is_plain_out_of_gas(engine: RevmSimulator, at: int) -> None:
    """The bound on memory is looked at before gas is charged; a run must not look cut off for that."""
    result = run(engine, push(1) + push(at) + b"\x52", gas=30_000_000, limits=Limits())
    assert (result.truncated, result.error, result.gas_used) == (None, "out of gas", 30_000_000)

    own_call = scenes.call(scenes.CONTRACT, gas=100_000, size=1) + b"\x50" + scenes.ADD_ONE + scenes.STOP
    jump = b"\x36" + push(len(own_call) + 4) + b"\x57"  # with calldata: over the call, to the memory
    code = jump + own_call + b"\x5b" + push(1) + push(at) + b"\x52"
    result = run(engine, code, gas=30_000_000, limits=Limits())
    assert (result.truncated, result.error) == (None, None)
    assert [frame.error for frame in result.trace.frames] == [None, "out of gas"]


@given(
    code=st.binary(max_size=300),
    data=st.binary(max_size=100),
    gas=st.integers(21_000, 2**40),
    fork=st.sampled_from(list(Fork)),
    creates=st.booleans(),
)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_as_code_end_in_a_result_or_a_named_error(
    engine: RevmSimulator, code: bytes, data: bytes, gas: int, fork: Fork, creates: bool
) -> None:
    world = engine.world(complete=True)
    world.load(StateBatch({scenes.SENDER: scenes.account(balance=10**40), scenes.CONTRACT: scenes.account(code)}))
    transaction = scenes.transaction(None if creates else scenes.CONTRACT, data=code if creates else data, gas=gas)
    limits = Limits(wall_clock=1.0, frames=2_000, accesses=5_000, logs=2_000)
    with contextlib.suppress(Unexecutable):
        result = engine.run(world, transaction, scenes.block(fork, gas_limit=2**50), limits=limits, checks=REPLAY)
        assert result.gas_used <= gas
        assert all(frame.left >= frame.entered for frame in result.trace.frames)
        assert set(result.trace.codes or ()) == {frame.code_hash for frame in result.trace.frames if frame.code_hash}


@given(st.binary(max_size=300))
@settings(max_examples=500, deadline=None)
def test_any_bytes_can_be_decoded_or_refused(data: bytes) -> None:
    assert stopgate_engine.decode(data) is None or len(data) > 60


@pytest.mark.parametrize(
    "changes", [{"value": -1}, {"value": 2**256}, {"nonce": 2**64}, {"gas_limit": -5}, {"max_fee_per_gas": 2**256}]
)
def test_values_no_transaction_can_have_are_named_errors(engine: RevmSimulator, changes: dict[str, int]) -> None:
    world = engine.world(complete=True)
    with pytest.raises(Unexecutable):
        engine.run(world, replace(scenes.transaction(), **changes), scenes.block())  # type: ignore[arg-type]

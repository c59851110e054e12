"""revm and py-evm on the same made programs: one answer, or a difference that is explained here."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.decoding.keccak import keccak256
from gateway.errors import Unexecutable
from gateway.evm.crosscheck import compare
from gateway.evm.py_evm import execute
from gateway.evm.simulator import ADMISSION, Checks, Limits
from gateway.evm.world import LayeredWorld
from gateway.model.block import BlockContext, Fork
from gateway.model.primitive import Address
from gateway.model.state import AccountState, StateBatch
from gateway.model.trace import SimulationResult
from gateway.model.transaction import AccessListEntry, Authorization, Transaction, TransactionType
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
) -> tuple[SimulationResult | None, SimulationResult | None]:
    """The same run on a fresh world of either engine; None where the engine would not execute it."""
    native, reference = revm.world(complete=True), LayeredWorld(complete=True)
    native.load(batch)
    reference.load(batch)
    results: list[SimulationResult | None] = []
    for run in (
        lambda: revm.run(native, transaction, block, limits=PATIENT, checks=checks),
        lambda: execute(reference, transaction, block, limits=PATIENT, checks=checks),
    ):
        try:
            results.append(run())
        except Unexecutable:
            results.append(None)
    return results[0], results[1]


def assert_alike(revm: RevmSimulator, batch: StateBatch, transaction: Transaction, block: BlockContext) -> None:
    first, second = both(revm, batch, transaction, block)
    assert (first is None) == (second is None)
    if first is not None and second is not None:
        difference = compare(first, second)
        assert difference is None, str(difference)
        assert first.trace.codes == second.trace.codes


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
    assert_alike(revm, state(accounts), scenes.transaction(), scenes.block())
    for result in results:
        assert result is not None
        codes = result.trace.codes
        assert codes == {keccak256(each): each for each in (code, scenes.ADD_ONE, init)}
        assert set(codes) == {frame.code_hash for frame in result.trace.frames}


# Made programs

CONTRACTS = (scenes.CONTRACT, scenes.OTHER, LIBRARY)
FORKS = (Fork.LONDON, Fork.PARIS, Fork.SHANGHAI, Fork.CANCUN, Fork.PRAGUE)
MADE = int(os.environ.get("STOPGATE_TEST_PROGRAMS", "150"))
"""how many programs; the same ones each time, unless this is raised"""

push = scenes.push
precompiles = st.integers(1, 18).map(lambda number: Address(number.to_bytes(20, "big")))
targets = st.one_of(
    st.sampled_from((*CONTRACTS, scenes.SENDER, scenes.COINBASE, Address(b"\x99" * 20))),
    precompiles,
)
words = st.one_of(st.integers(0, 3), st.integers(0, 2**256 - 1), st.sampled_from((2**255, 2**256 - 1, 2**64)))
offsets = st.one_of(st.integers(0, 96), st.sampled_from((1_000, 70_000, 2**40, 2**256 - 1)))
sizes = st.one_of(st.integers(0, 96), st.sampled_from((0, 32, 64, 128, 192, 213, 30_000)))
slots = st.integers(0, 3)
EMPTY_CREATION = b""
INIT_CODES = (
    EMPTY_CREATION,
    push(0) + push(0) + b"\xf3",  # no code
    push(0xEF << 248) + push(0) + b"\x52" + push(3) + push(0) + b"\xf3",  # begins with 0xEF
    push(int.from_bytes(scenes.ADD_ONE.ljust(32, b"\0"), "big")) + push(0) + b"\x52" + push(32) + push(0) + b"\xf3",
    push(7) + push(1) + b"\x55" + push(24_577) + push(0) + b"\xf3",  # too long
    scenes.REVERT,
    push(scenes.SENDER) + b"\xff",
    b"\xfe",
)


@st.composite
def calls(draw: st.DrawFn) -> bytes:
    opcode = draw(st.sampled_from((0xF1, 0xF1, 0xF2, 0xF4, 0xFA)))
    value = push(draw(st.sampled_from((0, 0, 1, 10**18, 10**30)))) if opcode in (0xF1, 0xF2) else b""
    gas = draw(st.one_of(st.just(b"\x5a"), st.sampled_from((0, 1, 700, 2_300, 40_000, 2**200)).map(push)))
    ends = push(draw(sizes)) + push(draw(offsets)) + push(draw(sizes)) + push(draw(offsets))
    return ends + value + push(draw(targets)) + gas + bytes([opcode])


@st.composite
def creations(draw: st.DrawFn) -> bytes:
    init = draw(st.sampled_from(INIT_CODES))
    store = b"".join(push(init[at : at + 32].ljust(32, b"\0")) + push(at) + b"\x52" for at in range(0, len(init), 32))
    ends = push(draw(st.sampled_from((len(init), len(init), 0, 49_153)))) + push(0)
    value = push(draw(st.sampled_from((0, 0, 1, 10**30))))
    return store + (push(1) + ends + value + b"\xf5" if draw(st.booleans()) else ends + value + b"\xf0")


def memory_operation(opcode: int) -> st.SearchStrategy[bytes]:
    """CALLDATACOPY and its like: size, offset in the source, offset in memory."""
    return st.tuples(sizes, offsets, offsets).map(lambda at: push(at[0]) + push(at[1]) + push(at[2]) + bytes([opcode]))


statements = st.one_of(
    st.tuples(words, slots).map(lambda item: push(item[0]) + push(item[1]) + b"\x55"),  # SSTORE
    slots.map(lambda slot: push(slot) + b"\x54"),  # SLOAD
    st.tuples(words, slots).map(lambda item: push(item[0]) + push(item[1]) + b"\x5d"),  # TSTORE
    slots.map(lambda slot: push(slot) + b"\x5c"),  # TLOAD
    st.tuples(words, offsets).map(lambda item: push(item[0]) + push(item[1]) + b"\x52"),  # MSTORE
    offsets.map(lambda at: push(at) + b"\x51"),  # MLOAD
    st.tuples(sizes, offsets).map(lambda item: push(item[0]) + push(item[1]) + b"\x20"),  # KECCAK256
    st.tuples(st.integers(0, 4), sizes, offsets).map(
        lambda item: push(7) * item[0] + push(item[1]) + push(item[2]) + bytes([0xA0 + item[0]])
    ),
    *(memory_operation(opcode) for opcode in (0x37, 0x39, 0x3E, 0x5E)),
    st.tuples(targets, sizes, offsets, offsets).map(
        lambda item: push(item[1]) + push(item[2]) + push(item[3]) + push(item[0]) + b"\x3c"  # EXTCODECOPY
    ),
    st.tuples(targets, st.sampled_from(b"\x31\x3b\x3f")).map(lambda item: push(item[0]) + bytes([item[1]])),
    st.sampled_from(b"\x30\x32\x33\x34\x36\x38\x3a\x3d\x41\x42\x43\x44\x45\x46\x47\x48\x4a\x58\x59\x5a\x5f").map(
        lambda opcode: bytes([opcode])
    ),
    st.integers(90, 110).map(lambda height: push(height) + b"\x40"),  # BLOCKHASH
    st.tuples(words, words, words, st.integers(0x01, 0x1D)).map(
        lambda item: push(item[0]) + push(item[1]) + push(item[2]) + bytes([item[3]])
    ),
    calls(),
    calls(),
    creations(),
    st.sampled_from((b"\x00", b"\xfe", scenes.REVERT, b"\x50", push(4) + push(0) + b"\xf3", b"\x80", b"\x90")),
    targets.map(lambda who: push(who) + b"\xff"),
    st.binary(max_size=6),
)
programs = st.one_of(
    st.lists(statements, max_size=14).map(b"".join),
    st.binary(max_size=80),
    # a loop of ten rounds around a body that leaves the stack as it was
    st.lists(st.one_of(calls(), creations()).map(lambda body: body + b"\x50"), max_size=3).map(
        lambda body: push(10) + b"\x5b" + b"".join(body) + push(1) + b"\x90\x03\x80" + push(2) + b"\x57"
    ),
)
authorizations = st.lists(
    st.builds(
        Authorization,
        st.sampled_from((0, 1, 5)),
        st.sampled_from((*CONTRACTS, Address(bytes(20)), Address(bytes(19) + b"\x02"))),
        st.integers(0, 1),
        st.just(0),
        st.just(1),
        st.just(1),
        st.sampled_from((scenes.SENDER, Address(b"\x99" * 20), scenes.OTHER, None)),
    ),
    max_size=3,
).map(tuple)


@st.composite
def scenarios(draw: st.DrawFn) -> tuple[StateBatch, Transaction, BlockContext]:
    """A world of three made contracts, a block of one of five forks, and a transaction of any kind."""
    fork = draw(st.sampled_from(FORKS))
    accounts = {
        who: scenes.account(draw(programs), balance=draw(st.sampled_from((0, 5, scenes.ETHER))), nonce=1)
        for who in CONTRACTS
    }
    if fork.at_least(Fork.PRAGUE) and draw(st.booleans()):
        accounts[Address(b"\x99" * 20)] = scenes.account(b"\xef\x01\x00" + draw(targets), nonce=1)
    known = {(who, slot): draw(words) for who in CONTRACTS for slot in draw(st.sets(slots, max_size=2))}
    set_code = draw(authorizations) if fork.at_least(Fork.PRAGUE) else ()
    creates = not set_code and draw(st.integers(0, 9)) == 0
    listed = draw(
        st.lists(
            st.builds(AccessListEntry, targets, st.lists(slots, max_size=3).map(tuple)),
            max_size=2,
        ).map(tuple)
    )
    made = scenes.transaction(
        None if creates else draw(st.sampled_from((*CONTRACTS, Address(b"\x99" * 20)))),
        data=draw(programs if creates else st.binary(max_size=40)),
        value=draw(st.sampled_from((0, 0, 1, scenes.ETHER))),
        gas=draw(st.sampled_from((30_000, 60_000, 100_000, 300_000))),
        access_list=listed,
        authorizations=set_code,
        kind=TransactionType.SET_CODE if set_code else TransactionType.DYNAMIC_FEE,
    )
    batch = state(accounts)
    return StateBatch(batch.accounts, known), made, scenes.block(fork)


@given(scenarios())
@settings(
    max_examples=MADE,
    deadline=None,
    derandomize=MADE <= 150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_made_programs_end_alike(revm: RevmSimulator, scenario: tuple[StateBatch, Transaction, BlockContext]) -> None:
    assert_alike(revm, *scenario)

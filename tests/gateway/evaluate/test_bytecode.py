"""The planted contracts do what their docstrings say, on a real engine."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from gateway.decoding.keccak import keccak256
from gateway.evaluate.bytecode import (
    assemble,
    borrower,
    call_plain,
    coin,
    creation_calling,
    creation_creating,
    creation_of,
    forwarder,
    notebook,
    only,
    ops,
    pay,
    pull,
    push,
    signed,
    transfer_data,
)
from gateway.evaluate.command import make_simulator
from gateway.evaluate.renaming import create_address
from gateway.evaluate.wallet import OWNER, SIGNATURE
from gateway.evm.simulator import REPLAY
from gateway.inspection.trace.facts import derive
from gateway.model.primitive import ZERO_ADDRESS, Address
from gateway.model.state import AccountState, StateBatch
from gateway.model.trace import SimulationResult
from tests.makers import BLOCK, ENTRY, SENDER, TRANSACTION, account, word

ECHO = assemble(ops("CALLDATASIZE 0 0 CALLDATACOPY CALLVALUE 0 SSTORE CALLDATASIZE 0 RETURN"))
"""answers with its input, and notes the value it got in slot 0"""
TARGET, COIN, FRIEND = account(20), account(21), account(22)


def run(
    codes: dict[Address, bytes],
    data: bytes = b"",
    to: Address | None = ENTRY,
    value: int = 0,
    slots: dict[tuple[Address, int], int] | None = None,
) -> SimulationResult:
    async def once() -> SimulationResult:
        simulator = make_simulator("auto")
        try:
            world = simulator.world(complete=True)
            accounts = {address: AccountState(1, 0, code, keccak256(code)) for address, code in codes.items()} | {
                SENDER: AccountState(0, 10**20)
            }
            world.load(StateBatch(accounts, slots or {}))
            sent = replace(TRANSACTION, to=to, input=data, value=value, gas_limit=5_000_000)
            return await simulator.simulate(world, sent, replace(BLOCK, base_fee=0), checks=REPLAY)
        finally:
            await simulator.close()

    return asyncio.run(once())


def balances(**amounts: int) -> dict[tuple[Address, int], int]:
    holders = {"entry": ENTRY, "friend": FRIEND}
    return {
        (COIN, int.from_bytes(keccak256(word(holders[name]) + word(0)), "big")): amount
        for name, amount in amounts.items()
    }


def test_a_forwarder_passes_call_value_and_answer_on() -> None:
    result = run({ENTRY: forwarder(TARGET), TARGET: ECHO}, b"hello", value=7)
    assert (result.succeeded, result.output) == (True, b"hello")
    assert result.state_diff[TARGET].storage == {0: (0, 7)}


def test_a_forwarder_passes_a_failure_on() -> None:
    result = run({ENTRY: forwarder(TARGET), TARGET: ops("0 CALLDATALOAD 0 MSTORE 4 0 REVERT")}, b"fail")
    assert (result.succeeded, result.output) == (False, b"fail")


def test_a_wallet_obeys_its_owner_alone() -> None:
    assert run({ENTRY: forwarder(TARGET, only(SENDER)), TARGET: ECHO}, b"hello").output == b"hello"
    assert not run({ENTRY: forwarder(TARGET, only(FRIEND)), TARGET: ECHO}, b"hello").succeeded


def test_a_signed_wallet_obeys_the_signature_of_its_owner_and_takes_coin() -> None:
    obedient = {ENTRY: forwarder(TARGET, signed(*SIGNATURE, OWNER)), TARGET: ECHO}
    assert run(obedient, b"hello").output == b"hello"
    assert not run({ENTRY: forwarder(TARGET, signed(*SIGNATURE, FRIEND)), TARGET: ECHO}, b"hello").succeeded
    paid = run(obedient, b"", value=5)
    assert paid.succeeded
    assert len(paid.trace.frames) == 1, "nothing is forwarded"


def test_a_forwarder_sends_its_own_coin_and_pays_a_fee() -> None:
    codes = {ENTRY: forwarder(TARGET, pay(FRIEND, 3), value=2), TARGET: ECHO}
    result = run(codes, b"hello", value=9)
    assert result.state_diff[TARGET].storage == {0: (0, 2)}
    assert result.state_diff[FRIEND].balance == (0, 3)
    assert result.state_diff[ENTRY].balance == (0, 4)


def test_a_borrower_runs_the_library_on_its_own_storage() -> None:
    result = run({ENTRY: borrower(TARGET), TARGET: ECHO}, b"hello", value=7)
    assert result.output == b"hello"
    assert result.state_diff[ENTRY].storage == {0: (0, 7)}


def test_a_borrower_passes_tokens_and_coin_on_when_it_is_done() -> None:
    balance_or_transfer = assemble(
        ops("36 CALLDATALOAD"), ">move", ops("JUMPI 5 0 MSTORE 32 0 RETURN"), "move:", coin()
    )
    codes = {ENTRY: borrower(TARGET, pull([COIN], push(FRIEND))), TARGET: ECHO, COIN: balance_or_transfer}
    result = run(codes, b"hello", value=9, slots=balances(entry=5))
    (moved,) = [move for move in derive(result).transfers if move.token == COIN]
    assert (moved.from_, moved.to, moved.amount) == (ENTRY, FRIEND, 5)
    assert result.state_diff[FRIEND].balance == (0, 9)


def test_a_creation_calls_what_it_is_told() -> None:
    data = bytes(range(200))
    result = run({TARGET: ECHO}, creation_calling(TARGET, data, 3), to=None, value=3)
    assert [(frame.to, frame.input, frame.value) for frame in result.trace.frames][1:] == [(TARGET, data, 3)]


def test_a_creation_creates_and_calls() -> None:
    result = run({}, creation_creating(ECHO, b"x" * 300, 2), to=None, value=2)
    first = create_address(SENDER, 0)
    second = create_address(first, 1)
    assert result.created == (first, second) or set(result.created) == {first, second}
    assert result.state_diff[second].storage == {0: (0, 2)}


def test_creation_code_leaves_the_runtime() -> None:
    result = run({}, creation_of(ECHO), to=None)
    assert result.output == ECHO


def test_the_coin_moves_and_says_so() -> None:
    result = run(
        {ENTRY: forwarder(TARGET, call_plain(COIN, transfer_data(FRIEND, 4))), TARGET: ECHO, COIN: coin()},
        slots=balances(entry=10, friend=1),
    )
    (moved,) = derive(result).transfers
    assert (moved.token, moved.from_, moved.to, moved.amount) == (COIN, ENTRY, FRIEND, 4)
    assert sorted(result.state_diff[COIN].storage.values()) == [(1, 5), (10, 6)]


def test_the_notebook_counts_its_callers_calls() -> None:
    result = run({ENTRY: notebook()})
    ((before, after),) = result.state_diff[ENTRY].storage.values()
    assert (before, after) == (0, 1)


@pytest.mark.parametrize("value", [0, 1, 255, 256, 2**256 - 1])
def test_a_push_is_as_short_as_it_can_be(value: int) -> None:
    made = push(value)
    assert int.from_bytes(made[1:], "big") == value
    assert made[0] == 0x5F + max(1, (value.bit_length() + 7) // 8)


def test_nothing_goes_to_the_zero_address() -> None:
    result = run({ENTRY: forwarder(TARGET), TARGET: ECHO}, b"hello")
    assert ZERO_ADDRESS not in {frame.to for frame in result.trace.frames}

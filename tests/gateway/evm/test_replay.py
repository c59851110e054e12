"""py-evm on recorded reality: mainnet blocks against their receipts, attacks against their state, state tests."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.decoding import rlp
from gateway.decoding.envelope import decode_transaction
from gateway.decoding.keccak import keccak256
from gateway.errors import InvalidTransaction
from gateway.evaluate.benign import BENIGN, BenignSet, BlockRow
from gateway.evaluate.corpus import CORPUS, CaseRow, corpus_rows, read_case
from gateway.evm.py_evm import execute
from gateway.evm.simulator import ADMISSION, REPLAY, Limits
from gateway.evm.world import LayeredWorld
from gateway.model.block import Fork
from gateway.model.chain import ChainProfile
from gateway.model.profiles import ETHEREUM
from gateway.model.trace import SimulationResult
from tests.gateway.evm.fixtures import CONFORMANCE, MISSING, archive, octets, prestate, state_test_block
from tests.gateway.evm.state_root import state_root

PATIENT = Limits(wall_clock=60, accesses=10**7, logs=10**6, frames=10**6, output_bytes=10**9)
FULL = bool(os.environ.get("STOPGATE_TEST_FULL_REPLAY"))
"""everything instead of a sample; hours on a slow machine"""


def logs_hash(result: SimulationResult) -> bytes:
    return keccak256(
        rlp.encode([[log.address, list(log.topics), log.data] for log in result.trace.logs if not log.reverted])
    )


# mainnet blocks


def sampled_blocks() -> Iterator[BlockRow]:
    """The cheapest block that is not empty, fork by fork."""
    if not BENIGN.exists():
        return
    rows = sorted((row for row in BenignSet().rows if row.transactions), key=lambda row: row.gas_used)
    seen: set[Fork] = set()
    for row in rows:
        if FULL or row.fork not in seen:
            seen.add(row.fork)
            yield row


@pytest.mark.skipif(not BENIGN.exists(), reason=f"the benign blocks are not at {BENIGN}")
@pytest.mark.parametrize("row", [pytest.param(row, id=f"{row.fork}-{row.number}") for row in sampled_blocks()])
def test_a_mainnet_block_replays_to_its_receipts(row: BlockRow) -> None:
    block = BenignSet().read(row)
    world = LayeredWorld(complete=True)
    world.load(block.prestate)
    total = 0
    for recorded in block.transactions:
        transaction = decode_transaction(recorded.transaction.raw.data, ETHEREUM, replay=True)
        result = execute(world, transaction, block.context, limits=PATIENT, checks=ADMISSION)
        receipt = recorded.receipt
        assert (result.succeeded, result.gas_used) == (bool(receipt.status), receipt.gas_used), recorded.index
        assert logs_hash(result) == receipt.logs_hash, recorded.index
        if receipt.created is not None and result.succeeded:
            assert receipt.created in result.created
        world.apply(result.state_diff)
        total += result.gas_used
    assert total == block.gas_used


# attacks


def sampled_attacks() -> Iterator[CaseRow]:
    """Cheap verified ones, all of one transaction and some of several."""
    if not CORPUS.exists():
        return
    rows = [row for row in corpus_rows() if row.verified and row.gas]
    limit = 10**9 if FULL else 600_000
    cheap = sorted((row for row in rows if (row.gas or 0) < limit), key=lambda row: (row.gas or 0, row.id))
    several = [row for row in cheap if row.transactions > 1]
    yield from cheap if FULL else [*cheap[:: max(1, len(cheap) // 12)], *several[:3]]


@pytest.mark.corpus
@pytest.mark.skipif(not CORPUS.exists(), reason=f"the attack corpus is not at {CORPUS}")
@pytest.mark.parametrize("row", [pytest.param(row, id=row.id) for row in sampled_attacks()])
def test_a_recorded_attack_leaves_the_recorded_state(row: CaseRow) -> None:
    case = read_case(row.path)
    world = LayeredWorld(complete=True)
    world.load(case.prestate)
    for step in case.steps:
        world.load(step.patch)
        checks = ADMISSION if step.signed else REPLAY
        result = execute(world, step.transaction, step.block, limits=PATIENT, checks=checks)
        assert result.succeeded is step.succeeds
        world.apply(result.state_diff)
    for who, change in case.state_diff.items():
        found = {slot: world.slot(who, slot) or 0 for slot in change.storage}
        assert found == {slot: after for slot, (_, after) in change.storage.items()}, who
        if change.balance is not None:
            account = world.account(who)
            before = case.prestate.accounts[who].balance if who in case.prestate.accounts else 0
            assert account is not None
            assert account.balance - before == change.balance[1] - change.balance[0], who


# ethereum/tests

ARCHIVE = "general-state-tests.tar.zst"
FOLDERS = ("stCallCodes", "stCreate2", "stRevertTest", "stReturnDataTest", "stSStoreTest", "stSelfBalance", "Shanghai")
_FORK_NAMES = {
    "EIP150": "TangerineWhistle",
    "EIP158": "SpuriousDragon",
    "ConstantinopleFix": "Petersburg",
    "Merge": "Paris",
}
_EVERY = 1 if FULL else 11
_CASES = 1000 if FULL else 2


def sampled_state_tests() -> list[Any]:
    if not (CONFORMANCE / ARCHIVE).exists():
        return []
    paths = [path for path in sorted(archive(ARCHIVE)) if FULL or any(f"/{folder}/" in path for folder in FOLDERS)]
    return [pytest.param(path, id=Path(path).stem) for path in paths[::_EVERY]]


@pytest.mark.skipif(not (CONFORMANCE / ARCHIVE).exists(), reason=MISSING)
@pytest.mark.parametrize("path", sampled_state_tests())
def test_a_state_test_ends_in_the_recorded_root(path: str) -> None:
    for name, test in json.loads(archive(ARCHIVE)[path]).items():
        for fork_name, cases in test["post"].items():
            fork = Fork(_FORK_NAMES.get(fork_name, fork_name))
            for case in cases[:_CASES]:
                run_state_case(test, fork, case, f"{name}/{fork_name}/{case['indexes']}")


def run_state_case(test: dict[str, Any], fork: Fork, case: dict[str, Any], label: str) -> None:
    world = LayeredWorld(complete=True)
    world.load(prestate(test["pre"]))
    block = state_test_block(test["env"], fork)
    profile = ChainProfile("test", 1, ((0, fork),))
    try:
        transaction = decode_transaction(octets(case["txbytes"]), profile, replay=True)
        result = execute(world, transaction, block, limits=PATIENT)
    except InvalidTransaction:
        if "expectException" not in case:
            raise
        return
    assert "expectException" not in case, f"{label} should have been refused"
    touched = {frame.to for frame in result.trace.frames if frame.to is not None and not frame.reverted}
    root = state_root(world, result.state_diff, frozenset(touched | {block.coinbase}))
    assert logs_hash(result) == octets(case["logs"]), label
    assert root == octets(case["hash"]), label

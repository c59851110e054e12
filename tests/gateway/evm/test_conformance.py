"""revm on what ethereum/tests and go-ethereum record: state roots, logs, call trees, state differences.

A sample runs with every test run; `make test-conformance` runs all of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import pytest

from gateway.decoding import rlp
from gateway.decoding.keccak import keccak256
from gateway.decoding.native import decode_transaction
from gateway.errors import InvalidTransaction
from gateway.evm.simulator import Limits
from gateway.evm.world import LayeredWorld
from gateway.model.block import Fork
from gateway.model.chain import ChainProfile
from gateway.model.trace import AccessKind, FrameKind, SimulationResult
from tests.gateway.evm import test_geth_fixtures as geth
from tests.gateway.evm.fixtures import (
    CONFORMANCE,
    MISSING,
    address,
    archive,
    documents,
    geth_block,
    number,
    octets,
    prestate,
    state_test_block,
)
from tests.gateway.evm.state_root import state_root

pytest.importorskip("stopgate_engine", reason="the native engine is not built (make setup with cargo)")
from gateway.evm.revm import RevmSimulator

ARCHIVE, SLOW_ARCHIVE, TRACES = (
    "general-state-tests.tar.zst",
    "general-state-tests-slow.tar.zst",
    "geth-tracetest.tar.zst",
)
pytestmark = pytest.mark.skipif(not (CONFORMANCE / ARCHIVE).exists(), reason=MISSING)

PATIENT = Limits(wall_clock=300, accesses=10**8, logs=10**7, frames=10**7, output_bytes=10**10)
_FORK_NAMES = {
    "EIP150": "TangerineWhistle",
    "EIP158": "SpuriousDragon",
    "ConstantinopleFix": "Petersburg",
    "Merge": "Paris",
}
"""what ethereum/tests calls forks that have another name here"""
_STORAGE_LEFT = "creates where storage lies without code or nonce (EIP-7610): impossible on a chain, engines differ"
_EXCEPTIONS = {
    "create2collisionStorageParis": _STORAGE_LEFT,
    "dynamicAccountOverwriteEmpty_Paris": _STORAGE_LEFT,
    "InitCollisionParis": _STORAGE_LEFT,
    "RevertInCreateInInit_Paris": _STORAGE_LEFT,
    "RevertInCreateInInitCreate2Paris": _STORAGE_LEFT,
    "static_Call1MB1024Calldepth": "needs a gigabyte of memory; the engine ends a run at 256 MiB and says so",
}
"""Tests that are left out, and why; all others must pass."""
_SAMPLE = 25
"""one file of so many, and its first cases, with every test run"""


@pytest.fixture(scope="module")
def revm() -> RevmSimulator:
    return RevmSimulator()


@cache
def folders(name: str) -> Mapping[str, tuple[str, ...]]:
    """Paths of an archive by top folder."""
    found: dict[str, list[str]] = {}
    for path in sorted(archive(name)):
        found.setdefault(path.split("/")[1], []).append(path)
    return {folder: tuple(paths) for folder, paths in found.items()}


def folder_names(name: str) -> list[str]:
    return list(folders(name)) if (CONFORMANCE / name).exists() else []


def logs_hash(result: SimulationResult) -> bytes:
    return keccak256(
        rlp.encode([[log.address, list(log.topics), log.data] for log in result.trace.logs if not log.reverted])
    )


def root_after(world: LayeredWorld, result: SimulationResult) -> bytes:
    touched = {result.block.coinbase}
    for frame in result.trace.frames:
        account = frame.to if frame.kind is FrameKind.SELFDESTRUCT else frame.context
        if account is not None and not frame.reverted:
            touched.add(account)
    return state_root(world, result.state_diff, frozenset(touched))


def wrong(revm: RevmSimulator, path: str, data: bytes, most: int) -> Iterator[str]:
    """What is not as recorded in the first `most` cases of each test and fork of one file."""
    for name, test in json.loads(data).items():
        batch = prestate(test["pre"])
        for fork_name, cases in test["post"].items():
            fork = Fork(_FORK_NAMES.get(fork_name, fork_name))
            block = state_test_block(test["env"], fork)
            profile = ChainProfile("test", 1, ((0, fork),))
            for case in cases[:most]:
                label = f"{path}: {name}/{fork_name}/{case['indexes']}"
                reference, native = LayeredWorld(complete=True), revm.world(complete=True)
                reference.load(batch)
                native.load(batch)
                refused = "expectException" in case
                try:
                    transaction = decode_transaction(octets(case["txbytes"]), profile, replay=True)
                    result = revm.run(native, transaction, block, limits=PATIENT)
                except InvalidTransaction as refusal:
                    if not refused:
                        yield f"{label}: refused: {refusal}"
                    continue
                if refused:
                    yield f"{label}: executed, should have been refused: {case['expectException']}"
                elif result.truncated is not None:
                    yield f"{label}: truncated: {result.truncated}"
                elif logs_hash(result) != octets(case["logs"]):
                    yield f"{label}: logs"
                elif root_after(reference, result) != octets(case["hash"]):
                    yield f"{label}: state root"


def run_folder(revm: RevmSimulator, name: str, folder: str, every: int = 1, most: int = 10**6) -> list[str]:
    found = []
    for path in folders(name)[folder][::every]:
        if path.rsplit("/", 1)[1].removesuffix(".json") not in _EXCEPTIONS:
            found += wrong(revm, path, archive(name)[path], most)
    return found


def test_a_sample_of_the_state_tests_ends_in_the_recorded_roots(revm: RevmSimulator) -> None:
    found = [line for folder in folder_names(ARCHIVE) for line in run_folder(revm, ARCHIVE, folder, _SAMPLE, 4)]
    assert found == []


@pytest.mark.slow
@pytest.mark.parametrize("folder", folder_names(ARCHIVE))
def test_every_state_test_ends_in_the_recorded_root(revm: RevmSimulator, folder: str) -> None:
    assert run_folder(revm, ARCHIVE, folder) == []


@pytest.mark.slow
@pytest.mark.parametrize("folder", folder_names(SLOW_ARCHIVE))
def test_every_slow_state_test_ends_in_the_recorded_root(revm: RevmSimulator, folder: str) -> None:
    assert run_folder(revm, SLOW_ARCHIVE, folder) == []


# go-ethereum's tracer fixtures; the comparisons are those of the py-evm tests


def run(revm: RevmSimulator, document: Mapping[str, Any]) -> SimulationResult:
    block = geth_block(document)
    world = revm.world(complete=True)
    world.load(prestate(document["genesis"]["alloc"]))
    profile = ChainProfile("fixture", block.chain_id, ((0, block.fork),))
    transaction = decode_transaction(octets(document["input"]), profile, replay=True)
    return revm.run(world, transaction, block, limits=PATIENT)


def traces(*names: str) -> list[Any]:
    if not (CONFORMANCE / TRACES).exists():
        return []
    return [
        pytest.param(document, id=f"{folder}-{name}")
        for folder in names
        for name, document in documents(TRACES, folder)
    ]


@pytest.mark.parametrize("document", traces("call_tracer", "call_tracer_withLog"))
def test_the_call_tree_is_geths(revm: RevmSimulator, document: Mapping[str, Any]) -> None:
    result = run(revm, document)
    top_only = bool(document.get("tracerConfig", {}).get("onlyTopCall"))
    compared = geth.assert_same_tree(
        result.trace, result.trace.frames[0], document["result"], result.block.fork, top_only=top_only
    )
    assert top_only or compared == len(result.trace.frames)


@pytest.mark.parametrize("document", traces("prestate_tracer_with_diff_mode"))
def test_the_state_diff_is_geths(revm: RevmSimulator, document: Mapping[str, Any]) -> None:
    geth.assert_same_diff(run(revm, document), document)


@pytest.mark.parametrize("document", traces("prestate_tracer"))
def test_the_slots_read_and_written_are_geths(revm: RevmSimulator, document: Mapping[str, Any]) -> None:
    """geth's prestateTracer lists every slot that an opcode touched, with its value before."""
    options = document.get("tracerConfig", {})
    if options.get("disableStorage"):
        pytest.skip("the fixture leaves storage out")
    result = run(revm, document)
    assert result.trace.accesses is not None
    before: dict[tuple[str, int], int] = {}
    for access in result.trace.accesses:
        if access.kind in (AccessKind.SLOAD, AccessKind.SSTORE):
            before.setdefault((access.address, access.slot), access.previous)
    created = set(result.created)
    expected = {
        (address(who), number(slot)): number(value)
        for who, account in document["result"].items()
        for slot, value in account.get("storage", {}).items()
    }
    assert {key: value for key, value in before.items() if key[0] not in created} == {
        key: value for key, value in expected.items() if key[0] not in created
    }

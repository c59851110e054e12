"""py-evm's trees, logs and differences against what go-ethereum's own tracer tests expect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from gateway.decoding.envelope import decode_transaction
from gateway.evm.py_evm import execute
from gateway.evm.simulator import ADMISSION, Limits
from gateway.evm.world import LayeredWorld
from gateway.model.block import Fork
from gateway.model.chain import ChainProfile
from gateway.model.trace import AccountDiff, CallFrame, FrameKind, SimulationResult, Trace
from tests.gateway.evm.fixtures import CONFORMANCE, MISSING, address, documents, geth_block, number, octets, prestate

ARCHIVE = "geth-tracetest.tar.zst"
pytestmark = pytest.mark.skipif(not (CONFORMANCE / ARCHIVE).exists(), reason=MISSING)


def cases(folder: str) -> list[Any]:
    if not (CONFORMANCE / ARCHIVE).exists():
        return [pytest.param(None, id="absent")]
    return [pytest.param(document, id=name) for name, document in documents(ARCHIVE, folder)]


def run(document: Mapping[str, Any]) -> SimulationResult:
    block = geth_block(document)
    world = LayeredWorld(complete=True)
    world.load(prestate(document["genesis"]["alloc"]))
    profile = ChainProfile("fixture", block.chain_id, ((0, block.fork),))
    transaction = decode_transaction(octets(document["input"]), profile, replay=True)
    return execute(world, transaction, block, limits=Limits(wall_clock=20), checks=ADMISSION)


def assert_same_error(found: str | None, expected: str | None) -> None:
    """geth adds figures to two of its texts, which py-evm does not have."""
    for prefix in ("stack underflow", "stack limit reached", "invalid opcode"):
        if expected and expected.startswith(prefix):
            expected = prefix
            found = found and found[: len(prefix)]
    assert found == expected


def unpaid_deposit(frame: CallFrame, fork: Fork) -> bool:
    """Frontier let a creation succeed that could not pay for its code: geth prints that code, py-evm drops it."""
    return fork is Fork.FRONTIER and frame.kind is FrameKind.CREATE and frame.error is None and not frame.output


def assert_same_tree(trace: Trace, frame: CallFrame, expected: Mapping[str, Any], fork: Fork, *, top_only: bool) -> int:
    """Compare one frame and what lies below; the number of frames compared."""
    assert frame.kind.value == expected["type"]
    assert frame.from_ == address(expected["from"])
    if expected.get("to"):
        assert frame.to == address(expected["to"])
    assert frame.value == number(expected.get("value"))
    assert frame.gas == number(expected["gas"])
    assert frame.gas_used == number(expected["gasUsed"])
    assert frame.input == octets(expected["input"])
    if not unpaid_deposit(frame, fork):
        assert frame.output == octets(expected.get("output"))
    assert_same_error(frame.error, expected.get("error"))
    if frame.revert_reason is not None:
        assert frame.revert_reason == expected.get("revertReason")
    if "logs" in expected:
        logs = [log for log in trace.logs if log.frame == frame.index and not log.reverted]
        assert [(log.address, list(log.topics), log.data) for log in logs] == [
            (address(log["address"]), [octets(topic) for topic in log["topics"]], octets(log["data"]))
            for log in expected["logs"]
        ]
    if top_only:
        return 1
    children = [child for child in trace.frames if child.parent == frame.index]
    wanted = expected.get("calls", [])
    assert [child.kind.value for child in children] == [child["type"] for child in wanted]
    return 1 + sum(
        assert_same_tree(trace, child, other, fork, top_only=False)
        for child, other in zip(children, wanted, strict=True)
    )


@pytest.mark.parametrize("document", [*cases("call_tracer"), *cases("call_tracer_withLog")])
def test_the_call_tree_is_geths(document: Mapping[str, Any]) -> None:
    result = run(document)
    top_only = bool(document.get("tracerConfig", {}).get("onlyTopCall"))
    compared = assert_same_tree(
        result.trace, result.trace.frames[0], document["result"], result.block.fork, top_only=top_only
    )
    assert top_only or compared == len(result.trace.frames)


def visible(result: SimulationResult, *, code: bool, storage: bool) -> dict[str, AccountDiff]:
    """The accounts whose change a tracer with these options would show."""
    return {
        str(who): change
        for who, change in result.state_diff.items()
        if change.balance or change.nonce or (code and change.code) or (storage and change.storage)
    }


def assert_same_part(change: AccountDiff, after: Mapping[str, Any], *, code: bool, storage: bool) -> None:
    if "balance" in after:
        assert change.balance is not None
        assert change.balance[1] == number(after["balance"])
    if "nonce" in after:
        assert change.nonce is not None
        assert change.nonce[1] == number(after["nonce"])
    if "code" in after and code:
        assert change.code is not None
        assert change.code[1] == octets(after["code"])
    if storage:
        left = {slot: pair[1] for slot, pair in change.storage.items() if pair[1]}
        assert left == {number(slot): number(value) for slot, value in after.get("storage", {}).items()}


def assert_same_diff(result: SimulationResult, document: Mapping[str, Any]) -> None:
    """Compare the net state difference with what geth's prestateTracer gives in diffMode."""
    options = document.get("tracerConfig", {})
    code, storage = not options.get("disableCode"), not options.get("disableStorage")
    diff = visible(result, code=code, storage=storage)
    post, pre = document["result"]["post"], document["result"]["pre"]
    gone = set(pre) - set(post)  # destroyed, or its code was cleared and nothing else is left
    assert set(diff) == set(post) | gone
    for who, after in post.items():
        assert_same_part(diff[who], after, code=code, storage=storage)
    for who, before in pre.items():
        change = diff[who]
        if change.balance:
            assert change.balance[0] == number(before.get("balance"))
        if storage:
            changed = {slot: pair[0] for slot, pair in change.storage.items() if pair[0]}
            recorded = {number(slot): number(value) for slot, value in before.get("storage", {}).items()}
            assert changed == {slot: value for slot, value in recorded.items() if value}


@pytest.mark.parametrize("document", cases("prestate_tracer_with_diff_mode"))
def test_the_state_diff_is_geths(document: Mapping[str, Any]) -> None:
    assert_same_diff(run(document), document)


def test_a_refused_call_is_a_frame_as_in_geth() -> None:
    """inner_instafail: the inner call has no money behind it."""
    document = next(document for name, document in documents(ARCHIVE, "call_tracer") if name == "inner_instafail")
    frames = run(document).trace.frames
    assert [frame.error for frame in frames if frame.kind is FrameKind.CALL and frame.error]

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.evm.crosscheck import Explanation, compare
from gateway.evm.py_evm import execute
from gateway.evm.simulator import Limits
from gateway.model.block import Fork
from gateway.model.trace import AccountDiff, SimulationResult, SimulationStatus, Trace
from tests.gateway.evm.scenes import (
    ADD_ONE,
    ANNOUNCE,
    CONTRACT,
    FOREVER,
    OTHER,
    STOP,
    account,
    block,
    call,
    transaction,
    world,
)


@pytest.fixture
def result() -> SimulationResult:
    made = world(ADD_ONE + call(OTHER) + STOP, accounts={OTHER: account(ANNOUNCE + STOP)})
    return execute(made, transaction(), block())


def with_frame(result: SimulationResult, index: int, **changes: Any) -> SimulationResult:
    frames = list(result.trace.frames)
    frames[index] = frames[index]._replace(**changes)
    return replace(result, engine="other", trace=Trace(frames, result.trace.logs))


def test_a_result_agrees_with_itself_and_with_one_that_has_less(result: SimulationResult) -> None:
    poorer = replace(result, engine="node", duration=9.0, trace=Trace(result.trace.frames, result.trace.logs))
    assert compare(result, result) is None
    assert compare(result, poorer) is None


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"status": SimulationStatus.HALTED}, "status"),
        ({"gas_used": 1}, "gas_used"),
        ({"output": b"\x01"}, "output"),
        ({"error": "out of gas"}, "error"),
        ({"destroyed": (OTHER,)}, "destroyed"),
        ({"state_diff": {}}, "state_diff"),
    ],
)
def test_a_planted_difference_is_named(result: SimulationResult, changes: dict[str, Any], field: str) -> None:
    found = compare(result, replace(result, engine="other", **changes))
    assert found is not None
    assert found.field.startswith(field)
    assert found.disagreement
    assert found.engines == ("py-evm", "other")
    assert "py-evm" in str(found)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"gas_used": 5}, "frames[1].gas_used"),
        ({"output": b"\x09"}, "frames[1].output"),
        ({"value": 1}, "frames[1].value"),
        ({"to": CONTRACT}, "frames[1].to"),
        ({"error": "write protection"}, "frames[1].error"),
    ],
)
def test_a_child_frame_is_compared_field_by_field(
    result: SimulationResult, changes: dict[str, Any], field: str
) -> None:
    found = compare(result, with_frame(result, 1, **changes))
    assert found is not None
    assert found.field == field


def test_the_root_frames_gas_is_the_engines_own_affair(result: SimulationResult) -> None:
    assert compare(result, with_frame(result, 0, gas_used=1)) is None


def test_one_slot_is_named(result: SimulationResult) -> None:
    changed = dict(result.state_diff)
    changed[CONTRACT] = AccountDiff(storage={0: (0, 2)})
    found = compare(result, replace(result, state_diff=changed))
    assert found is not None
    assert found.field == f"state_diff[{CONTRACT}].storage[0x0]"
    assert (found.first, found.second) == ("(0, 1)", "(0, 2)")


def test_the_name_of_a_halt_does_not_matter_but_what_it_entails_does(result: SimulationResult) -> None:
    ours = with_frame(result, 1, error="stack underflow")
    assert compare(ours, with_frame(result, 1, error="stack underflow (0 <=> 2)")) is None
    assert compare(ours, with_frame(result, 1, error="out of gas")) is None
    for other in ("execution reverted", "max call depth exceeded", "insufficient balance for transfer", None):
        assert compare(ours, with_frame(result, 1, error=other)) is not None


def test_what_the_fork_explains_is_no_disagreement() -> None:
    # CLZ (EIP-7939) came with Osaka: py-evm, which ends at Prague, halts on it
    older = execute(world(b"\x5f\x1e" + STOP), transaction(), block(Fork.OSAKA))
    newer = replace(older, engine="revm", status=SimulationStatus.SUCCESS, error=None)
    found = compare(newer, older)
    assert found is not None
    assert found.explanation is Explanation.FORK
    assert not found.disagreement


def test_a_truncated_run_is_no_disagreement() -> None:
    cut = execute(world(FOREVER), transaction(gas=30_000_000), block(), limits=Limits(wall_clock=0.05))
    whole = replace(cut, engine="revm", truncated=None)
    found = compare(cut, whole)
    assert found is not None
    assert found.explanation is Explanation.TRUNCATED

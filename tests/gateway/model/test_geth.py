from __future__ import annotations

import pytest

from gateway.model.geth import geth_call_tracer
from gateway.model.trace import FrameKind, Log, Trace
from tests.cases import POOL, ROUTER, SENDER, TOKEN, frame


def test_renders_the_tree_in_geths_words() -> None:
    trace = Trace(
        frames=[
            frame(0, value=5),
            frame(1, 0, kind=FrameKind.DELEGATECALL, entered=2),
            frame(2, 0, entered=6, error="execution reverted", revert_reason="no", output=b""),
            frame(3, 1, kind=FrameKind.CREATE, to=None, entered=3),
        ],
        logs=[Log(5, 0, TOKEN, (b"\x01" * 32,), b"\x02", False), Log(7, 2, TOKEN, (), b"", True)],
    )
    root = geth_call_tracer(trace)
    assert (root["type"], root["from"], root["to"], root["value"]) == ("CALL", str(SENDER), str(ROUTER), "0x5")
    assert [call["type"] for call in root["calls"]] == ["DELEGATECALL", "CALL"]
    assert "value" not in root["calls"][0]
    assert root["calls"][1]["error"] == "execution reverted"
    assert root["calls"][1]["revertReason"] == "no"
    assert "output" not in root["calls"][1]
    assert "to" not in root["calls"][0]["calls"][0]
    assert root["logs"] == [
        {"address": str(TOKEN), "topics": ["0x" + "01" * 32], "data": "0x02", "index": "0x0", "position": "0x1"}
    ]
    assert "logs" not in root["calls"][1], "geth leaves out the logs of an undone frame"


def test_depth_does_not_exhaust_the_stack() -> None:
    node = geth_call_tracer(Trace([frame(index, index - 1) for index in range(5_000)]))
    depth = 1
    while "calls" in node:
        node, depth = node["calls"][0], depth + 1
    assert depth == 5_000
    assert node["to"] == str(POOL)


def test_refuses_a_trace_without_frames() -> None:
    with pytest.raises(ValueError, match="without frames"):
        geth_call_tracer(Trace([]))

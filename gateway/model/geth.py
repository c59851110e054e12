"""Renders a trace as the JSON that geth's callTracer (with logs) prints, so that other tools can read it."""

from __future__ import annotations

from typing import Any

from gateway.model.trace import CallFrame, Log, Trace


def geth_call_tracer(trace: Trace) -> dict[str, Any]:
    """The call tree in callTracer form with `withLog`; iterative, so depth cannot exhaust the stack.

    Source: https://geth.ethereum.org/docs/developers/evm-tracing/built-in-tracers#call-tracer. As there, logs of
    frames that were undone are left out, and `position` counts the calls made before the log.

    Raises:
        ValueError: the trace has no frames.
    """
    if not trace.frames:
        raise ValueError("a trace without frames has no callTracer form")
    nodes = [_node(frame) for frame in trace.frames]
    entered: dict[int, list[int]] = {}
    for frame in trace.frames:
        if frame.parent >= 0:
            nodes[frame.parent].setdefault("calls", []).append(nodes[frame.index])
            entered.setdefault(frame.parent, []).append(frame.entered)
    for index, log in enumerate(kept for kept in trace.logs if not kept.reverted):
        if log.frame < len(nodes):
            before = sum(1 for sequence in entered.get(log.frame, ()) if sequence < log.sequence)
            nodes[log.frame].setdefault("logs", []).append(_log(log, index, before))
    return nodes[0]


def _node(frame: CallFrame) -> dict[str, Any]:
    node: dict[str, Any] = {
        "type": frame.kind.value,
        "from": str(frame.from_),
        "gas": hex(frame.gas),
        "gasUsed": hex(frame.gas_used),
        "input": "0x" + frame.input.hex(),
    }
    if frame.to is not None:
        node["to"] = str(frame.to)
    if frame.kind.value not in ("STATICCALL", "DELEGATECALL"):
        node["value"] = hex(frame.value)
    if frame.output:
        node["output"] = "0x" + frame.output.hex()
    if frame.error is not None:
        node["error"] = frame.error
    if frame.revert_reason is not None:
        node["revertReason"] = frame.revert_reason
    return node


def _log(log: Log, index: int, position: int) -> dict[str, Any]:
    return {
        "address": str(log.address),
        "topics": ["0x" + topic.hex() for topic in log.topics],
        "data": "0x" + log.data.hex(),
        "index": hex(index),
        "position": hex(position),
    }

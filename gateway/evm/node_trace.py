"""geth's callTracer and prestateTracer answers as our values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from gateway.decoding.abi import revert_reason
from gateway.evm.simulator import Limits
from gateway.evm.tracer import REVERTED
from gateway.model.primitive import ZERO_ADDRESS, Address
from gateway.model.trace import AccountDiff, CallFrame, FrameKind, Log, StateDiff, Trace

_CREATIONS = (FrameKind.CREATE, FrameKind.CREATE2)


class _Node:
    """One frame of the tree on its way to a CallFrame; children and logs wait in the order they happened."""

    def __init__(self, data: Mapping[str, Any], index: int, parent: _Node | None, sequence: int) -> None:
        self.data, self.index, self.parent, self.entered = data, index, parent, sequence
        self.left = sequence
        self.kind = FrameKind(data["type"])
        error = data.get("error")
        self.error = None if error is None else str(error)
        self.reverted: bool = self.error is not None or (parent is not None and parent.reverted)
        self.rest = _in_order(data)

    def frame(self) -> CallFrame:
        data, parent = self.data, self.parent
        to = None if data.get("to") is None else Address.from_hex(data["to"])
        output = _octets(data.get("output"))
        if self.kind is FrameKind.DELEGATECALL and parent is not None:
            value = int(parent.data.get("value") or "0x0", 16)
        else:
            value = int(data.get("value") or "0x0", 16)
        reason = revert_reason(output) if self.error == REVERTED else None
        return CallFrame(
            index=self.index,
            parent=-1 if parent is None else parent.index,
            depth=0 if parent is None else _depth(self),
            kind=self.kind,
            from_=Address.from_hex(data["from"]),
            to=None if self.kind in _CREATIONS and to == ZERO_ADDRESS else to,
            code_address=to,
            code_hash=None,
            value=value,
            gas=int(data["gas"], 16),
            gas_used=int(data["gasUsed"], 16),
            input=_octets(data.get("input")),
            output=output,
            error=self.error,
            revert_reason=reason,
            entered=self.entered,
            left=self.left,
            reverted=self.reverted,
        )


def _depth(node: _Node) -> int:
    depth = 0
    while node.parent is not None:
        node, depth = node.parent, depth + 1
    return depth


def _in_order(data: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Calls and logs of one frame; a log's `position` counts the calls made before it."""
    calls = data.get("calls") or ()
    logs = sorted(data.get("logs") or (), key=lambda log: int(log.get("position") or "0x0", 16))
    made = 0
    for log in logs:
        position = int(log.get("position") or "0x0", 16)
        while made < min(position, len(calls)):
            yield "call", calls[made]
            made += 1
        yield "log", log
    for call in calls[made:]:
        yield "call", call


def read_trace(tree: Mapping[str, Any], limits: Limits) -> tuple[Trace, str | None]:
    """The flat trace, and the limit that cut it short if one did.

    Iterative, for a tree may be a thousand calls deep. Logs of undone frames are not in geth's answer.
    Raises KeyError, TypeError or ValueError for an answer that is no call tree.
    """
    nodes = [_Node(tree, 0, None, 0)]
    logs: list[Log] = []
    open_nodes, sequence, truncated = [nodes[0]], 1, None
    while open_nodes:
        node = open_nodes[-1]
        entry = next(node.rest, None)
        if entry is None:
            node.left = sequence
            open_nodes.pop()
        elif len(nodes) >= limits.frames or len(logs) >= limits.logs:
            truncated = "frames" if len(nodes) >= limits.frames else "logs"
            node.rest = iter(())
            continue
        elif entry[0] == "call":
            child = _Node(entry[1], len(nodes), node, sequence)
            nodes.append(child)
            open_nodes.append(child)
        else:
            logs.append(_log(entry[1], sequence, node))
        sequence += 1
    return Trace([node.frame() for node in nodes], logs), truncated


def _log(data: Mapping[str, Any], sequence: int, node: _Node) -> Log:
    return Log(
        sequence=sequence,
        frame=node.index,
        address=Address.from_hex(data["address"]),
        topics=tuple(bytes.fromhex(topic[2:]) for topic in data.get("topics") or ()),
        data=_octets(data.get("data")),
        reverted=node.reverted,
    )


def read_diff(document: Mapping[str, Any]) -> tuple[StateDiff, tuple[Address, ...]]:
    """The state difference and the destroyed accounts.

    In diff mode `pre` holds what changed accounts were, `post` only what became different; an account that is in
    `pre` alone is gone, a slot that is in `pre` alone became zero.
    """
    pre, post = document["pre"], document["post"]
    diff: dict[Address, AccountDiff] = {}
    destroyed = []
    for key in sorted(pre.keys() | post.keys()):
        address = Address.from_hex(key)
        before, after = pre.get(key, {}), post.get(key)
        if after is None:
            destroyed.append(address)
            after = {"balance": "0x0", "nonce": 0, "code": "0x"}
        change = _account(before, after)
        if change != AccountDiff():
            diff[address] = change
    return diff, tuple(destroyed)


def _account(before: Mapping[str, Any], after: Mapping[str, Any]) -> AccountDiff:
    balance = nonce = None
    code: tuple[bytes, bytes] | None = None
    if "balance" in after:
        balance = (_number(before.get("balance")), _number(after["balance"]))
    if "nonce" in after:
        nonce = (_number(before.get("nonce")), _number(after["nonce"]))
    if "code" in after:
        code = (_octets(before.get("code")), _octets(after["code"]))
    old = {int(slot, 16): int(value, 16) for slot, value in (before.get("storage") or {}).items()}
    new = {int(slot, 16): int(value, 16) for slot, value in (after.get("storage") or {}).items()}
    storage = {slot: (old.get(slot, 0), new.get(slot, 0)) for slot in sorted(old.keys() | new.keys())}
    return AccountDiff(
        balance=_changed(balance),
        nonce=_changed(nonce),
        code=_changed(code),
        storage={slot: pair for slot, pair in storage.items() if pair[0] != pair[1]},
    )


_Value = TypeVar("_Value")


def _changed(pair: tuple[_Value, _Value] | None) -> tuple[_Value, _Value] | None:
    return None if pair is None or pair[0] == pair[1] else pair


def _number(value: int | str | None) -> int:
    if value is None:
        return 0
    return value if isinstance(value, int) else int(value, 16)


def _octets(text: str | None) -> bytes:
    return bytes.fromhex(text[2:]) if text else b""

"""Chooses which frames of a call tree a page shows, and puts them in an order that nests without recursion.

A page shows a bounded number of frames however large the trace is: those that findings point at, their callers, then
as many as fit in the order of execution. What is left out is counted where it would stand.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from dashboard.render.quantity import amount_text, asset_of, decimal_text
from dashboard.render.signatures import Reading, read_call, read_event
from dashboard.render.text import clean, shorten
from gateway.model.case import TokenInfo
from gateway.model.facts import TokenStandard
from gateway.model.primitive import Address
from gateway.model.trace import CallFrame, FrameKind, Log, Trace


class Step(StrEnum):
    """What the template does next."""

    OPEN = "open"
    LEAF = "leaf"
    CLOSE = "close"
    HIDDEN = "hidden"


@dataclass(frozen=True, slots=True)
class EventLine:
    """One event of a frame."""

    address: Address
    reading: Reading
    reverted: bool


@dataclass(frozen=True, slots=True)
class FrameLine:
    """One frame in words."""

    index: int
    depth: int
    kind: str
    from_: Address
    to: Address | None
    label: str
    """name of the callee, empty if unknown"""
    reading: Reading
    value: str
    """with the chain's symbol; empty for none"""
    gas_used: int
    error: str
    reverted: bool
    focus: bool
    """a finding points here"""
    open: bool
    events: tuple[EventLine, ...]


@dataclass(frozen=True, slots=True)
class TreeStep:
    """One step of printing the tree."""

    step: Step
    line: FrameLine | None = None
    hidden: int = 0
    """frames left out at this place"""
    under: int = 0
    """the frame they lie under"""


def tree_steps(
    trace: Trace,
    *,
    root: int = 0,
    focus: Collection[int] = (),
    labels: Mapping[Address, str] | None = None,
    native: str = "ETH",
    most: int = 150,
    tokens: Mapping[Address, TokenInfo] | None = None,
) -> Iterator[TreeStep]:
    """Print steps for the subtree of frame `root` with at most about `most` frames."""
    frames = trace.frames
    if not 0 <= root < len(frames):
        return
    end = _subtree_end(frames, root)
    shown = _choose(frames, root, end, frozenset(focus), most)
    spine = _ancestors(frames, focus)
    logs: dict[int, list[Log]] = {}
    for log in trace.logs:
        if log.frame in shown:
            logs.setdefault(log.frame, []).append(log)
    parents = {frames[index].parent for index in range(root + 1, end)}
    open_frames: list[int] = []
    hidden = _hidden(frames, root, end, shown)
    for index in sorted(shown):
        frame = frames[index]
        while open_frames and open_frames[-1] != frame.parent:
            yield from _close(open_frames.pop(), hidden)
        depth = frame.depth - frames[root].depth
        words = _Words(labels or {}, tokens or {}, native)
        line = _line(frame, depth, index in focus, index in spine, logs, words)
        if index in parents:
            open_frames.append(index)
            yield TreeStep(Step.OPEN, line)
        else:
            yield TreeStep(Step.LEAF, line)
    while open_frames:
        yield from _close(open_frames.pop(), hidden)


def frame_path(trace: Trace, index: int) -> Sequence[CallFrame]:
    """The frame and its callers, the transaction first."""
    path = [trace.frames[index]]
    while path[-1].parent >= 0:
        path.append(trace.frames[path[-1].parent])
    return tuple(reversed(path))


def find_frames(trace: Trace, words: str, labels: Mapping[Address, str], most: int = 200) -> Sequence[CallFrame]:
    """Frames whose addresses, label, function name, selector or error contain every word."""
    wanted = words.lower().split()[:8]
    found = []
    for frame in trace.frames:
        haystack = " ".join(
            (
                str(frame.from_),
                str(frame.to or ""),
                labels.get(frame.to, "") if frame.to else "",
                read_call(frame.input).name if frame.kind not in _CREATIONS else "create",
                "0x" + frame.input[:4].hex(),
                frame.kind.value,
                frame.error or "",
                frame.revert_reason or "",
            )
        ).lower()
        if all(word in haystack for word in wanted):
            found.append(frame)
            if len(found) == most:
                break
    return tuple(found)


def frame_line(
    frame: CallFrame, labels: Mapping[Address, str], native: str, tokens: Mapping[Address, TokenInfo] | None = None
) -> FrameLine:
    """One frame alone, without its events."""
    return _line(frame, 0, False, False, {}, _Words(labels, tokens or {}, native))


_AMOUNTS = frozenset({"amount", "value", "wad", "assets"})
"""what standard functions and events of tokens call an amount of the token itself"""


@dataclass(frozen=True, slots=True)
class _Words:
    labels: Mapping[Address, str]
    tokens: Mapping[Address, TokenInfo]
    native: str

    def of(self, reading: Reading, speaker: Address | None) -> Reading:
        """Addresses by name or shortened, amounts of a token that described itself in its own unit."""
        arguments = tuple((name, self._argument(name, text, speaker)) for name, text in reading.arguments)
        return replace(reading, arguments=arguments)

    def _argument(self, name: str, text: str, speaker: Address | None) -> str:
        if len(text) == 42 and text.startswith("0x"):
            return clean(self.labels.get(Address.from_hex(text), ""), 40) or shorten(text)
        digits = text.replace(",", "")
        if speaker is not None and speaker in self.tokens and name in _AMOUNTS and digits.isdecimal():
            return amount_text(int(digits), asset_of(speaker, TokenStandard.ERC20, self.tokens, self.native))
        return text


_CREATIONS = (FrameKind.CREATE, FrameKind.CREATE2)


def _subtree_end(frames: Sequence[CallFrame], root: int) -> int:
    end = root + 1
    while end < len(frames) and frames[end].depth > frames[root].depth:
        end += 1
    return end


def _ancestors(frames: Sequence[CallFrame], focus: Collection[int]) -> frozenset[int]:
    found: set[int] = set()
    for index in focus:
        while 0 <= index < len(frames) and index not in found:
            found.add(index)
            index = frames[index].parent
    return frozenset(found)


def _choose(frames: Sequence[CallFrame], root: int, end: int, focus: frozenset[int], most: int) -> frozenset[int]:
    wanted = sorted(index for index in focus if root <= index < end)[: most // 2]
    shown = {index for index in _ancestors(frames, wanted) if root <= index < end} | {root}
    depths = [frame.depth for frame in frames]
    by_depth = sorted(range(root, end), key=depths.__getitem__)
    for index in by_depth:  # shallow frames first: the outline of what happened
        if len(shown) >= most:
            break
        if index == root or frames[index].parent in shown:
            shown.add(index)
    return frozenset(shown)


def _hidden(frames: Sequence[CallFrame], root: int, end: int, shown: frozenset[int]) -> Mapping[int, int]:
    """Shown frame -> frames below it that are left out, each counted under its nearest shown caller."""
    counts: dict[int, int] = {}
    nearest: dict[int, int] = {}
    for index in range(root + 1, end):
        if index in shown:
            continue
        parent = frames[index].parent
        nearest[index] = above = parent if parent in shown else nearest[parent]
        counts[above] = counts.get(above, 0) + 1
    return counts


def _close(index: int, hidden: Mapping[int, int]) -> Iterator[TreeStep]:
    if index in hidden:
        yield TreeStep(Step.HIDDEN, hidden=hidden[index], under=index)
    yield TreeStep(Step.CLOSE)


def _line(
    frame: CallFrame,
    depth: int,
    focus: bool,
    open_: bool,
    logs: Mapping[int, list[Log]],
    words: _Words,
) -> FrameLine:
    creation = frame.kind in _CREATIONS
    error = frame.error or ""
    if frame.revert_reason:
        error = f"{error}: {clean(frame.revert_reason, 200)}"
    own_value = frame.value and frame.kind is not FrameKind.DELEGATECALL
    return FrameLine(
        index=frame.index,
        depth=depth,
        kind=frame.kind.value,
        from_=frame.from_,
        to=frame.to,
        label=clean(words.labels.get(frame.to, ""), 40) if frame.to else "",
        reading=Reading("new contract", (), True) if creation else words.of(read_call(frame.input), frame.to),
        value=f"{decimal_text(frame.value, 18)} {words.native}" if own_value else "",
        gas_used=frame.gas_used,
        error=error,
        reverted=frame.reverted,
        focus=focus,
        open=open_ or depth < 3,
        events=tuple(
            EventLine(log.address, words.of(read_event(log.topics, log.data), log.address), log.reverted)
            for log in logs.get(frame.index, ())[:20]
        ),
    )

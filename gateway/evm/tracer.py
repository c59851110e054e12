"""Collects what a run does at call, storage and log level; never one opcode at a time."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from gateway.decoding.abi import revert_reason
from gateway.evm.simulator import Limits
from gateway.model.primitive import Address, Hash32
from gateway.model.trace import AccessKind, CallFrame, EnvironmentRead, FrameKind, Log, StorageAccess, Trace

REVERTED: Final = "execution reverted"
PRECOMPILE_FAILED: Final = "precompile failed"
"""geth has a text of its own for each way to fail a precompile; py-evm does not tell them apart"""
ABORTED: Final = "execution aborted"
"""a frame that was still open when a limit ended the run"""

_SPECULATION: Final = 0.01
"""seconds a run may go on with zeros for unknown state, only to learn more keys for the same batch"""
_MAX_PREIMAGES: Final = 20_000
_TICKS: Final = 256


class LimitReached(Exception):
    """A bound of the run was hit; `limit` names it as `SimulationResult.truncated` does."""

    def __init__(self, limit: str) -> None:
        super().__init__(limit)
        self.limit = limit


class Frame:
    """A call frame while it is being filled."""

    __slots__ = (
        "code_address",
        "code_hash",
        "depth",
        "entered",
        "error",
        "from_",
        "gas",
        "gas_used",
        "index",
        "input",
        "kind",
        "left",
        "output",
        "parent",
        "to",
        "value",
    )

    def __init__(self, index: int, parent: int, depth: int, kind: FrameKind, entered: int) -> None:
        self.index, self.parent, self.depth, self.kind, self.entered = index, parent, depth, kind, entered
        self.left = -1
        self.from_ = b""
        self.to: bytes | None = None
        self.code_address: bytes | None = None
        self.code_hash: Hash32 | None = None
        self.value = self.gas = self.gas_used = 0
        self.input = self.output = b""
        self.error: str | None = None


class Recorder:
    """One run's notes and its budget. Frames, accesses and logs share one sequence counter."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.deadline = time.monotonic() + limits.wall_clock
        self.sequence = 0
        self.frames: list[Frame] = []
        self.open: list[Frame] = []
        self.logs: list[tuple[int, int, bytes, tuple[bytes, ...], bytes]] = []
        self.accesses: list[tuple[int, int, AccessKind, bytes, int, int, int]] = []
        self.environment: dict[tuple[int, str], int] = {}
        self.preimages: dict[int, bytes] = {}
        self.codes: dict[Hash32, bytes] = {}
        self.kind = FrameKind.CALL
        """how the next frame is entered; set by the opcode that makes it"""
        self.target: bytes | None = None
        """whose code the next frame runs, before an EIP-7702 delegation is followed"""
        self._bytes = 0
        self._ticks = _TICKS

    def speculate(self) -> None:
        """The first unknown key was met: from here on the run only looks for more of them."""
        self.deadline = min(self.deadline, time.monotonic() + _SPECULATION)

    def tick(self) -> None:
        """Called at every jump: looks at the clock now and then."""
        self._ticks -= 1
        if self._ticks < 0:
            self._ticks = _TICKS
            self.check_clock()

    def check_clock(self) -> None:
        """End the run when its time is over."""
        if time.monotonic() > self.deadline:
            raise LimitReached("wall clock")

    def keep(self, size: int) -> None:
        """Account for `size` bytes of input, output or log data."""
        self._bytes += size
        if self._bytes > self.limits.output_bytes:
            raise LimitReached("output bytes")

    def enter(self, depth: int) -> Frame:
        """Open a frame below the one that is open now."""
        self.check_clock()
        if len(self.frames) >= self.limits.frames:
            raise LimitReached("frames")
        parent = self.open[-1].index if self.open else -1
        frame = Frame(len(self.frames), parent, depth, self.kind, self.sequence)
        self.sequence += 1
        self.kind = FrameKind.CALL
        self.frames.append(frame)
        self.open.append(frame)
        return frame

    def leave(self, frame: Frame) -> None:
        """Close the innermost frame."""
        self.open.pop()
        frame.left = self.sequence
        self.sequence += 1

    def access(self, kind: AccessKind, address: bytes, slot: int, value: int, previous: int) -> None:
        """Note one storage opcode."""
        if len(self.accesses) >= self.limits.accesses:
            raise LimitReached("accesses")
        self.accesses.append((self.sequence, self.open[-1].index, kind, address, slot, value, previous))
        self.sequence += 1

    def log(self, address: bytes, topics: tuple[int, ...], data: bytes) -> None:
        """Note one event."""
        if len(self.logs) >= self.limits.logs:
            raise LimitReached("logs")
        self.keep(len(data))
        words = tuple([topic.to_bytes(32, "big") for topic in topics])
        self.logs.append((self.sequence, self.open[-1].index, address, words, data))
        self.sequence += 1

    def read_environment(self, opcode: str) -> None:
        """Note that the open frame looked at its surroundings."""
        key = (self.open[-1].index, opcode)
        self.environment[key] = self.environment.get(key, 0) + 1

    def hashed(self, digest: int, data: bytes) -> None:
        """Note what a short hash was made of."""
        if len(self.preimages) < _MAX_PREIMAGES:
            self.preimages[digest] = data

    def abort(self) -> None:
        """Close what a limit left open."""
        while self.open:
            frame = self.open[-1]
            frame.error = ABORTED
            self.leave(frame)

    def trace(self) -> PackedTrace:
        """The notes as plain tuples."""
        undone: list[bool] = []
        frames = []
        for frame in self.frames:
            failed = frame.error is not None and frame.error != ABORTED
            undone.append(failed or (frame.parent >= 0 and undone[frame.parent]))
            frames.append(
                (
                    frame.index,
                    frame.parent,
                    frame.depth,
                    frame.kind.value,
                    frame.from_,
                    frame.to,
                    frame.code_address,
                    frame.code_hash,
                    frame.value,
                    frame.gas,
                    frame.gas_used,
                    frame.input,
                    frame.output,
                    frame.error,
                    frame.entered,
                    frame.left,
                    undone[-1],
                )
            )
        logs = [(*log, undone[log[1]]) for log in self.logs]
        accesses = [(a[0], a[1], a[2].value, *a[3:]) for a in self.accesses]
        environment = [(frame, opcode, count) for (frame, opcode), count in self.environment.items()]
        return PackedTrace(frames, logs, accesses, environment, self.preimages, self.codes)


class PackedTrace(Trace):
    """A trace as plain tuples, cheap to send between processes; the values are made when they are asked for."""

    def __init__(
        self,
        frames: list[tuple[Any, ...]],
        logs: list[tuple[Any, ...]],
        accesses: list[tuple[Any, ...]],
        environment: list[tuple[Any, ...]],
        preimages: Mapping[int, bytes],
        codes: Mapping[Hash32, bytes],
    ) -> None:
        self._packed_frames, self._packed_logs = frames, logs
        self._packed_accesses, self._packed_environment = accesses, environment
        self._preimages, self._codes = preimages, codes
        self._made: dict[str, tuple[Any, ...]] = {}

    @property
    def undone(self) -> list[bool]:
        """For each frame, whether its effects were undone."""
        return [packed[-1] for packed in self._packed_frames]

    @property
    def frames(self) -> tuple[CallFrame, ...]:
        """All frames in the order of entry."""
        if "frames" not in self._made:
            self._made["frames"] = tuple([_frame(*packed) for packed in self._packed_frames])
        return self._made["frames"]

    @property
    def logs(self) -> tuple[Log, ...]:
        """All events in order."""
        if "logs" not in self._made:
            self._made["logs"] = tuple([_log(*packed) for packed in self._packed_logs])
        return self._made["logs"]

    @property
    def accesses(self) -> tuple[StorageAccess, ...]:
        """Storage opcodes in order."""
        if "accesses" not in self._made:
            self._made["accesses"] = tuple([_access(*packed) for packed in self._packed_accesses])
        return self._made["accesses"]

    @property
    def environment(self) -> tuple[EnvironmentRead, ...]:
        """Reads of the block environment."""
        if "environment" not in self._made:
            self._made["environment"] = tuple([EnvironmentRead(*packed) for packed in self._packed_environment])
        return self._made["environment"]


def _frame(
    index: int,
    parent: int,
    depth: int,
    kind: str,
    from_: bytes,
    to: bytes | None,
    code_address: bytes | None,
    code_hash: Hash32 | None,
    value: int,
    gas: int,
    gas_used: int,
    input_: bytes,
    output: bytes,
    error: str | None,
    entered: int,
    left: int,
    reverted: bool,
) -> CallFrame:
    return CallFrame(
        index=index,
        parent=parent,
        depth=depth,
        kind=FrameKind(kind),
        from_=Address(from_),
        to=None if to is None else Address(to),
        code_address=None if code_address is None else Address(code_address),
        code_hash=code_hash,
        value=value,
        gas=gas,
        gas_used=gas_used,
        input=input_,
        output=output,
        error=error,
        revert_reason=revert_reason(output) if error == REVERTED else None,
        entered=entered,
        left=left,
        reverted=reverted,
    )


def _log(sequence: int, frame: int, address: bytes, topics: tuple[bytes, ...], data: bytes, reverted: bool) -> Log:
    return Log(sequence, frame, Address(address), topics, data, reverted)


def _access(
    sequence: int, frame: int, kind: str, address: bytes, slot: int, value: int, previous: int
) -> StorageAccess:
    return StorageAccess(sequence, frame, AccessKind(kind), Address(address), slot, value, previous)

"""What a simulation saw, in geth's words; every engine yields these same values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from gateway.model.block import BlockContext
from gateway.model.frame import (
    BORROWED,
    CREATIONS,
    AccessKind,
    CallFrame,
    EnvironmentRead,
    FrameKind,
    Link,
    Log,
    SlotUse,
    StorageAccess,
)
from gateway.model.primitive import Address, Hash32

if TYPE_CHECKING:
    from gateway.model.facts import Facts

__all__ = [
    "BORROWED",
    "CREATIONS",
    "AccessKind",
    "AccountDiff",
    "CallFrame",
    "EnvironmentRead",
    "FrameKind",
    "Link",
    "Log",
    "SimulationResult",
    "SimulationStatus",
    "SlotUse",
    "StateDiff",
    "StorageAccess",
    "Trace",
]


class Trace:
    """Everything that happened inside one transaction. Engines may subclass it and make the parts lazily."""

    def __init__(
        self,
        frames: Sequence[CallFrame],
        logs: Sequence[Log] = (),
        accesses: Sequence[StorageAccess] | None = None,
        environment: Sequence[EnvironmentRead] | None = None,
        preimages: Mapping[int, bytes] | None = None,
        codes: Mapping[Hash32, bytes] | None = None,
    ) -> None:
        self._frames, self._logs = tuple(frames), tuple(logs)
        self._accesses = None if accesses is None else tuple(accesses)
        self._environment = None if environment is None else tuple(environment)
        self._preimages = preimages
        self._codes = codes

    @property
    def frames(self) -> Sequence[CallFrame]:
        """All frames in the order of entry; `frames[0]` is the transaction itself."""
        return self._frames

    @property
    def logs(self) -> tuple[Log, ...]:
        """All events in order, those of undone frames included and marked."""
        return self._logs

    @property
    def accesses(self) -> tuple[StorageAccess, ...] | None:
        """Storage opcodes in order; None if this engine cannot supply them."""
        return self._accesses

    @property
    def slots(self) -> tuple[SlotUse, ...] | None:
        """Each touched slot once, in the order of first touch; None if this engine cannot supply accesses."""
        return None if self.accesses is None else slot_uses(self.accesses, self.frames)

    @property
    def links(self) -> tuple[Link, ...]:
        """How accounts entered each other, each way once, in the order of the first frame."""
        return fold_links(self.frames)

    def select(
        self,
        *,
        kinds: Set[FrameKind] | None = None,
        from_: Set[Address] | None = None,
        to: Set[Address] | None = None,
        selectors: Set[bytes] | None = None,
    ) -> tuple[CallFrame, ...]:
        """The frames that fit all that is given, in order; `selectors` are the first four bytes of the input."""
        return tuple(
            [
                frame
                for frame in self.frames
                if (kinds is None or frame.kind in kinds)
                and (from_ is None or frame.from_ in from_)
                and (to is None or frame.to in to)
                and (selectors is None or frame.input[:4] in selectors)
            ]
        )

    def events(self, topics: Set[bytes]) -> tuple[Log, ...]:
        """The events with one of these first topics, in order."""
        return tuple([log for log in self.logs if log.topics and log.topics[0] in topics])

    def accesses_of(self, accounts: Set[Address], *, changing: bool = False) -> tuple[StorageAccess, ...]:
        """SLOAD and SSTORE on the storage of these accounts, in order; none if this engine cannot supply accesses.

        `changing`: only on slots that some SSTORE gave another value, if only in a frame that was undone.
        """
        found = [
            access
            for access in self.accesses or ()
            if access.address in accounts and access.kind in (AccessKind.SLOAD, AccessKind.SSTORE)
        ]
        if not changing:
            return tuple(found)
        changed = {
            (access.address, access.slot)
            for access in found
            if access.kind is AccessKind.SSTORE and access.value != access.previous
        }
        return tuple([access for access in found if (access.address, access.slot) in changed])

    @property
    def environment(self) -> tuple[EnvironmentRead, ...] | None:
        """Reads of the block environment; None if this engine cannot supply them."""
        return self._environment

    @property
    def preimages(self) -> Mapping[int, bytes] | None:
        """Slot -> the bytes whose keccak256 it is (64: key and mapping slot); None if not supplied."""
        return self._preimages

    @property
    def codes(self) -> Mapping[Hash32, bytes] | None:
        """Code hash -> code, for at least every frame that ran deployed code; None if not supplied."""
        return self._codes


def slot_uses(accesses: Iterable[StorageAccess], frames: Sequence[CallFrame]) -> tuple[SlotUse, ...]:
    """Fold accesses to one row a slot; engines that do it themselves give the same rows."""
    rows: dict[tuple[Address, int], SlotUse] = {}
    for access in accesses:
        if access.kind not in (AccessKind.SLOAD, AccessKind.SSTORE):
            continue
        key = (access.address, access.slot)
        row = rows.get(key)
        if row is None:
            row = rows[key] = SlotUse(access.address, access.slot, access.previous, False, -1, -1)
        if access.kind is AccessKind.SSTORE:
            changed = access.value != access.previous and not frames[access.frame].reverted
            place = (access.frame, access.sequence) if changed else (row.frame, row.sequence)
            rows[key] = SlotUse(row.address, row.slot, row.before, True, *place)
    return tuple(rows.values())


def fold_links(frames: Iterable[CallFrame]) -> tuple[Link, ...]:
    """Fold frames to one row for each way of entry; engines that do it themselves give the same rows."""
    callers: list[Address] = []
    rows: dict[tuple[object, ...], Link] = {}
    for frame in frames:
        caller = callers[frame.parent] if frame.kind in BORROWED and frame.parent >= 0 else frame.from_
        callers.append(caller)
        key = (frame.kind, frame.from_, frame.to, frame.code_address, frame.code_hash, caller)
        row = rows.get(key)
        rows[key] = Link(*key, frame.index, 1) if row is None else row._replace(times=row.times + 1)
    return tuple(rows.values())


@dataclass(frozen=True, slots=True)
class AccountDiff:
    """(before, after) of each part of an account that changed; None means unchanged."""

    balance: tuple[int, int] | None = None
    nonce: tuple[int, int] | None = None
    code: tuple[bytes, bytes] | None = None
    storage: Mapping[int, tuple[int, int]] = field(default_factory=dict)


StateDiff = Mapping[Address, AccountDiff]
"""Net effect of a transaction, fees included; the content of geth's prestateTracer in diffMode."""


class SimulationStatus(StrEnum):
    """How the execution ended. A simulation that could not be finished is an error or `truncated`, not one of these."""

    SUCCESS = "success"
    REVERTED = "reverted"
    HALTED = "halted"
    """out of gas, invalid opcode, and the like"""


@dataclass(frozen=True, slots=True)
class SimulationResult:
    """The outcome of one transaction on one state in one block."""

    status: SimulationStatus
    gas_used: int
    """as in the receipt: refunds taken off"""
    output: bytes
    error: str | None
    trace: Trace
    state_diff: StateDiff
    created: tuple[Address, ...]
    destroyed: tuple[Address, ...]
    block: BlockContext
    engine: str
    duration: float
    """seconds spent in the engine"""
    truncated: str | None = None
    """which cap was hit ("wall clock", "frames", ...); the rest then describes only the part that ran"""
    facts: Facts | None = None
    """derived by the engine itself if it can; else inspection derives them from the trace"""

    @property
    def succeeded(self) -> bool:
        """True if the transaction's effects stand."""
        return self.status is SimulationStatus.SUCCESS

"""What a simulation saw, in geth's words; every engine yields these same values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from gateway.model.block import BlockContext
from gateway.model.primitive import Address, Hash32

if TYPE_CHECKING:
    from gateway.model.facts import Facts


class FrameKind(StrEnum):
    """How a frame was entered; geth's callTracer `type`."""

    CALL = "CALL"
    STATICCALL = "STATICCALL"
    DELEGATECALL = "DELEGATECALL"
    CALLCODE = "CALLCODE"
    CREATE = "CREATE"
    CREATE2 = "CREATE2"
    SELFDESTRUCT = "SELFDESTRUCT"


class CallFrame(NamedTuple):
    """One call or creation. Frames lie flat, in the order they were entered; `parent` links them to a tree.

    Frames, logs and accesses are named tuples: a trace has up to a million of them, and a tuple is made five times
    faster than a frozen dataclass.
    """

    index: int  # type: ignore[assignment]  # the position hides tuple.index, which nobody needs here
    parent: int
    """index of the calling frame; -1 for the root"""
    depth: int
    kind: FrameKind
    from_: Address
    to: Address | None
    """the account acted on, except for DELEGATECALL and CALLCODE: there the code's address, as geth prints it.
    None for a creation that failed before it had an address"""
    code_address: Address | None
    """where the code that ran lies, EIP-7702 delegation resolved"""
    code_hash: Hash32 | None
    """keccak256 of the code that ran; None for an account without code and for precompiles"""
    value: int
    """wei; for DELEGATECALL the value of the frame above"""
    gas: int
    gas_used: int
    input: bytes
    output: bytes
    """return data or revert data; for a creation the runtime code"""
    error: str | None
    """geth's words, for example "execution reverted", "out of gas"; None if the frame succeeded"""
    revert_reason: str | None
    """the decoded Error(string) if there is one"""
    entered: int
    """sequence number at entry; frames, accesses and logs share one counter"""
    left: int
    """sequence number at exit"""
    reverted: bool
    """True if the frame or any frame above it failed, so that its effects were undone"""

    @property
    def context(self) -> Address | None:
        """The account whose storage this frame acts on."""
        return self.from_ if self.kind in (FrameKind.DELEGATECALL, FrameKind.CALLCODE) else self.to


class Log(NamedTuple):
    """One event, also of a frame that was undone later."""

    sequence: int
    frame: int
    address: Address
    topics: tuple[bytes, ...]
    data: bytes
    reverted: bool


class AccessKind(StrEnum):
    """The four storage opcodes."""

    SLOAD = "SLOAD"
    SSTORE = "SSTORE"
    TLOAD = "TLOAD"
    TSTORE = "TSTORE"


class StorageAccess(NamedTuple):
    """One storage opcode."""

    sequence: int
    frame: int
    kind: AccessKind
    address: Address
    slot: int
    value: int
    """what was read, or what was written"""
    previous: int
    """the value before; equals `value` for a read"""


class SlotUse(NamedTuple):
    """All that became of one storage slot, transient storage aside; a hundred times fewer than accesses."""

    address: Address
    slot: int
    before: int
    """value when the transaction first touched it"""
    written: bool
    """an SSTORE touched it, if only with the value it had, and if only in a frame that was undone"""
    frame: int
    """frame of the last SSTORE that changed the value and stood; -1 if there is none"""
    sequence: int
    """sequence number of that SSTORE; -1 if there is none"""


@dataclass(frozen=True, slots=True)
class EnvironmentRead:
    """A frame read the block environment, which an evader may branch on."""

    frame: int
    opcode: str
    """TIMESTAMP, NUMBER, COINBASE, PREVRANDAO, BASEFEE, GASPRICE, GASLIMIT, BLOCKHASH, ORIGIN, SELFBALANCE, BALANCE"""
    count: int


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
    def frames(self) -> tuple[CallFrame, ...]:
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

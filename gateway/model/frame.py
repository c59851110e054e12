"""The pieces of a trace: frames, events, storage accesses, and how accounts called each other."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from gateway.model.primitive import Address, Hash32


class FrameKind(StrEnum):
    """How a frame was entered; geth's callTracer `type`."""

    CALL = "CALL"
    STATICCALL = "STATICCALL"
    DELEGATECALL = "DELEGATECALL"
    CALLCODE = "CALLCODE"
    CREATE = "CREATE"
    CREATE2 = "CREATE2"
    SELFDESTRUCT = "SELFDESTRUCT"


BORROWED = (FrameKind.DELEGATECALL, FrameKind.CALLCODE)
"""frames that run another's code on the caller's storage"""
CREATIONS = frozenset({FrameKind.CREATE, FrameKind.CREATE2})


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
        return self.from_ if self.kind in BORROWED else self.to


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


class Link(NamedTuple):
    """One way in which an account entered another, however often; seldom more than a few hundred in a trace."""

    kind: FrameKind
    from_: Address
    to: Address | None
    code_address: Address | None
    code_hash: Hash32 | None
    caller: Address
    """`from_`; for code that was borrowed, the caller of the account that borrowed it"""
    first: int
    """index of the first such frame"""
    times: int

    @property
    def context(self) -> Address | None:
        """The account whose storage these frames act on."""
        return self.from_ if self.kind in BORROWED else self.to

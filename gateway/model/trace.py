"""What a simulation saw, in geth's words; every engine yields these same values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from gateway.model.block import BlockContext
from gateway.model.code import Named, asks_origin, embedded, ran
from gateway.model.fold import (
    Accounts,
    Kept,
    Lists,
    Peak,
    fold_accounts,
    fold_kept,
    fold_links,
    fold_lists,
    fold_nodes,
    fold_peaks,
    parties,
    slot_uses,
)
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
from gateway.model.lazy import cached_property
from gateway.model.primitive import Address, Hash32
from gateway.model.tree import CallTree
from gateway.model.walk import is_blank

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


class Trace(CallTree):
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

    @cached_property
    def slots(self) -> tuple[SlotUse, ...] | None:
        """Each touched slot once, in the order of first touch; None if this engine cannot supply accesses."""
        return None if self.accesses is None else slot_uses(self.accesses, self.frames)

    @property
    def shows_storage(self) -> bool:
        """True if this engine supplies storage accesses; asking makes none of them."""
        return self.accesses is not None

    @cached_property
    def written(self) -> tuple[SlotUse, ...]:
        """Those of `slots` that an SSTORE touched; none if this engine cannot supply accesses."""
        return tuple([use for use in self.slots or () if use.written])

    def slots_of(self, accounts: Set[Address]) -> tuple[SlotUse, ...]:
        """Those of `slots` that lie in these accounts; none if this engine cannot supply accesses."""
        return tuple([use for use in self.slots or () if use.address in accounts])

    @cached_property
    def links(self) -> tuple[Link, ...]:
        """How accounts entered each other, each way once, in the order of the first frame."""
        return fold_links(self.frames)

    @cached_property
    def active(self) -> Set[Address]:
        """The accounts that were called and ran code."""
        return frozenset([link.to for link in self.links if link.code_hash is not None and link.to is not None])

    def blank_logs(self, least: int, part: int) -> int:
        """Bytes of those logs of at least `least` bytes (1 or more) that are blank; `part`: see `is_blank`."""
        return sum(len(log.data) for log in self.logs if len(log.data) >= least and is_blank(log.data, part))

    def select(
        self,
        *,
        kinds: Set[FrameKind] | None = None,
        from_: Set[Address] | None = None,
        to: Set[Address] | None = None,
        selectors: Set[bytes] | None = None,
        about: Set[Address] | None = None,
        but: Set[Address] | None = None,
        answered: bool = False,
    ) -> tuple[CallFrame, ...]:
        """The frames that fit all that is given, in order.

        `selectors` are the first four bytes of the input, `about` whom its first word names; `but`: not from these;
        `answered`: by a word at least.
        """
        return tuple(
            [
                frame
                for frame in self.frames
                if (kinds is None or frame.kind in kinds)
                and (from_ is None or frame.from_ in from_)
                and (to is None or frame.to in to)
                and (selectors is None or frame.input[:4] in selectors)
                and (about is None or frame.input[16:36] in about)
                and (but is None or frame.from_ not in but)
                and (not answered or (frame.error is None and len(frame.output) >= 32))
            ]
        )

    @cached_property
    def creations(self) -> tuple[CallFrame, ...]:
        """The frames that created a contract, or tried to, in order."""
        return self.select(kinds=CREATIONS)

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

    def kept(self, sender: Address, but: Set[tuple[Address, int]] = frozenset()) -> Kept:
        """What contracts had kept about `sender` and whoever takes part; `but`: (contract, slot) left out."""
        return fold_kept(self.slots or (), self.preimages or {}, self.parties(sender), but)

    def accounts(self, sender: Address, but: Set[tuple[Address, int]] = frozenset()) -> Accounts:
        """Simple mappings that had an entry for `sender` or whoever takes part; `but`: (contract, slot) left out."""
        return fold_accounts(self.slots or (), self.preimages or {}, self.parties(sender), but)

    def lists(self, sender: Address, but: Set[tuple[Address, int]] = frozenset()) -> Lists:
        """Lists that said yes of `sender` or whoever takes part; `but`: (contract, slot) that count as numbers."""
        return fold_lists(self.slots or (), self.preimages or {}, self.parties(sender), but)

    def parties(self, sender: Address) -> Set[Address]:
        """Everybody who takes part: `sender`, who calls or is called, and who sends or receives tokens."""
        return parties(sender, self.links, self.logs)

    def embedded(self, sender: Address) -> Named:
        """Contract -> callers, and `sender`, whose address stands in code that ran on it -> where that code lies."""
        return embedded(self.links, self.codes or {}, sender)

    def names(self, account: Address, data: bytes) -> bool:
        """True if `data` stands in code that ran on the storage of `account`."""
        return any(code.find(data) >= 0 for code in self._ran.get(account, ()))

    def asks_origin(self, account: Address) -> bool:
        """True if code that ran on the storage of `account` asks who sent the transaction."""
        return any(asks_origin(code) for code in self._ran.get(account, ()))

    @cached_property
    def _ran(self) -> Mapping[Address, Sequence[bytes]]:
        return ran(self.links, self.codes or {})

    def peaks(self, keys: Set[tuple[Address, int]]) -> Sequence[Peak]:
        """What became of each (contract, slot) of `keys` that was written in frames that stood, in order."""
        return fold_peaks(self.accesses_of({address for address, _ in keys}), self.frames, keys)

    def nodes(self, most: int) -> Mapping[int, bytes]:
        """Hash -> the two hashes that were hashed side by side, among the first `most` that was hashed at all."""
        return fold_nodes(self.preimages or {}, most)

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

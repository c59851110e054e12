"""What the native engine recorded, as the gateway's values: each part is made when it is asked for, and only then."""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, Mapping, Sequence, Set
from functools import partial
from typing import Any, overload

from gateway.model.comeback import Answer, Overlap, Pair, Return
from gateway.model.facts import (
    NATIVE,
    Approval,
    Asset,
    Changes,
    Comeback,
    Facts,
    Reserves,
    Transfer,
)
from gateway.model.fold import Kept
from gateway.model.frame import CallFrame, EnvironmentRead, FrameKind, Link, Log, SlotUse, StorageAccess
from gateway.model.lazy import cached_property
from gateway.model.primitive import ZERO_ADDRESS, Address, Hash32
from gateway.model.trace import AccountDiff, Trace

KINDS = (
    FrameKind.CALL,
    FrameKind.STATICCALL,
    FrameKind.DELEGATECALL,
    FrameKind.CALLCODE,
    FrameKind.CREATE,
    FrameKind.CREATE2,
    FrameKind.SELFDESTRUCT,
)
"""in the order of the engine's own"""
_BITS = {kind: 1 << number for number, kind in enumerate(KINDS)}

# The engine hands over complete rows of the right classes; going through a named tuple's own constructor would double
# the cost of the commonest objects there are.
_frame = partial(tuple.__new__, CallFrame)
_log = partial(tuple.__new__, Log)
_access = partial(tuple.__new__, StorageAccess)
_slot = partial(tuple.__new__, SlotUse)
_link = partial(tuple.__new__, Link)
_transfer = partial(tuple.__new__, Transfer)
_approval = partial(tuple.__new__, Approval)
_comeback = partial(tuple.__new__, Comeback)
_reserves = partial(tuple.__new__, Reserves)
_return = partial(tuple.__new__, Return)
_overlap = partial(tuple.__new__, Overlap)
_answer = partial(tuple.__new__, Answer)


class NativeTrace(Trace):
    """A trace that lies in the engine."""

    def __init__(self, outcome: Any, words: Any) -> None:
        self._outcome, self._words = outcome, words

    @cached_property
    def _lazy(self) -> _Frames:
        return _Frames(self._outcome, self._words)

    @property
    def frames(self) -> Sequence[CallFrame]:
        """All frames in the order of entry; `frames[0]` is the transaction itself."""
        return self._lazy

    @cached_property
    def logs(self) -> tuple[Log, ...]:
        """All events in order, those of undone frames included and marked."""
        return tuple(map(_log, self._outcome.logs(self._words))) if self._outcome.log_count else ()

    @cached_property
    def accesses(self) -> tuple[StorageAccess, ...]:
        """Storage opcodes in order."""
        return tuple(map(_access, self._outcome.accesses(self._words)))

    @cached_property
    def slots(self) -> tuple[SlotUse, ...]:
        """Each touched slot once, folded by the engine."""
        return tuple(map(_slot, self._outcome.slots(self._words)))

    @cached_property
    def links(self) -> tuple[Link, ...]:
        """How accounts entered each other, folded by the engine."""
        return tuple(map(_link, self._outcome.links(self._words)))

    def select(
        self,
        *,
        kinds: Set[FrameKind] | None = None,
        from_: Set[Address] | None = None,
        to: Set[Address] | None = None,
        selectors: Set[bytes] | None = None,
    ) -> tuple[CallFrame, ...]:
        """The frames that fit all that is given, in order; the others are never made."""
        bits = None if kinds is None else sum(_BITS[kind] for kind in kinds)
        found = self._outcome.select(bits, from_, to, selectors)
        return self._lazy.pick(found) if found else ()

    def events(self, topics: Set[bytes]) -> tuple[Log, ...]:
        """The events with one of these first topics, in order; the others are never made."""
        return tuple(map(_log, self._outcome.logs(self._words, topics))) if self._outcome.log_count else ()

    def accesses_of(self, accounts: Set[Address], *, changing: bool = False) -> tuple[StorageAccess, ...]:
        """SLOAD and SSTORE on the storage of these accounts, in order; the others are never made."""
        return tuple(map(_access, self._outcome.accesses(self._words, accounts, changing)))

    def kept(self, sender: Address, but: Set[tuple[Address, int]] = frozenset()) -> Kept:
        """What contracts had kept about `sender` and whoever takes part."""
        return Kept(*self._outcome.kept(self._words, sender, but))

    def returns(self, cluster: Set[Address], most: int) -> Sequence[Return]:
        """The first `most` returns into open accounts that led through one of `cluster`."""
        return tuple(map(_return, self._outcome.returns(self._words, cluster, most)))

    def overlaps(self, pairs: Sequence[Pair], most: int) -> Sequence[Overlap]:
        """For each pair of frames the first `most` slots that the inner one changed, if both used them."""
        return tuple(map(_overlap, self._outcome.overlaps(pairs, most)))

    def answers(self, pairs: Sequence[Pair], most: int) -> Sequence[Answer]:
        """For each pair of frames the first of `most` reads in the inner one that the open one made untrue."""
        return tuple(map(_answer, self._outcome.answers(pairs, most)))

    @cached_property
    def environment(self) -> tuple[EnvironmentRead, ...]:
        """Reads of the block environment."""
        return tuple(EnvironmentRead(*read) for read in self._outcome.environment())

    @cached_property
    def preimages(self) -> Mapping[int, bytes]:
        """Slot -> the bytes whose keccak256 it is."""
        made: Mapping[int, bytes] = self._outcome.preimages()
        return made

    @cached_property
    def codes(self) -> Mapping[Hash32, bytes]:
        """Code hash -> the code of every frame that ran code."""
        made: Mapping[Hash32, bytes] = self._outcome.codes(self._words)
        return made


class _Frames(Sequence[CallFrame]):
    """Frames that are made one by one, or all at once when somebody walks over them."""

    def __init__(self, outcome: Any, words: Any) -> None:
        self._outcome, self._words = outcome, words
        self._count: int = outcome.frame_count
        self._made: dict[int, CallFrame] = {}
        self._all: tuple[CallFrame, ...] | None = None

    def _whole(self) -> tuple[CallFrame, ...]:
        if self._all is None:
            known = self._made
            made = map(_frame, self._outcome.frames(self._words, 0, self._count))
            # who holds a frame already must not meet another one in its place
            self._all = tuple([known.get(at, frame) for at, frame in enumerate(made)] if known else made)
        return self._all

    def pick(self, indices: Sequence[int]) -> tuple[CallFrame, ...]:
        """The frames at `indices`."""
        if self._all is None:
            fresh = [index for index in indices if index not in self._made]
            self._made.update(zip(fresh, map(_frame, self._outcome.picked(self._words, fresh)), strict=True))
        known = self._made if self._all is None else self._all
        return tuple([known[index] for index in indices])

    @overload
    def __getitem__(self, at: int) -> CallFrame: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[CallFrame, ...]: ...
    def __getitem__(self, at: int | slice) -> CallFrame | tuple[CallFrame, ...]:
        if self._all is not None:
            return self._all[at]
        if isinstance(at, slice):
            return self.pick(range(*at.indices(self._count)))
        index = at + self._count if at < 0 else at
        made = self._made.get(index)
        if made is None:
            if not 0 <= index < self._count:
                raise IndexError(f"frame {at} of a trace of {self._count} frames")
            made = self._made[index] = _frame(self._outcome.frames(self._words, index, index + 1)[0])
        return made

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[CallFrame]:
        return iter(self._whole())

    def __eq__(self, other: object) -> bool:
        return self._whole() == (other._whole() if isinstance(other, _Frames) else other)

    def __hash__(self) -> int:
        return hash(self._whole())

    def __repr__(self) -> str:
        return repr(self._whole())


class NativeFacts(Facts):
    """Facts that the engine derived, as `gateway.inspection.facts` would have."""

    def __init__(self, outcome: Any, words: Any) -> None:
        self._outcome, self._words = outcome, words

    @cached_property
    def transfers(self) -> tuple[Transfer, ...]:
        """Movements of assets, in order."""
        return tuple(map(_transfer, self._outcome.transfers(self._words)))

    @cached_property
    def approvals(self) -> tuple[Approval, ...]:
        """Approvals given, in order."""
        return tuple(map(_approval, self._outcome.approvals(self._words)))

    @cached_property
    def comebacks(self) -> tuple[Comeback, ...]:
        """Edges of re-entrancy, in the order of entry, undone ones included."""
        return tuple(map(_comeback, self._outcome.comebacks(self._words)))

    @property
    def come_back(self) -> bool:
        """True if there is such an edge."""
        return bool(self._outcome.comeback_count)

    @cached_property
    def reserves(self) -> tuple[Reserves, ...]:
        """What happened to the reserves of each pair, in the order of the first announcement."""
        return tuple(map(_reserves, self._outcome.reserves(self._words)))

    @cached_property
    def stocks(self) -> Mapping[tuple[Address, Asset], int]:
        """(holder, asset) -> what was there before, as the ledger would have it."""
        return {
            (holder, Asset(token, item)): amount for holder, token, item, amount in self._outcome.stocks(self._words)
        }

    @cached_property
    def _sums(self) -> tuple[Changes, Mapping[Asset, int]]:
        net: dict[Address, dict[Asset, int]] = {}
        minted: dict[Asset, int] = {}
        for holder, token, item, amount in self._outcome.net(self._words):
            asset = Asset(token, item)
            if holder != ZERO_ADDRESS:
                net.setdefault(holder, {})[asset] = amount
            elif asset != NATIVE:
                minted[asset] = -amount
        return net, minted


class NativeDiff(Mapping[Address, AccountDiff]):
    """A state diff that lies in the engine until it is read."""

    def __init__(self, outcome: Any, words: Any) -> None:
        self.outcome, self._words = outcome, words

    @cached_property
    def _read(self) -> dict[Address, AccountDiff]:
        changes: Iterable[tuple[Any, ...]] = self.outcome.changes(self._words)
        return {address: AccountDiff(*parts) for address, *parts in changes}

    def __getitem__(self, address: Address) -> AccountDiff:
        return self._read[address]

    def get(self, address: Address, default: Any = None) -> Any:
        """The change of one account."""
        return self._read.get(address, default)

    def items(self) -> ItemsView[Address, AccountDiff]:
        """All changes."""
        return self._read.items()

    def __contains__(self, address: object) -> bool:
        return address in self._read

    def __iter__(self) -> Iterator[Address]:
        return iter(self._read)

    def __len__(self) -> int:
        return len(self._read)

    def __repr__(self) -> str:
        return repr(self._read)

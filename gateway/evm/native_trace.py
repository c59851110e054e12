"""What the native engine recorded, as the gateway's values: each part is made when it is asked for, and only then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from functools import partial
from typing import Any

from gateway.evm.native_frames import Codes, Frames
from gateway.model.code import Named
from gateway.model.comeback import Answer, Overlap, Pair, Return
from gateway.model.facts import Transfer
from gateway.model.fold import Accounts, Kept, Lists, Peak
from gateway.model.frame import CallFrame, EnvironmentRead, FrameKind, Link, Log, SlotUse, StorageAccess
from gateway.model.lazy import cached_property
from gateway.model.primitive import Address, Hash32
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
_log = partial(tuple.__new__, Log)
_access = partial(tuple.__new__, StorageAccess)
_slot = partial(tuple.__new__, SlotUse)
_link = partial(tuple.__new__, Link)
_return = partial(tuple.__new__, Return)
_overlap = partial(tuple.__new__, Overlap)
_answer = partial(tuple.__new__, Answer)
_peak = partial(tuple.__new__, Peak)


class NativeTrace(Trace):
    """A trace that lies in the engine."""

    def __init__(self, outcome: Any, words: Any) -> None:
        self._outcome, self._words = outcome, words

    @cached_property
    def _lazy(self) -> Frames:
        return Frames(self._outcome, self._words)

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

    @property
    def shows_storage(self) -> bool:
        """True: the engine records every access."""
        return True

    @cached_property
    def written(self) -> tuple[SlotUse, ...]:
        """Those of `slots` that an SSTORE touched; the others are never made."""
        return tuple(map(_slot, self._outcome.slots(self._words, True)))

    def slots_of(self, accounts: Set[Address]) -> tuple[SlotUse, ...]:
        """Those of `slots` that lie in these accounts; the others are never made."""
        return tuple(map(_slot, self._outcome.slots(self._words, False, accounts)))

    @cached_property
    def active(self) -> Set[Address]:
        """The accounts that were called and ran code."""
        made: Set[Address] = self._outcome.active(self._words)
        return made

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
        about: Set[Address] | None = None,
        but: Set[Address] | None = None,
        answered: bool = False,
    ) -> tuple[CallFrame, ...]:
        """The frames that fit all that is given, in order; the others are never made."""
        bits = None if kinds is None else sum(_BITS[kind] for kind in kinds)
        found = self._outcome.select(bits, from_, to, selectors, about, but, answered)
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

    def accounts(self, sender: Address, but: Set[tuple[Address, int]] = frozenset()) -> Accounts:
        """Simple mappings that had an entry for `sender` or whoever takes part."""
        made: Accounts = self._outcome.accounts(self._words, sender, but)
        return made

    def lists(self, sender: Address, but: Set[tuple[Address, int]] = frozenset()) -> Lists:
        """Lists that said yes of `sender` or whoever takes part."""
        made: Lists = self._outcome.lists(self._words, sender, but)
        return made

    def parties(self, sender: Address) -> Set[Address]:
        """Everybody who takes part."""
        made: Set[Address] = self._outcome.parties(self._words, sender)
        return made

    def embedded(self, sender: Address) -> Named:
        """Contract -> callers, and `sender`, whose address stands in code that ran on it -> where that code lies."""
        made: Named = self._outcome.embedded(self._words, sender)
        return made

    def names(self, account: Address, data: bytes) -> bool:
        """True if `data` stands in code that ran on the storage of `account`."""
        found: bool = self._outcome.names(account, data)
        return found

    def asks_origin(self, account: Address) -> bool:
        """True if code that ran on the storage of `account` asks who sent the transaction."""
        found: bool = self._outcome.asks_origin(account)
        return found

    def returns(self, cluster: Set[Address], most: int) -> Sequence[Return]:
        """The first `most` returns into open accounts that led through one of `cluster`."""
        return tuple(map(_return, self._outcome.returns(self._words, cluster, most)))

    def overlaps(self, pairs: Sequence[Pair], most: int) -> Sequence[Overlap]:
        """For each pair of frames the first `most` slots that the inner one changed, if both used them."""
        return tuple(map(_overlap, self._outcome.overlaps(self._words, pairs, most)))

    def answers(self, pairs: Sequence[Pair], most: int) -> Sequence[Answer]:
        """For each pair of frames the first of `most` reads in the inner one that the open one made untrue."""
        return tuple(map(_answer, self._outcome.answers(self._words, pairs, most)))

    def contexts(self, first: int, end: int) -> Sequence[Address]:
        """The accounts that act in the frames from `first` to before `end`, each once, in order."""
        made: tuple[Address, ...] = self._outcome.contexts(self._words, first, end)
        return made

    def askers(self, about: Set[Address]) -> Set[Address]:
        """Who was told something else than zero when it asked, by a STATICCALL, about one of `about`."""
        made: Set[Address] = self._outcome.askers(self._words, about)
        return made

    @property
    def fails(self) -> bool:
        """True if a frame failed."""
        found: bool = self._outcome.fails
        return found

    def entered_since(self, sequence: int) -> int:
        """Index of the first frame that was entered at or after `sequence`; the number of frames if there is none."""
        index: int = self._outcome.entered_since(sequence)
        return index

    def path(self, index: int) -> Sequence[tuple[Address, int]]:
        """(account, first frame) of each account that acts between the transaction and frame `index`."""
        known = self._paths.get(index)
        if known is None:
            known = self._paths[index] = self._outcome.path(self._words, index)
        return known

    @cached_property
    def _paths(self) -> dict[int, list[tuple[Address, int]]]:
        return {}

    def asker(self, index: int, token: Address) -> Address:
        """Who called `token` when it acted in frame `index`."""
        found: Address | None = self._outcome.asker(self._words, index, token)
        if found is None:
            raise IndexError(f"frame {index} of a trace of {len(self.frames)} frames")
        return found

    def blank_logs(self, least: int, part: int) -> int:
        """Bytes of long logs that are blank."""
        return int(self._outcome.blank_logs(least, part))

    def recanted(self, besides: Set[bytes], but: Set[Address], longest: int, most: int) -> Sequence[tuple[int, int]]:
        """(first, later) frames of plain questions that were answered otherwise the later time."""
        found: list[tuple[int, int]] = self._outcome.recanted(besides, but, longest, most)
        return found

    def orders(self, cluster: Set[Address], told: Set[Address], least: int, most: int) -> Sequence[tuple[int, int]]:
        """(call of `cluster` that brought an order to one of `told`, later call that carries it out), by index."""
        found: list[tuple[int, int]] = self._outcome.orders(cluster, told, least, most)
        return found

    def told(self, index: int, party: Address, cluster: Set[Address], most: int) -> bool:
        """True if a call out of `cluster` that led to frame `index` names `party` in the first `most` bytes of data."""
        found: bool = self._outcome.told(index, party, cluster, most)
        return found

    def _find_visits(self, cluster: Set[Address]) -> Sequence[int]:
        found: list[int] = self._outcome.visits(cluster)
        return found

    def acting(self, cluster: Set[Address]) -> Mapping[int, Set[Address]]:
        """Call out of `cluster` -> the accounts that act under it."""
        made: Mapping[int, Set[Address]] = self._outcome.acting(self._words, cluster)
        return made

    def sole_room(self, entry: Address, cluster: Set[Address], moves: Sequence[Transfer]) -> Address | None:
        """The one contract for which `entry` is but a door; the engine knows the movements."""
        room: Address | None = self._outcome.sole_room(self._words, entry, cluster)
        return room

    def peaks(self, keys: Set[tuple[Address, int]]) -> Sequence[Peak]:
        """What became of each (contract, slot) of `keys` that was written in frames that stood."""
        return tuple(map(_peak, self._outcome.peaks(self._words, keys)))

    def nodes(self, most: int) -> Mapping[int, bytes]:
        """Hash -> the two hashes that were hashed side by side, among the first `most` that was hashed at all."""
        found: Mapping[int, bytes] = self._outcome.nodes(self._words, most)
        return found

    @cached_property
    def environment(self) -> tuple[EnvironmentRead, ...]:
        """Reads of the block environment."""
        return tuple(EnvironmentRead(*read) for read in self._outcome.environment())

    @cached_property
    def preimages(self) -> Mapping[int, bytes]:
        """Slot -> the bytes whose keccak256 it is."""
        made: Mapping[int, bytes] = self._outcome.preimages(self._words)
        return made

    @cached_property
    def codes(self) -> Mapping[Hash32, bytes]:
        """Code hash -> the code of every frame that ran code."""
        return Codes(self._outcome, self._words)


class NativeDiff(Mapping[Address, AccountDiff]):
    """A state diff that lies in the engine; the change of an account is made when somebody asks for it."""

    def __init__(self, outcome: Any, words: Any) -> None:
        self.outcome, self._words = outcome, words
        self._made: dict[Address, AccountDiff] = {}

    @cached_property
    def _changed(self) -> dict[Address, None]:
        return dict.fromkeys(self.outcome.changed(self._words))

    def __getitem__(self, address: Address) -> AccountDiff:
        made = self._made.get(address)
        if made is None:
            if address not in self._changed:
                raise KeyError(address)
            made = self._made[address] = AccountDiff(*self.outcome.change(self._words, address))
        return made

    def get(self, address: Address, default: Any = None) -> Any:
        """The change of one account."""
        return self[address] if address in self._changed else default

    def __contains__(self, address: object) -> bool:
        return address in self._changed

    def __iter__(self) -> Iterator[Address]:
        return iter(self._changed)

    def __len__(self) -> int:
        return len(self._changed)

    def __repr__(self) -> str:
        return repr(dict(self))

"""Memory between transactions, in this process and bounded: per sender, per fresh contract, per victim.

What other replicas forwarded is told by `keep` too, so that all of them remember the same.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from gateway.inspection.past.effects import Effects, Taken, TakenFrom, Taking, joined, of_an_ally
from gateway.inspection.past.hearsay import NOTHING_RELIED, Relied
from gateway.inspection.past.leaning import Leaning
from gateway.inspection.past.listening import Listening
from gateway.inspection.past.memory import EMPTY_MEMORY, Memory
from gateway.inspection.past.moved import BENT, Moved
from gateway.model.primitive import Address, Hash32
from gateway.model.trace import SimulationResult
from gateway.model.transaction import Transaction

LIFETIME = 1800.0
"""seconds after which everything is forgotten that was not renewed"""
LASTING = 90_000.0
"""the same for whoever had a contract write down an account while nothing moved, until it gives something: what is
staged may be used late, and who pays later may have paid for it; also for whoever bent a price, which an average may
take a day to follow, and an hour more"""
LASTING_KEYS = 10_000
"""such senders and fresh contracts remembered beside the others; the first to come are the first to be forgotten"""
KEYS = 10_000
"""other senders and fresh contracts remembered; who was silent longest is forgotten first"""
VICTIMS = 10_000
"""(holder, token) pairs remembered"""
TRANSACTIONS = 64
"""transactions of one key, and takings from one victim, that are told apart; older ones are summed up"""
ALLIES = 4
"""distinct senders up to which a fresh contract's callers count as one side; what more people use is public"""
CREATED_KEYS = 16
"""contracts of one creation that get a memory of their own"""


@dataclass(frozen=True, slots=True)
class Past:
    """What one transaction is judged with."""

    memory: Memory = EMPTY_MEMORY
    taken: TakenFrom = field(default_factory=dict)
    relied: Relied = NOTHING_RELIED
    leaned: Mapping[Address, Moved] = field(default_factory=dict)


@dataclass(slots=True)
class _Known:
    """Everything about one sender or fresh contract."""

    until: float
    creator: Address | None = None
    """None for a sender"""
    callers: set[Address] = field(default_factory=set)
    base: Memory = EMPTY_MEMORY
    parts: OrderedDict[Hash32, Memory] = field(default_factory=OrderedDict)
    sum: Memory = EMPTY_MEMORY
    """base and parts as one"""

    def add(self, transaction: Hash32, part: Memory) -> None:
        if transaction in self.parts:
            return
        self.parts[transaction] = part
        self.sum = joined(self.sum, part)
        while len(self.parts) > TRANSACTIONS:
            _, oldest = self.parts.popitem(last=False)
            self.base = joined(self.base, oldest)


@dataclass(slots=True)
class _Slice:
    at: float
    sender: Address
    amount: int
    stock: int


class Recollection:
    """What is remembered. A transaction that is inspected again never sees its own effects."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        """`clock`: seconds since 1970, the same for all replicas."""
        self._clock = clock
        self._known: OrderedDict[Address, _Known] = OrderedDict()
        self._lasting: OrderedDict[Address, None] = OrderedDict()
        self._victims: OrderedDict[tuple[Address, Address], OrderedDict[Hash32, _Slice]] = OrderedDict()
        self._holders: dict[Address, set[Address]] = {}
        self._listening = Listening(LASTING)
        self._leaning = Leaning(LIFETIME)

    def before(self, transaction: Transaction, simulation: SimulationResult | None = None) -> Past:
        """What other transactions left that matters to this one."""
        now = self._clock()
        taken = self._taken(transaction.hash, _touched(simulation), now) if simulation and self._victims else {}
        relied = NOTHING_RELIED
        if simulation and len(self._listening):
            relied = self._listening.relied(transaction.sender, simulation, now, self._speaker)
        leaned: Mapping[Address, Moved] = {}
        if simulation and len(self._leaning):
            leaned = self._leaning.stands(transaction.hash, transaction.sender, simulation, now)
        return Past(self._memory(transaction, now), taken, relied, leaned)

    def creator(self, contract: Address) -> Address | None:
        """Who created `contract` lately, if that is remembered."""
        known = self._known.get(contract)
        return known.creator if known is not None and known.until >= self._clock() else None

    def keep(
        self, transaction: Hash32, sender: Address, to: Address | None, effects: Effects, at: float | None = None
    ) -> None:
        """Remember what `transaction` left at `at`; telling it twice changes nothing."""
        now = self._clock()
        at = now if at is None else at
        lifetime = LASTING if lasts(effects) else LIFETIME
        if at + lifetime < now:
            return
        fresh = self._known.get(to) if to is not None else None
        if fresh is not None and fresh.creator is not None:
            fresh.callers.add(sender)
        else:
            fresh = None
        if effects.added != EMPTY_MEMORY:
            self._at(sender, at, lifetime).add(transaction, effects.added)
            if fresh is not None:
                fresh.until = max(fresh.until, at + lifetime)
                fresh.add(transaction, effects.added)
            for contract in effects.added.created[:CREATED_KEYS]:
                known = self._at(contract, at, lifetime)
                known.creator = known.creator or sender
                known.add(transaction, effects.added)
            if any(amount < 0 for amount in effects.added.dealt.values()):
                self._settle(sender, at)
                if to is not None and fresh is not None:
                    self._settle(to, at)
        for heir, deals in effects.heirs.items():
            self._at(heir, at, LIFETIME).add(transaction, Memory(deals=deals))
        for taking in effects.takings:
            self._take(transaction, sender, taking, at)
        self._leaning.push(transaction, sender, effects.added.moved, at)
        for word in effects.hearsay:
            self._listening.hear(sender, word, at)
        self._trim(now)

    def _trim(self, now: float) -> None:
        """Forget what is too much."""
        while len(self._known) - len(self._lasting) > KEYS:
            self._forget_one(now)
        while len(self._victims) > VICTIMS:
            self._drop_victim(next(iter(self._victims)))

    @property
    def size(self) -> tuple[int, int]:
        """(senders and fresh contracts, victims) remembered."""
        return len(self._known), len(self._victims)

    @property
    def words(self) -> int:
        """Records remembered that strangers had written."""
        return len(self._listening)

    def _at(self, key: Address, at: float, lifetime: float) -> _Known:
        known = self._known.get(key)
        if known is None or known.until < self._clock():
            known = self._known[key] = _Known(at)
        known.until = max(known.until, at + lifetime)
        self._known.move_to_end(key)
        if lifetime == LASTING:
            self._lasting[key] = None
            if len(self._lasting) > LASTING_KEYS:
                self._lasting.popitem(last=False)
        return known

    def _settle(self, key: Address, at: float) -> None:
        """Who was remembered for long has given something: from here on the common lifetime holds."""
        if key in self._lasting:
            del self._lasting[key]
            known = self._known[key]
            known.until = min(known.until, at + LIFETIME)

    def _forget_one(self, now: float) -> None:
        """Forget who was silent longest, but let those pass who are remembered for long and still live."""
        key, known = next(iter(self._known.items()))
        if key in self._lasting and known.until >= now:
            self._known.move_to_end(key)
            return
        del self._known[key]
        self._lasting.pop(key, None)

    def _memory(self, transaction: Transaction, now: float) -> Memory:
        own = self._living(transaction.sender, now)
        entry = self._living(transaction.to, now) if transaction.to is not None else None
        if entry is not None and (entry.creator is None or len(entry.callers | {transaction.sender}) > ALLIES):
            entry = None
        if own is None and entry is None:
            return EMPTY_MEMORY
        if entry is None and own is not None and transaction.hash not in own.parts:
            return own.sum
        memory, parts = EMPTY_MEMORY, dict[Hash32, Memory]()
        if entry is not None:
            memory = of_an_ally(entry.base)
            parts.update((hash, of_an_ally(part)) for hash, part in entry.parts.items())
        if own is not None:
            memory = joined(memory, own.base)
            parts.update(own.parts)
        parts.pop(transaction.hash, None)
        for part in parts.values():
            memory = joined(memory, part)
        return memory

    def _speaker(self, sender: Address) -> Memory:
        """What is remembered of a stranger that matters to whoever relies on his word."""
        known = self._living(sender, self._clock())
        return EMPTY_MEMORY if known is None else Memory(created=known.sum.created, dealt=known.sum.dealt)

    def _living(self, key: Address, now: float) -> _Known | None:
        known = self._known.get(key)
        return known if known is not None and known.until >= now else None

    def _take(self, transaction: Hash32, sender: Address, taking: Taking, at: float) -> None:
        key = (taking.holder, taking.token)
        slices = self._victims.setdefault(key, OrderedDict())
        self._holders.setdefault(taking.holder, set()).add(taking.token)
        self._victims.move_to_end(key)
        if transaction in slices:
            return
        slices[transaction] = _Slice(at, sender, taking.amount, taking.stock)
        if len(slices) > TRANSACTIONS:
            _, oldest = slices.popitem(last=False)
            following = next(iter(slices.values()))
            following.amount += oldest.amount
            following.stock = max(following.stock, oldest.stock)

    def _taken(self, transaction: Hash32, holders: Iterable[Address], now: float) -> TakenFrom:
        found: dict[tuple[Address, Address], Taken] = {}
        for holder in holders:
            for token in tuple(self._holders.get(holder, ())):
                slices = self._victims[holder, token]
                while slices and next(iter(slices.values())).at + LIFETIME < now:
                    slices.popitem(last=False)
                if not slices:
                    self._drop_victim((holder, token))
                    continue
                others = [slice for hash, slice in slices.items() if hash != transaction]
                if others:
                    found[holder, token] = Taken(
                        stock=others[0].stock,
                        amount=sum(slice.amount for slice in others),
                        times=len(others),
                        takers=frozenset(slice.sender for slice in others),
                    )
        return found

    def _drop_victim(self, key: tuple[Address, Address]) -> None:
        del self._victims[key]
        tokens = self._holders[key[0]]
        tokens.discard(key[1])
        if not tokens:
            del self._holders[key[0]]


def lasts(effects: Effects) -> bool:
    """True if they are remembered for long: contracts got to know somebody while nothing moved, or a price is bent."""
    staged = bool(effects.added.acquainted) and not effects.takings and not any(effects.added.dealt.values())
    bent = any(move.factor >= BENT for move in effects.added.moved.values())
    return staged or bent or bool(effects.hearsay)


def _touched(simulation: SimulationResult) -> Iterable[Address]:
    """Every account that acted: what was taken without the holder's own code is no taking."""
    return dict.fromkeys(link.context for link in simulation.trace.links if link.context is not None)

"""The state of the head, carried from block to block, with a place to run transactions on it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import replace

from gateway.errors import UpstreamError
from gateway.evm.data_fee import L1_BLOCK, SLOTS, data_fee, operator_fee
from gateway.evm.simulator import Checks, Limits, Simulator, World
from gateway.live.block_trace import Key
from gateway.live.cache import StateCache
from gateway.live.change import HeadCarrier
from gateway.live.codes import CodeStore
from gateway.live.context import next_context
from gateway.live.fetch import Reader, StateFetcher
from gateway.live.late import LateArrivals
from gateway.live.prefetch import Prefetcher
from gateway.live.runner import HeadMoved, Pursuit, Ran, Runner
from gateway.live.view import Stack, View
from gateway.model.block import BlockContext
from gateway.model.chain import ChainProfile, FeeRule
from gateway.model.head import HeadChange, Header
from gateway.model.primitive import Address, Hash32
from gateway.model.state import StateBatch, StateKeys
from gateway.model.transaction import Transaction

BLOCK_HASHES = 256
REBUILD_EVERY = 64
"""heads after which the engine's world is built anew, so that forks of forks do not pile up"""
CHANGES_KEPT = 64
NEXT_VIEW_WAIT = 0.05
"""seconds"""

Restack = Callable[[View, View | None], Awaitable[None]]
"""Puts what stands on the old view on the new one, before anybody else may use it."""


class HeadUnknown(UpstreamError):
    """There is no head yet, or it is too old to judge by."""


class HeadState:
    """Owns the cache and the present `View`."""

    def __init__(
        self,
        simulator: Simulator,
        reader: Reader,
        profile: ChainProfile,
        codes: CodeStore,
        *,
        max_head_age: float,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`max_head_age`: seconds without a new head after which nothing is judged; `now` in seconds since 1970."""
        self._simulator = simulator
        self._profile = profile
        self._max_head_age = max_head_age
        self._now, self._clock = now, clock
        self.cache = StateCache()
        self.fetcher = StateFetcher(reader, codes)
        self.carrier = HeadCarrier(self.fetcher, codes)
        self._runner = Runner(simulator, self.fetcher, self.cache, Prefetcher())
        self._headers: deque[Header] = deque(maxlen=BLOCK_HASHES)
        self._changes: deque[tuple[Hash32, frozenset[Key] | None]] = deque(maxlen=CHANGES_KEPT)
        """(head before, what was written on the way to the next)"""
        self._heads = 0
        self._cached: Hash32 | None = None
        """the block that the cache is the state of"""
        self._late = LateArrivals()
        self._loadable: View | None = None
        self._ready = asyncio.Event()
        self.view: View | None = None
        self.turn = asyncio.Lock()
        """held by whoever changes what stands on the view"""

    async def advance(self, change: HeadChange, restack: Restack) -> None:
        """Move to a new head: one round trip, then the effects of what is pending, then the switch.

        Raises:
            UpstreamError: the node did not say what changed; the old view stays, and grows stale.
        """
        if change.continuous and _start(change) != self._cached:
            # Something failed half way through an earlier change: what the cache holds is of no known block.
            change = replace(change, continuous=False)
        # What was fetched for the old head must not slip in behind the back of the carrier.
        self._loadable = None
        self._ready.clear()
        try:
            carried = await self.carrier.carry(change, self.cache)
            async with self.turn:
                old = self.view
                self._cached = None
                in_place = self.cache.change(carried.change)
                self._late.stepped(_start(change), change.head.hash, carried)
                self._heads += 1
                if old is not None and in_place and self._heads % REBUILD_EVERY:
                    base = old.base.fork()
                    base.load(carried.change.values)
                else:
                    base = self._simulator.world()
                    base.load(self.cache.everything())
                self._follow(change)
                view = View(change.head, base, Stack(base.fork()), carried.fees, self._clock())
                self._loadable = view
                await restack(view, old)
                view.ready_at = self._clock()
                if old is not None:
                    self._changes.append((old.head.hash, carried.written))
                self.view = view
                self._cached = change.head.hash
        finally:
            self._loadable = self.view if self._cached is not None else None
            if self._loadable is not None:
                self._take_late(self._loadable)
            self._ready.set()

    async def current(self) -> View:
        """The newest view; waits a little for one that is being made. Raises HeadUnknown."""
        if self._loadable is None:
            # On the old view whatever needs no new state still runs, so a slow node delays nobody for long.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(NEXT_VIEW_WAIT):
                    await self._ready.wait()
        return self.present()

    async def settled(self, within: float) -> None:
        """Wait up to `within` seconds for a view that is being made: only it can be loaded with new state."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._ready.wait()

    def present(self) -> View:
        """The present view, also while the next one is being made. Raises HeadUnknown."""
        if self.view is None:
            raise HeadUnknown("no head was read from the upstream yet")
        age = self.age(self.view)
        if age > self._max_head_age:
            raise HeadUnknown(f"the head is {age:.0f} s old; the limit is {self._max_head_age:.0f} s")
        return self.view

    def age(self, view: View) -> float:
        """Seconds since the view was taken over."""
        return self._clock() - view.ready_at

    def context(self, view: View) -> BlockContext:
        """The block that would be built on the view's head now."""
        hashes = {header.number: header.hash for header in self._headers}
        return next_context(
            view.head,
            self._profile,
            now=self._now(),
            recent=[header.ref.timestamp for header in list(self._headers)[-8:]],
            fees=view.fees,
            block_hashes=hashes,
        )

    async def nonce(self, view: View, sender: Address) -> int:
        """The sender's nonce at the view's head. Raises HeadMoved as `run` does, and UpstreamError."""
        account = self.cache.accounts.get(sender)
        if account is None:
            fetched = await self.fetcher.fetch(StateKeys(accounts=frozenset({sender})), view.head.hash)
            if view is not self._loadable:
                raise HeadMoved
            view.load(self.cache.add(fetched.values))
            account = self.cache.accounts[sender]
        return account.nonce

    async def extra_fee(self, view: View, transaction: Transaction) -> int:
        """Wei that the chain takes beside gas at the head. Raises HeadMoved as `run` does, and UpstreamError."""
        if self._profile.fee_rule is not FeeRule.OP_STACK:
            return 0
        unknown = self.cache.unknown(StateKeys(slots=frozenset((L1_BLOCK, slot) for slot in SLOTS)))
        if unknown:
            fetched = await self.fetcher.fetch(unknown, view.head.hash)
            if view is not self._loadable:
                raise HeadMoved
            view.load(self.cache.add(fetched.values))
        slots = {slot: self.cache.slots[L1_BLOCK, slot] for slot in SLOTS}
        upgrade = self._profile.op_upgrade_at(self.context(view).timestamp)
        return data_fee(transaction.raw.data, slots, upgrade) + operator_fee(transaction.gas_limit, slots, upgrade)

    async def run(
        self,
        view: View,
        transaction: Transaction,
        world: Callable[[], World],
        *,
        limits: Limits,
        checks: Checks,
        context: BlockContext | None = None,
        pursuit: Pursuit | None = None,
    ) -> Ran:
        """Run on a world that stands on `view`.

        `pursuit` keeps what is known of the transaction if the run has to start over. Raises HeadMoved if the head
        moved while state was fetched; what still holds of it is on the new head when that is ready.
        """

        def load(batch: StateBatch) -> None:
            if view is not self._loadable:
                self._late.add(view.head.hash, batch)
                if self._loadable is not None:
                    self._take_late(self._loadable)
                raise HeadMoved
            view.load(self.cache.add(batch))

        return await self._runner.run(
            transaction,
            world,
            view.head.hash,
            context if context is not None else self.context(view),
            load,
            limits=limits,
            checks=checks,
            pursuit=pursuit,
        )

    def _take_late(self, view: View) -> None:
        """Load what was fetched for earlier heads and still holds at the view's."""
        for batch in self._late.take(view.head.hash):
            view.load(self.cache.add(batch))

    def written_since(self, head: Hash32) -> frozenset[Key] | None:
        """All that blocks wrote on the way from `head` to the present one; None if that is not known."""
        if self.view is not None and self.view.head.hash == head:
            return frozenset()
        written: set[Key] = set()
        found = False
        for before, keys in self._changes:
            found |= before == head
            if found:
                if keys is None:
                    return None
                written |= keys
        return frozenset(written) if found else None

    def _follow(self, change: HeadChange) -> None:
        if not change.continuous:
            self._headers.clear()
        for _ in change.dropped:
            self._headers.pop()
        self._headers.extend(change.added)


def _start(change: HeadChange) -> Hash32:
    """The head that a change starts from."""
    return change.dropped[0].hash if change.dropped else change.added[0].ref.parent_hash

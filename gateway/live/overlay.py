"""Effects of forwarded transactions on top of the head, in the one order that all replicas share."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from gateway.errors import InvalidTransaction, SimulationError, UpstreamError
from gateway.evm.simulator import ADMISSION, Limits
from gateway.live.block_trace import Key
from gateway.live.conflict import repriced, still_holds
from gateway.live.head_state import HeadState
from gateway.live.pending import UNSEEN, Footprint, PendingLog, footprint
from gateway.live.runner import HeadMoved
from gateway.live.view import Stack, Standing, View
from gateway.model.pending import PendingEntry
from gateway.model.primitive import Address, Hash32
from gateway.model.trace import StateDiff
from gateway.model.transaction import RawTransaction, Transaction

MAX_TURNED = 256
KEEP_SPENT_HEADS = 64
"""heads for which a mined transaction is remembered: a reorg may bring it back"""

Decode = Callable[[RawTransaction], Transaction]


@dataclass(slots=True)
class OverlayStatistics:
    """Counted since start."""

    stacked: int = 0
    opaque: int = 0
    """forwarded transactions whose effects could not be computed; later ones were judged without them"""
    conflicts: int = 0
    """verdicts that were void because something they depend on was forwarded meanwhile"""
    unshared: int = 0
    """transactions forwarded while the shared order was away"""
    reinjected: int = 0
    """mined transactions that a reorg made pending again"""
    turned: int = 0
    """forwarded transactions that failed when they were judged, and would succeed on a later head"""
    dropped: int = 0
    """forwarded transactions that the upstream no longer knew"""


class Overlay:
    """Keeps `View.standing` and `View.top` in step with the shared order. Callers hold `HeadState.turn`."""

    def __init__(
        self,
        state: HeadState,
        log: PendingLog,
        decode: Decode,
        *,
        limits: Limits,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`decode` gives the transaction of bytes that some replica forwarded; `limits` of each re-run."""
        self._state = state
        self._log = log
        self._decode = decode
        self._limits = limits
        self._now = now
        self._unshared: list[tuple[PendingEntry, Footprint]] = []
        self._turned: deque[Transaction] = deque(maxlen=MAX_TURNED)
        self.statistics = OverlayStatistics()

    def take_turned(self) -> list[Transaction]:
        """Forwarded transactions that now do something else than what they were judged for, each told once."""
        turned = list(self._turned)
        self._turned.clear()
        return turned

    async def restack(self, view: View, old: View | None, written: Collection[Key] | None) -> None:
        """Put what stood on `old` on `view`; see `Restack`. Raises UpstreamError."""
        if old is None:
            return
        view.seen = old.seen
        redone: list[Standing] = []
        for item in old.standing:
            was_spent = item.spent_since
            kept = replace(item, effects=None)
            if written is not None and item.effects is not None and still_holds(item, written, redone):
                kept.effects = self.lay(view, view.top, repriced(item, item.effects, old, view))
            else:
                await self._place(view, view.top, kept)
                redone += [item, kept]
            if was_spent is not None and kept.spent_since is None:
                self.statistics.reinjected += 1
                self._turned.append(kept.transaction)
            elif item.mark.succeeded is False and kept.mark.succeeded:
                self.statistics.turned += 1
                self._turned.append(kept.transaction)
            view.standing.append(kept)

    async def stack(self, view: View, entries: Iterable[PendingEntry]) -> None:
        """Follow the shared order: put new entries on top, take withdrawn ones out."""
        for entry in entries:
            if entry.sequence <= view.seen:
                continue
            if entry.raw is None:
                await self.take_out(view, entry.hash)
            elif view.find(entry.hash) is None:
                await self._follow(view, entry, entry.raw)
            # Last, so that a world forked meanwhile does not count as having seen it.
            view.seen = entry.sequence

    async def _follow(self, view: View, entry: PendingEntry, raw: RawTransaction) -> None:
        try:
            transaction = self._decode(raw)
        except InvalidTransaction:
            # Another replica with a newer version may take what this one does not know.
            self.statistics.opaque += 1
            return
        await self._stand(view, Standing(entry, transaction), None)

    async def mend(self, view: View) -> None:
        """Lay everything again if something could not be laid before; `view.incomplete` tells if it worked."""
        if view.incomplete:
            await self._lay_again(view)

    async def take_out(self, view: View, hash: Hash32) -> None:
        """Remove one transaction, put back in force what it had replaced, and lay the others again."""
        item = view.find(hash)
        if item is None:
            return
        view.standing.remove(item)
        for other in view.standing:
            if other.replaced_by == hash:
                other.replaced_by = None
        await self._lay_again(view)

    async def stack_without(self, view: View, stack: Stack, left_out: Sequence[Standing]) -> None:
        """Lay on `stack` what stands on the view, but for these and their senders' later transactions."""
        first: dict[Address, int] = {}
        for item in left_out:
            first[item.entry.sender] = min(item.entry.nonce, first.get(item.entry.sender, item.entry.nonce))
        for item in view.standing:
            if item.entry.nonce < first.get(item.entry.sender, item.entry.nonce + 1):
                await self._place(view, stack, replace(item, effects=None))

    async def stack_only(self, view: View, stack: Stack, sender: Address) -> None:
        """Lay on `stack` only what this sender forwarded."""
        for item in view.standing:
            if item.entry.sender == sender:
                await self._place(view, stack, replace(item, effects=None))

    async def enter(
        self, view: View, transaction: Transaction, effects: StateDiff | None, mark: Footprint
    ) -> bool | None:
        """Take a place in the shared order and lay `effects` on top; None has the transaction run again for them.

        True: done. False: something it read was written meanwhile and is now on top; judge again. None: it was in the
        order already.

        Raises:
            QueueUnavailable: the shared order is away; nothing changed. `enter_alone` goes on without it.
        """
        entry = PendingEntry(0, transaction.hash, transaction.raw, transaction.sender, transaction.nonce, self._now())
        reads, writes = () if mark is UNSEEN else mark.read_patterns(), mark.write_patterns()
        news = await self._log.append(entry, seen=view.seen, reads=reads, writes=writes)
        if news.lost:
            await self._fill(view)
            return False
        await self.stack(view, news.unseen)
        if news.known:
            return None
        if not news.accepted:
            self.statistics.conflicts += 1
            return False
        placed = PendingEntry(news.sequence, entry.hash, entry.raw, entry.sender, entry.nonce, entry.forwarded_at)
        await self._stand(view, Standing(placed, transaction, mark=mark), effects)
        view.seen = news.sequence
        return True

    async def _fill(self, view: View) -> None:
        """The log came back empty: put in what this replica knows, before anything new."""
        for item in view.standing:
            if item.effects is not None:
                await self._log.append(item.entry, seen=0, reads=(), writes=item.mark.write_patterns())
        view.seen = 0
        await self.stack(view, await self._log.after(0))

    async def enter_alone(
        self, view: View, transaction: Transaction, effects: StateDiff | None, mark: Footprint
    ) -> None:
        """Lay `effects` on top of this replica's view only; `share` tells the others once the log is back."""
        entry = PendingEntry(
            view.seen, transaction.hash, transaction.raw, transaction.sender, transaction.nonce, self._now()
        )
        self._unshared.append((entry, mark))
        self.statistics.unshared += 1
        await self._stand(view, Standing(entry, transaction, mark=mark), effects)

    async def share(self, view: View) -> None:
        """Read what others forwarded, and publish what could not be published before. Raises QueueUnavailable."""
        while self._unshared:
            entry, mark = self._unshared[0]
            await self._log.append(entry, seen=0, reads=(), writes=mark.write_patterns())
            del self._unshared[0]
        await self.stack(view, await self._log.after(view.seen))

    async def withdraw(self, view: View, hash: Hash32) -> None:
        """A forwarded transaction will not be mined: take it out here and for all replicas."""
        item = view.find(hash)
        if item is None:
            return
        await self.take_out(view, hash)
        self._unshared = [(entry, mark) for entry, mark in self._unshared if entry.hash != hash]
        await self._log.withdraw(item.entry)

    async def forget_spent(self, view: View) -> None:
        """Drop what is long mined, here and from the shared order. Raises QueueUnavailable.

        Not at once: a replica that is a few heads behind still needs it, and a reorg may bring it back.
        """
        old = [
            item
            for item in view.standing
            if item.spent_since is not None and view.head.number - item.spent_since > KEEP_SPENT_HEADS
        ]
        for item in old:
            view.standing.remove(item)
        await self._log.forget([item.entry.hash for item in old])

    async def _stand(self, view: View, item: Standing, effects: StateDiff | None) -> None:
        """Append one transaction; `effects` are its own if they were computed on the present top."""
        rivals = [
            other
            for other in view.standing
            if (other.entry.sender, other.entry.nonce) == (item.entry.sender, item.entry.nonce)
        ]
        self.statistics.stacked += 1
        if rivals:
            for rival in rivals:
                rival.replaced_by = item.entry.hash
            # In the place of what it replaces: the sender's later nonces stand behind it.
            view.standing.insert(view.standing.index(rivals[-1]) + 1, item)
            await self._lay_again(view)
            return
        view.standing.append(item)
        if effects is not None:
            item.effects = self.lay(view, view.top, effects)
            return
        try:
            await self._place(view, view.top, item)
        except (UpstreamError, HeadMoved):
            view.incomplete = True

    async def _lay_again(self, view: View) -> None:
        view.incomplete = True
        laid = []
        with view.another_stack() as stack:
            try:
                for item in view.standing:
                    copy = replace(item, effects=None)
                    await self._place(view, stack, copy)
                    laid.append(copy)
            except (UpstreamError, HeadMoved):
                # The old top stays until the next head, or until somebody mends it; nothing is admitted on it.
                return
        for item, copy in zip(view.standing, laid, strict=True):
            item.effects, item.mark, item.spent_since = copy.effects, copy.mark, copy.spent_since
        view.top, view.incomplete = stack, False

    async def _place(self, view: View, stack: Stack, item: Standing) -> None:
        """Run one forwarded transaction again and lay its effects on `stack`; sets what `item` knows of itself.

        Raises HeadMoved and UpstreamError: its state could not be had now.
        """
        item.effects = None
        if item.replaced_by is not None:
            return
        account = self._state.cache.accounts.get(item.entry.sender)
        if account is not None and account.nonce > item.entry.nonce:
            item.spent_since = item.spent_since if item.spent_since is not None else view.head.number
            return
        item.spent_since = None
        try:
            ran = await self._state.run(
                view, item.transaction, lambda: stack.world.fork(), limits=self._limits, checks=ADMISSION
            )
        except InvalidTransaction:
            # Mined, replaced, or not executable on this head: a node would not run it either.
            account = self._state.cache.accounts.get(item.entry.sender)
            if account is not None and account.nonce > item.entry.nonce:
                item.spent_since = view.head.number
            return
        except SimulationError:
            # No engine can tell what it does. It was forwarded because the policy says so for such cases.
            self.statistics.opaque += 1
            return
        if ran.result.truncated:
            self.statistics.opaque += 1
            return
        item.mark = footprint(item.transaction, ran.result)
        item.effects = self.lay(view, stack, ran.result.state_diff)

    def lay(self, view: View, stack: Stack, effects: StateDiff) -> StateDiff:
        """Put `effects` of one transaction on `stack`; returns them as laid."""
        coinbase = view.head.coinbase
        account = self._state.cache.accounts.get(coinbase)
        return stack.put(effects, coinbase, account.balance if account is not None else 0)

"""What would this transaction do on the state it will really meet: the one object the pipeline asks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

from gateway.errors import QueueUnavailable, SimulationError, Unexecutable, UpstreamError, UpstreamRefused
from gateway.evm.admission import upfront_cost
from gateway.evm.simulator import ADMISSION, Simulator, World
from gateway.live.codes import CodeStore
from gateway.live.conduct import LiveSettings, LiveStatistics
from gateway.live.conflict import touched_by
from gateway.live.fetch import Reader
from gateway.live.head_state import HeadState, HeadUnknown
from gateway.live.overlay import Decode, Overlay
from gateway.live.pending import UNSEEN, PendingLog, footprint
from gateway.live.runner import HeadMoved, Pursuit, Ran
from gateway.live.second_look import SecondLook, SecondLooks
from gateway.live.simulation import Basis, LiveSimulation, on_basis
from gateway.live.view import View
from gateway.live.whereabouts import Whereabouts
from gateway.model.chain import ChainProfile
from gateway.model.head import HeadChange, Header
from gateway.model.pending import Admission
from gateway.model.primitive import Address, Hash32
from gateway.model.trace import SimulationResult
from gateway.model.transaction import Transaction

SENDING_SECONDS = 5.0
"""for which a transaction with a place is taken to be on its way, though the upstream does not show it"""
MAX_RESTARTS = 6
"""times one simulation starts over because the head moved while it waited for state"""


Admitted = Callable[[Transaction, SimulationResult | None], None]


class LiveState:
    """Follows the head as listener of a HeadFollower, simulates on it, and orders what is forwarded."""

    def __init__(
        self,
        simulator: Simulator,
        reader: Reader,
        profile: ChainProfile,
        log: PendingLog,
        decode: Decode,
        *,
        codes: CodeStore | None = None,
        settings: LiveSettings = LiveSettings(),
        admitted: Admitted | None = None,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`now`: seconds since 1970, for block timestamps; `clock`: the one that deadlines are values of.

        `admitted` is told of each transaction that got a place; it must neither wait nor raise.
        """
        self._admitted = admitted
        self._codes = codes if codes is not None else CodeStore()
        self._settings = settings
        self._clock, self._now = clock, now
        self.head_state = HeadState(
            simulator, reader, profile, self._codes, max_head_age=settings.max_head_age, now=now, clock=clock
        )
        self.overlay = Overlay(self.head_state, log, decode, limits=settings.limits, now=now)
        self._second_look = SecondLook(self.head_state, self.overlay, self._codes, settings.limits, clock)
        self._whereabouts = Whereabouts(self.head_state, self.overlay, settings.dropped_after, clock)
        self.statistics = LiveStatistics()

    @property
    def head(self) -> Header | None:
        """The head that verdicts are given on; None before the first."""
        view = self.head_state.view
        return view.head if view is not None else None

    def code(self, hash: Hash32) -> bytes | None:
        """The code with that hash, if it was ever met."""
        return self._codes.get(hash)

    async def advance(self, change: HeadChange) -> None:
        """Listener of the HeadFollower. Raises UpstreamError; the old head then stays and grows stale."""
        await self.head_state.advance(change, self.overlay.restack)

    async def simulate(self, transaction: Transaction, deadline: float) -> LiveSimulation:
        """Execute on the newest head with everything forwarded on top.

        Args:
            transaction: its nonce has to be the next one after what is mined and forwarded, or that of a forwarded
                transaction which it then replaces.
            deadline: monotonic seconds; a run that reaches it gives a truncated result.

        Raises:
            Unexecutable: a node would refuse it; "nonce too high" means that there is a gap.
            SimulationError: the engine failed.
            UpstreamError: there is no fresh head, or the state could not be fetched.
        """
        pursuit = Pursuit()
        caught_up = False
        for _ in range(MAX_RESTARTS):
            view = await self.head_state.current()
            try:
                ran, basis = await self._run(view, transaction, deadline, pursuit)
            except HeadMoved:
                self.statistics.restarts += 1
                # The next view may take longer to make than `current` waits for it.
                await self.head_state.settled(max(deadline - self._clock(), 0.0))
                continue
            except Unexecutable as error:
                if error.reason != "nonce too high" or caught_up or not await self._catch_up():
                    raise
                caught_up = True
                continue
            except UpstreamRefused:
                # The node no longer has the block that was asked for: a reorg, which the next head will tell of.
                if view is self.head_state.view:
                    raise
                continue
            self.statistics.ran(basis.trips)
            return on_basis(ran.result, basis)
        raise SimulationError(f"the head moved {MAX_RESTARTS} times while state was fetched for {transaction.hash}")

    async def second_looks(
        self, transaction: Transaction, simulation: SimulationResult, deadline: float, *, suspicious: bool
    ) -> SecondLooks:
        """See `SecondLook.look`. Raises UpstreamError if there is no fresh head."""
        return await self._second_look.look(transaction, simulation, deadline, suspicious=suspicious)

    async def next_nonce(self, sender: Address) -> int:
        """The nonce of the sender's next transaction, after what is mined and forwarded. Raises UpstreamError."""
        for _ in range(MAX_RESTARTS):
            view = await self.head_state.current()
            try:
                nonce = await self.head_state.nonce(view, sender)
            except HeadMoved:
                continue
            taken = {item.entry.nonce for item in view.standing if item.entry.sender == sender and item.effects}
            while nonce in taken:
                nonce += 1
            return nonce
        raise HeadUnknown(f"the head moved {MAX_RESTARTS} times while the nonce of {sender} was read")

    async def admit(self, transaction: Transaction, simulation: SimulationResult | None) -> Admission:
        """Give a transaction its place in the order of forwarding, if its verdict still holds. Then send it at once.

        Without a simulation (a failure answer of the policy forwards unseen) it takes its place in any case, and
        whatever is judged after it is judged on top of it.

        Raises:
            QueueUnavailable: the shared order is away and required; nothing may be sent on this verdict.
            UpstreamError: there is no fresh head.
        """
        basis = simulation.basis if isinstance(simulation, LiveSimulation) else None
        async with self.head_state.turn:
            view = self.head_state.present()
            await self.overlay.mend(view)
            if view.incomplete or (basis is not None and self._outdated(view, basis)):
                self.statistics.changed += 1
                return Admission.CHANGED
            mark = basis.footprint if basis is not None else UNSEEN
            # A truncated run says what its first part did; the rest is found out when the entry is stacked.
            whole = simulation if basis is not None and simulation is not None and not simulation.truncated else None
            effects = whole.state_diff if whole is not None else None
            try:
                entered = await self.overlay.enter(view, transaction, effects, mark)
            except QueueUnavailable:
                if self._settings.require_shared_order:
                    raise
                await self.overlay.enter_alone(view, transaction, effects, mark)
                entered = True
            if entered is None:
                return await self._known(view, transaction.hash)
            if not entered:
                self.statistics.changed += 1
                return Admission.CHANGED
            self.statistics.admitted += 1
            self.statistics.newest_head += basis is not None and basis.head == view.head.ref
            if self._admitted is not None:
                self._admitted(transaction, simulation)
            return Admission.ADMITTED

    async def withdraw(self, transaction: Hash32) -> None:
        """An admitted transaction was refused, or never left: its effects will not come.

        Unless the upstream turns out to have it ("already known"): then they will, and it keeps its place.

        Raises QueueUnavailable if the other replicas could not be told; `maintain` finds it dropped later.
        """
        try:
            if await self._whereabouts.at_upstream(transaction):
                return
        except UpstreamError:
            # Nobody can be asked, so nothing was taken either: the refusal stands.
            pass
        async with self.head_state.turn:
            if self.head_state.view is not None:
                await self.overlay.withdraw(self.head_state.view, transaction)

    def take_turned(self) -> list[Transaction]:
        """Forwarded, unmined transactions to judge again: a reorg brought them back, or they would no longer fail.

        They cannot be called back. A verdict that is not FORWARD is an alarm.
        """
        return self.overlay.take_turned()

    async def maintain(self) -> None:
        """One round of upkeep, for a loop of about a second.

        Reads what other replicas forwarded, finds what the upstream dropped, forgets what is long mined, saves code.

        Raises:
            QueueUnavailable: the shared order is away.
            UpstreamError: the upstream is.
            OSError: the code folder cannot be written.
        """
        await asyncio.to_thread(self._codes.save, self._codes.take_unsaved())
        view = self.head_state.view
        if view is None:
            return
        async with self.head_state.turn:
            view = self.head_state.present()
            await self.overlay.share(view)
            await self.overlay.forget_spent(view)
        await self._whereabouts.find_dropped(view)

    async def _catch_up(self) -> bool:
        """Read the shared order: the nonce before may have gone through another replica. True if there was news."""
        async with self.head_state.turn:
            view = self.head_state.present()
            seen = view.seen
            try:
                await self.overlay.share(view)
            except QueueUnavailable:
                # Without the other replicas' word the gap stays a gap: the transaction waits, it is not sent.
                return False
            return view.seen != seen

    async def _run(self, view: View, transaction: Transaction, deadline: float, pursuit: Pursuit) -> tuple[Ran, Basis]:
        seconds = max(deadline - self._clock(), 0.001)
        limits = replace(self._settings.limits, wall_clock=min(self._settings.limits.wall_clock, seconds))
        replaced = view.occupant(transaction.sender, transaction.nonce)
        seen, whole = view.seen, not view.incomplete
        if replaced is None:

            def top() -> World:
                # What is laid on top while state is fetched is in the next fork, and only then counts as seen.
                nonlocal seen, whole
                seen, whole = view.seen, not view.incomplete
                return view.top.world.fork()

            ran = await self.head_state.run(view, transaction, top, limits=limits, checks=ADMISSION, pursuit=pursuit)
        else:
            # Also what is forwarded already is run as if it were not, to see what it would do now.
            with view.another_stack() as stack:
                await self.overlay.stack_without(view, stack, [replaced])
                ran = await self.head_state.run(
                    view, transaction, lambda: stack.world.fork(), limits=limits, checks=ADMISSION, pursuit=pursuit
                )
        await self._check_extra_fee(view, transaction, ran.result)
        mark = footprint(transaction, ran.result)
        return ran, Basis(
            view.head.ref, seen, mark, whole, ran.trips, replaced.entry.hash if replaced is not None else None
        )

    async def _check_extra_fee(self, view: View, transaction: Transaction, result: SimulationResult) -> None:
        """The engines know gas and value; what the chain takes besides must be there too."""
        fee = await self.head_state.extra_fee(view, transaction)
        change = result.state_diff.get(transaction.sender)
        if not fee or change is None or change.balance is None:
            return
        cost, have = upfront_cost(transaction) + fee, change.balance[0]
        if cost > have:
            raise Unexecutable(
                "insufficient funds for gas * price + value",
                f"address {transaction.sender} have {have} want {cost}, of which {fee} L1 data and operator fee",
            )

    async def _known(self, view: View, hash: Hash32) -> Admission:
        """KNOWN, unless who took the place died before sending: then the place is good and the sending is due."""
        item = view.find(hash)
        if item is None or self._now() - item.entry.forwarded_at < SENDING_SECONDS:
            return Admission.KNOWN
        return Admission.KNOWN if await self._whereabouts.at_upstream(hash) else Admission.ADMITTED

    def _outdated(self, view: View, basis: Basis) -> bool:
        if not basis.whole:
            return True
        if basis.head.hash != view.head.hash:
            written = self.head_state.written_since(basis.head.hash)
            if written is None or basis.footprint.meets(written):
                return True
        return touched_by(view.standing, basis.footprint, after=basis.seen)

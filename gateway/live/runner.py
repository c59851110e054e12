"""Runs a transaction until no state is missing, fetching what is in as few round trips as can be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.errors import SimulationError, StateMissing
from gateway.evm.simulator import Checks, Limits, Simulator, World
from gateway.live.cache import StateCache
from gateway.live.fetch import StateFetcher
from gateway.live.prefetch import Prefetcher
from gateway.model.block import BlockContext
from gateway.model.primitive import Hash32
from gateway.model.state import StateBatch, StateKeys
from gateway.model.trace import SimulationResult
from gateway.model.transaction import Transaction

MAX_ROUNDS = 24
"""times one transaction may turn out to need more state"""


class HeadMoved(Exception):
    """The state fetched belongs to a block that is not the head any more; start over on the new one."""


@dataclass(slots=True)
class Pursuit:
    """What is known of one transaction's state, kept when its run starts over on another head."""

    wanted: StateKeys = field(default_factory=StateKeys)
    """keys it turned out to touch"""
    explored: bool = False
    """True if the node was asked what it touches"""
    trips: int = 0
    """round trips it waited for so far"""

    def want(self, keys: StateKeys) -> None:
        """Remember that these are needed, on whichever head."""
        self.wanted = StateKeys(self.wanted.accounts | keys.accounts, self.wanted.slots | keys.slots)


@dataclass(frozen=True, slots=True)
class Ran:
    """A result and the round trips it waited for."""

    result: SimulationResult
    trips: int


Load = Callable[[StateBatch], None]
"""Adds values of the pinned block to every world that stands on it; raises HeadMoved if there is none."""


class Runner:
    """The loop of run, fetch, run again; holds no state of its own but what calls taught it."""

    def __init__(self, simulator: Simulator, fetcher: StateFetcher, cache: StateCache, prefetcher: Prefetcher) -> None:
        self._simulator = simulator
        self._fetcher = fetcher
        self._cache = cache
        self._prefetcher = prefetcher

    async def run(
        self,
        transaction: Transaction,
        world: Callable[[], World],
        block: Hash32,
        context: BlockContext,
        load: Load,
        *,
        limits: Limits,
        checks: Checks,
        pursuit: Pursuit | None = None,
    ) -> Ran:
        """The result of `transaction` on `world()` in `context`.

        Args:
            transaction: what to execute.
            world: a fresh fork for each round; it knows what `load` has added since.
            block: the block whose state is fetched.
            context: the environment.
            load: takes what was fetched.
            limits: of one round in the engine.
            checks: admission checks.
            pursuit: of the same transaction, if it starts over.

        Raises:
            HeadMoved: by `load`.
            Unexecutable: a node would refuse the transaction.
            SimulationError: the engine failed, or the state it needs has no end.
            UpstreamError: the state could not be fetched.
        """
        pursuit = Pursuit() if pursuit is None else pursuit
        pursuit.want(self._prefetcher.predict(transaction))
        wanted = StateKeys(pursuit.wanted.accounts | {context.coinbase}, pursuit.wanted.slots)
        explores = transaction.input and not pursuit.explored and not self._prefetcher.knows(transaction)
        await self._fetch(wanted, block, load, pursuit, transaction if explores else None)
        for _ in range(MAX_ROUNDS):
            try:
                result = await self._simulator.simulate(world(), transaction, context, limits=limits, checks=checks)
            except StateMissing as missing:
                pursuit.want(missing.keys)
                # If all of it is known by now, another run fetched it meanwhile, and the next fork has it. Else this
                # call is of another kind than was learned: the node tells the rest of it in the same round trip.
                await self._fetch(missing.keys, block, load, pursuit, None if pursuit.explored else transaction)
                continue
            self._prefetcher.learn(transaction, result)
            return Ran(result, pursuit.trips)
        raise SimulationError(f"{transaction.hash} still missed state after {MAX_ROUNDS} rounds")

    async def _fetch(
        self, keys: StateKeys, block: Hash32, load: Load, pursuit: Pursuit, explore: Transaction | None
    ) -> None:
        unknown = self._cache.unknown(keys)
        if not unknown:
            return
        pursuit.trips += 1
        fetched = await self._fetcher.fetch(unknown, block, explore=explore)
        pursuit.trips += fetched.trips - 1
        pursuit.explored |= explore is not None
        pursuit.want(fetched.wanted)
        load(fetched.values)
        await self._fetch(fetched.wanted, block, load, pursuit, None)

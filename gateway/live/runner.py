"""Runs a transaction until no state is missing, fetching what is in as few round trips as can be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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

        Raises:
            HeadMoved: by `load`.
            Unexecutable: a node would refuse the transaction.
            SimulationError: the engine failed, or the state it needs has no end.
            UpstreamError: the state could not be fetched.
        """
        wanted = self._prefetcher.predict(transaction)
        wanted = StateKeys(wanted.accounts | {context.coinbase}, wanted.slots)
        explore = transaction if transaction.input and not self._prefetcher.knows(transaction) else None
        trips = await self._fetch(wanted, block, load, explore)
        for _ in range(MAX_ROUNDS):
            try:
                result = await self._simulator.simulate(world(), transaction, context, limits=limits, checks=checks)
            except StateMissing as missing:
                unknown = self._cache.unknown(missing.keys)
                # Known by now: another run fetched it meanwhile, and the next fork has it.
                trips += await self._fetch(unknown, block, load, None)
                continue
            self._prefetcher.learn(transaction, result)
            return Ran(result, trips)
        raise SimulationError(f"{transaction.hash} still missed state after {MAX_ROUNDS} rounds")

    async def _fetch(self, keys: StateKeys, block: Hash32, load: Load, explore: Transaction | None) -> int:
        unknown = self._cache.unknown(keys)
        if not unknown:
            return 0
        fetched = await self._fetcher.fetch(unknown, block, access_list_of=explore)
        load(fetched.values)
        return fetched.trips + await self._fetch(fetched.wanted, block, load, None)

"""py-evm in the calling thread, behind the Simulator protocol."""

from __future__ import annotations

from gateway.errors import SimulationError
from gateway.evm.py_evm import NAME, execute
from gateway.evm.simulator import ADMISSION, Checks, Limits, World
from gateway.evm.world import LayeredWorld
from gateway.model.block import BlockContext
from gateway.model.chain import ChainProfile
from gateway.model.trace import SimulationResult
from gateway.model.transaction import Transaction


class LocalPyEvm:
    """py-evm in the calling thread: for evaluation and tests, where nothing else waits for the event loop.

    The wall clock is looked at in every loop and frame, so it ends everything but one long precompile.
    """

    name = NAME

    def __init__(self, profile: ChainProfile | None = None) -> None:
        self._p256 = profile is not None and profile.p256

    def world(self, *, complete: bool = False) -> LayeredWorld:
        """An empty world."""
        return LayeredWorld(complete=complete)

    async def simulate(
        self,
        world: World,
        transaction: Transaction,
        block: BlockContext,
        *,
        limits: Limits = Limits(),
        checks: Checks = ADMISSION,
    ) -> SimulationResult:
        """As the protocol says, but the event loop waits."""
        return execute(own_world(world), transaction, block, limits=limits, checks=checks, p256=self._p256)

    async def close(self) -> None:
        """Nothing to stop."""


def own_world(world: World) -> LayeredWorld:
    """`world` as this engine's own. Raises SimulationError if another engine made it."""
    if not isinstance(world, LayeredWorld):
        raise SimulationError(f"a world of another engine ({type(world).__name__}) was given to {NAME}")
    return world

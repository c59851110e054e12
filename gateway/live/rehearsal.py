"""One run of a transaction at the newest head, in a block that is not the one expected."""

from __future__ import annotations

import time
from collections.abc import Callable

from gateway.errors import SimulationError
from gateway.evm.simulator import Checks, Limits
from gateway.live.runner import HeadMoved
from gateway.live.state import LiveState
from gateway.model.block import BlockContext
from gateway.model.trace import SimulationResult
from gateway.model.transaction import Transaction

CHECKS = Checks(nonce=False)
"""The question is what it does, not whether its turn has come."""
TRIES = 3


async def rehearse(
    live: LiveState,
    transaction: Transaction,
    change: Callable[[BlockContext], BlockContext],
    deadline: float,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> SimulationResult:
    """Execute on the newest head, with everything forwarded on top, in `change(the expected block)`.

    Raises:
        Unexecutable: a node would refuse it in such a block (its fee is below the base fee, for example).
        SimulationError: the engine failed, or the head moved under every try.
        UpstreamError: there is no fresh head, or the state could not be fetched.
    """
    for _ in range(TRIES):
        view = await live.head_state.current()
        world = view.top.world
        limits = Limits(wall_clock=max(deadline - clock(), 0.001))
        try:
            ran = await live.head_state.run(
                view,
                transaction,
                world.fork,
                limits=limits,
                checks=CHECKS,
                context=change(live.head_state.context(view)),
            )
        except HeadMoved:
            continue
        return ran.result
    raise SimulationError(f"the head moved {TRIES} times while {transaction.hash} was run again")

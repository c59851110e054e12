"""Further runs of one transaction, and what they show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from gateway.errors import SimulationError
from gateway.evm.simulator import Checks, Limits
from gateway.live.codes import CodeStore
from gateway.live.evidence import evasion, recreations
from gateway.live.head_state import HeadState
from gateway.live.overlay import Overlay, touched_by
from gateway.live.runner import HeadMoved
from gateway.live.simulation import LiveSimulation
from gateway.live.variants import Variant, VariantRunner
from gateway.live.view import View
from gateway.model.block import BlockContext
from gateway.model.finding import Finding
from gateway.model.trace import SimulationResult
from gateway.model.transaction import Transaction

VARIANT = Checks(nonce=False)
"""A replacement's nonce is taken on top of what it replaces."""


@dataclass(frozen=True, slots=True)
class SecondLooks:
    """What further runs of a transaction showed."""

    variants: tuple[Variant, ...]
    """inspect their results too: what is hidden from the first run may be plain in another"""
    findings: tuple[Finding, ...]


class SecondLook:
    """Decides which variants are worth it, and runs them."""

    def __init__(
        self, state: HeadState, overlay: Overlay, codes: CodeStore, limits: Limits, clock: Callable[[], float]
    ) -> None:
        self._state, self._overlay, self._codes = state, overlay, codes
        self._limits, self._clock = limits, clock
        self._variants = VariantRunner(clock)

    async def look(
        self, transaction: Transaction, simulation: SimulationResult, deadline: float, *, suspicious: bool
    ) -> SecondLooks:
        """Run the variants that are worth it, and look for contracts that came back with other code.

        Args:
            transaction: as simulated.
            simulation: of `LiveState.simulate`.
            deadline: monotonic seconds; variants that do not begin before it are reported as not run.
            suspicious: the first inspection found something, so that every variant is run.

        Raises:
            UpstreamError: there is no fresh head.
        """
        findings = list(recreations(simulation, self._codes))
        view = await self._state.current()
        basis = simulation.basis if isinstance(simulation, LiveSimulation) else None
        others = [item for item in view.standing if item.entry.sender != transaction.sender]
        conflicted = basis is not None and touched_by(others, basis.footprint)
        kinds = self._variants.kinds(simulation, suspicious=suspicious, conflicted=conflicted)
        if not kinds:
            return SecondLooks((), tuple(findings))

        async def run_in(context: BlockContext, with_pending: bool) -> SimulationResult:
            try:
                return await self._run(view, transaction, context, deadline, with_pending=with_pending)
            except HeadMoved as error:
                raise SimulationError("the head moved while the variant was run") from error

        variants = await self._variants.run(transaction, simulation, kinds, run_in, deadline)
        found = evasion(variants)
        return SecondLooks(variants, (*findings, *([found] if found is not None else [])))

    async def _run(
        self, view: View, transaction: Transaction, context: BlockContext, deadline: float, *, with_pending: bool
    ) -> SimulationResult:
        limits = replace(self._limits, wall_clock=max(deadline - self._clock(), 0.001))
        if with_pending:
            world = view.top.world
            ran = await self._state.run(
                view, transaction, lambda: world.fork(), limits=limits, checks=VARIANT, context=context
            )
            return ran.result
        with view.another_stack() as stack:
            # The sender's own earlier transactions come first whatever the order of the others is.
            await self._overlay.stack_only(view, stack, transaction.sender)
            ran = await self._state.run(
                view, transaction, lambda: stack.world.fork(), limits=limits, checks=VARIANT, context=context
            )
        return ran.result

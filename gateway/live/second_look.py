"""Further runs of one transaction, and what they show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gateway.errors import SimulationError, Unexecutable
from gateway.evm.simulator import Checks, Limits
from gateway.live.codes import CodeStore
from gateway.live.conflict import follows, precedes
from gateway.live.evidence import evasion, recreations
from gateway.live.head_state import HeadState
from gateway.live.overlay import Overlay
from gateway.live.pending import UNSEEN
from gateway.live.runner import HeadMoved
from gateway.live.simulation import LiveSimulation
from gateway.live.variants import Variant, VariantRunner
from gateway.live.view import Stack, Standing, View
from gateway.model.block import BlockContext
from gateway.model.finding import Finding
from gateway.model.trace import SimulationResult
from gateway.model.transaction import Transaction

VARIANT = Checks(nonce=False)
"""A replacement's nonce is taken on top of what it replaces."""


LOOKS = 3
"""tries, while there is time: the head may move under the first"""
MAX_REORDERED = 8
"""forwarded transactions looked at again for one that may be mined before them: the latest ones"""


@dataclass(frozen=True, slots=True)
class SecondLooks:
    """What further runs of a transaction showed."""

    variants: tuple[Variant, ...]
    """inspect their results too: what is hidden from the first run may be plain in another"""
    reordered: tuple[tuple[Transaction, SimulationResult], ...]
    """what forwarded transactions would do if this one were mined before them: inspect these too"""
    findings: tuple[Finding, ...]
    unfinished: str | None = None
    """why not all was run that should have been; None if it was"""


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
        for _ in range(LOOKS):
            looks = await self._look(transaction, simulation, deadline, suspicious=suspicious)
            if looks.unfinished is None or self._clock() >= deadline:
                break
        return looks

    async def _look(
        self, transaction: Transaction, simulation: SimulationResult, deadline: float, *, suspicious: bool
    ) -> SecondLooks:
        findings = list(recreations(simulation, self._codes))
        view = await self._state.current()
        basis = simulation.basis if isinstance(simulation, LiveSimulation) else None
        others = [
            item for item in view.standing if item.effects is not None and item.entry.sender != transaction.sender
        ]
        mark = basis.footprint if basis is not None else UNSEEN
        conflicted = any(follows(mark, item) for item in others)
        kinds = self._variants.kinds(simulation, suspicious=suspicious, conflicted=conflicted)
        behind = [item for item in others if precedes(mark, item)][-MAX_REORDERED:]
        reordered, unfinished = await self._reorder(view, transaction, behind, simulation.block, deadline)

        async def run_in(context: BlockContext, with_pending: bool) -> SimulationResult:
            try:
                return await self._run(view, transaction, context, deadline, with_pending=with_pending)
            except HeadMoved as error:
                raise SimulationError("the head moved while the variant was run") from error

        variants = await self._variants.run(transaction, simulation, kinds, run_in, deadline)
        left = [variant.kind.difference for variant in variants if variant.unfinished]
        if left:
            unfinished = f"not run in {left[0]}"
        found = evasion(variants)
        return SecondLooks(variants, reordered, (*findings, *([found] if found is not None else [])), unfinished)

    async def _reorder(
        self, view: View, transaction: Transaction, behind: Sequence[Standing], context: BlockContext, deadline: float
    ) -> tuple[tuple[tuple[Transaction, SimulationResult], ...], str | None]:
        """What forwarded transactions do if this one is mined before them, as a higher fee can bring about.

        The second part says why not all were run; None if they were.
        """
        results: list[tuple[Transaction, SimulationResult]] = []
        if not behind:
            return (), None
        with view.another_stack() as stack:
            try:
                await self._overlay.stack_without(view, stack, behind)
                first = await self._on(view, stack, transaction, context, deadline)
                self._overlay.lay(view, stack, first.state_diff)
            except Unexecutable:
                # In that order it cannot be mined at all.
                return (), None
            except (HeadMoved, SimulationError) as error:
                return (), f"not run before {behind[0].entry.hash}: {error or 'the head moved'}"
            for item in behind:
                if self._clock() >= deadline:
                    return tuple(results), f"no time to run {item.entry.hash} after it"
                try:
                    results.append((item.transaction, await self._on(view, stack, item.transaction, context, deadline)))
                except Unexecutable:
                    continue
                except (HeadMoved, SimulationError) as error:
                    return tuple(results), f"not run before {item.entry.hash}: {error or 'the head moved'}"
        return tuple(results), None

    async def _on(
        self, view: View, stack: Stack, transaction: Transaction, context: BlockContext, deadline: float
    ) -> SimulationResult:
        limits = replace(self._limits, wall_clock=max(deadline - self._clock(), 0.001))
        ran = await self._state.run(
            view, transaction, lambda: stack.world.fork(), limits=limits, checks=VARIANT, context=context
        )
        return ran.result

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
            return await self._on(view, stack, transaction, context, deadline)

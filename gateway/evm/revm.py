"""Adapter over `stopgate_engine`, the native engine; the only file that imports it."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import stopgate_engine

from gateway.errors import SimulationError, StateMissing, Unexecutable
from gateway.evm.native_facts import NativeFacts
from gateway.evm.native_trace import KINDS, NativeDiff, NativeTrace
from gateway.evm.simulator import ADMISSION, Checks, Limits, World
from gateway.model.block import BlockContext
from gateway.model.facts import TokenStandard
from gateway.model.primitive import Address, Hash32
from gateway.model.state import StateBatch, StateKeys
from gateway.model.trace import AccessKind, SimulationResult, SimulationStatus, StateDiff
from gateway.model.transaction import Transaction

_STANDARDS = (
    TokenStandard.NATIVE,
    TokenStandard.ERC20,
    TokenStandard.ERC721,
    TokenStandard.ERC1155,
    TokenStandard.ERC777,
)
_WORDS = stopgate_engine.Words(Address, Hash32, list(KINDS), list(AccessKind), list(_STANDARDS))
"""what the engine makes its rows of"""
_STATUSES = {status.value: status for status in SimulationStatus}

_INLINE_GAS = 300_000
"""A transaction that may use no more gas than this runs on the calling thread: it ends within a few
milliseconds whatever it does, and a change of threads costs more than most such runs."""


class RevmWorld:
    """Known state, held by the engine. Safe to use from several threads."""

    def __init__(self, native: Any) -> None:
        self.native = native
        self.complete: bool = native.complete

    def load(self, batch: StateBatch) -> None:
        """Add known values; a value already known is replaced."""
        for address, account in batch.accounts.items():
            self.native.load_account(address, account.nonce, account.balance, account.code, account.code_hash)
        self.native.load_slots(dict(batch.slots))
        for number, value in batch.block_hashes.items():
            self.native.load_hash(number, value)

    def apply(self, diff: StateDiff) -> None:
        """Put the effects of an executed transaction on top."""
        if isinstance(diff, NativeDiff):
            self.native.apply_outcome(diff.outcome)
            return
        for address, change in diff.items():
            self.native.apply_account(address, change.balance, change.nonce, change.code, change.storage)

    def fork(self) -> RevmWorld:
        """A cheap independent copy: neither side sees the other's later loads or effects."""
        return RevmWorld(self.native.fork())


class RevmSimulator:
    """revm in this process; other threads run while it executes."""

    name = "revm"

    def __init__(self, *, p256: bool = False, threads: int | None = None) -> None:
        """`p256` adds the RIP-7212 precompile to forks before Osaka; `threads` defaults to one per core."""
        self._p256 = p256
        self._pool = ThreadPoolExecutor(threads or os.cpu_count() or 1, thread_name_prefix="revm")

    def world(self, *, complete: bool = False) -> World:
        """An empty world for this engine; worlds of one engine do not work in another."""
        return RevmWorld(stopgate_engine.World(complete))

    async def simulate(
        self,
        world: World,
        transaction: Transaction,
        block: BlockContext,
        *,
        limits: Limits = Limits(),
        checks: Checks = ADMISSION,
    ) -> SimulationResult:
        """Execute `transaction` on `world` in `block`; the contract is that of `Simulator`."""
        if transaction.gas_limit <= _INLINE_GAS:
            return self.run(world, transaction, block, limits=limits, checks=checks)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._pool, lambda: self.run(world, transaction, block, limits=limits, checks=checks)
        )

    def run(
        self,
        world: World,
        transaction: Transaction,
        block: BlockContext,
        *,
        limits: Limits = Limits(),
        checks: Checks = ADMISSION,
    ) -> SimulationResult:
        """The same on the calling thread."""
        if not isinstance(world, RevmWorld):
            raise SimulationError(
                f"revm cannot run on a {type(world).__name__}: make worlds with this engine's world()"
            )
        try:
            outcome = world.native.simulate(transaction, block, limits, checks, self._p256)
        except stopgate_engine.Refused as refused:
            raise Unexecutable(*refused.args) from None
        except stopgate_engine.Broken as broken:
            raise SimulationError(f"revm failed on transaction {transaction.hash}: {broken}") from broken
        except (OverflowError, ValueError, TypeError) as unfit:
            raise Unexecutable("value out of range", f"transaction {transaction.hash}: {unfit}") from unfit
        if isinstance(outcome, stopgate_engine.Wanted):
            raise StateMissing(
                StateKeys(
                    accounts=frozenset(map(Address, outcome.accounts)),
                    slots=frozenset((Address(address), slot) for address, slot in outcome.slots),
                    block_hashes=frozenset(outcome.block_hashes),
                )
            )
        status, gas_used, output, error, truncated, duration, created, destroyed = outcome.summary(_WORDS)
        return SimulationResult(
            status=_STATUSES[status],
            gas_used=gas_used,
            output=output,
            error=error,
            trace=NativeTrace(outcome, _WORDS),
            state_diff=NativeDiff(outcome, _WORDS),
            created=created,
            destroyed=destroyed,
            block=block,
            engine=self.name,
            duration=duration,
            truncated=truncated,
            facts=NativeFacts(outcome, _WORDS),
        )

    async def close(self) -> None:
        """Stop the threads; idempotent."""
        self._pool.shutdown(wait=False, cancel_futures=True)

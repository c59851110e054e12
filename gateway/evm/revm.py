"""Adapter over `stopgate_engine`, the native engine; the only file that imports it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import stopgate_engine

from gateway.decoding.keccak import keccak256
from gateway.errors import SimulationError, StateMissing, Unexecutable
from gateway.evm.simulator import ADMISSION, Checks, Limits, World
from gateway.model.block import BlockContext
from gateway.model.primitive import Address, Hash32
from gateway.model.state import StateBatch, StateKeys
from gateway.model.trace import (
    AccessKind,
    AccountDiff,
    CallFrame,
    EnvironmentRead,
    FrameKind,
    Log,
    SimulationResult,
    SimulationStatus,
    SlotUse,
    StateDiff,
    StorageAccess,
    Trace,
)
from gateway.model.transaction import Transaction

_KINDS = (
    FrameKind.CALL,
    FrameKind.STATICCALL,
    FrameKind.DELEGATECALL,
    FrameKind.CALLCODE,
    FrameKind.CREATE,
    FrameKind.CREATE2,
    FrameKind.SELFDESTRUCT,
)
_ACCESSES = (AccessKind.SLOAD, AccessKind.SSTORE, AccessKind.TLOAD, AccessKind.TSTORE)

_INLINE_GAS = 300_000
"""A transaction that may use no more gas than this runs on the calling thread: it ends within a few
milliseconds whatever it does, and a change of threads costs more than most such runs."""


class RevmWorld:
    """Known state, held by the engine. Safe to use from several threads."""

    def __init__(self, native: Any, codes: dict[Hash32, bytes] | None = None) -> None:
        self.native = native
        self.complete: bool = native.complete
        self.codes: dict[Hash32, bytes] = {} if codes is None else codes
        """every code ever loaded or created here; forks share it, for a hash has one meaning"""

    def load(self, batch: StateBatch) -> None:
        """Add known values; a value already known is replaced."""
        for address, account in batch.accounts.items():
            self.native.load_account(address, account.nonce, account.balance, account.code, account.code_hash)
            if account.code:
                self.codes[account.code_hash] = account.code
        self.native.load_slots(dict(batch.slots))
        for number, value in batch.block_hashes.items():
            self.native.load_hash(number, value)

    def apply(self, diff: StateDiff) -> None:
        """Put the effects of an executed transaction on top."""
        if isinstance(diff, _NativeDiff):
            self.native.apply_outcome(diff.outcome)
            if diff.outcome.created:
                self._remember_codes(diff)
            return
        for address, change in diff.items():
            self.native.apply_account(address, change.balance, change.nonce, change.code, change.storage)
        self._remember_codes(diff)

    def _remember_codes(self, diff: StateDiff) -> None:
        for change in diff.values():
            if change.code is not None and change.code[1]:
                self.codes[keccak256(change.code[1])] = change.code[1]

    def fork(self) -> RevmWorld:
        """A cheap independent copy: neither side sees the other's later loads or effects."""
        return RevmWorld(self.native.fork(), self.codes)


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
        return SimulationResult(
            status=SimulationStatus(outcome.status),
            gas_used=outcome.gas_used,
            output=outcome.output,
            error=outcome.error,
            trace=_NativeTrace(outcome, world.codes),
            state_diff=_NativeDiff(outcome),
            created=tuple(map(Address, outcome.created)),
            destroyed=tuple(map(Address, outcome.destroyed)),
            block=block,
            engine=self.name,
            duration=outcome.duration,
            truncated=outcome.truncated,
        )

    async def close(self) -> None:
        """Stop the threads; idempotent."""
        self._pool.shutdown(wait=False, cancel_futures=True)


class _NativeTrace(Trace):
    """A trace that lies in the engine until a part of it is asked for."""

    def __init__(self, outcome: Any, codes: Mapping[Hash32, bytes]) -> None:
        self._outcome, self._codes = outcome, codes
        self._made: dict[str, Any] = {}
        self._addresses = _Addresses()

    @property
    def frames(self) -> tuple[CallFrame, ...]:
        """All frames in the order of entry; `frames[0]` is the transaction itself."""
        made: tuple[CallFrame, ...] | None = self._made.get("frames")
        if made is None:
            made = self._made["frames"] = tuple([_frame(fields, self._addresses) for fields in self._outcome.frames()])
        return made

    @property
    def logs(self) -> tuple[Log, ...]:
        """All events in order, those of undone frames included and marked."""
        made: tuple[Log, ...] | None = self._made.get("logs")
        if made is None:
            known = self._addresses
            made = self._made["logs"] = tuple(
                [
                    Log(sequence, frame, known[address], topics, data, reverted)
                    for sequence, frame, address, topics, data, reverted in self._outcome.logs()
                ]
            )
        return made

    @property
    def accesses(self) -> tuple[StorageAccess, ...]:
        """Storage opcodes in order."""
        made: tuple[StorageAccess, ...] | None = self._made.get("accesses")
        if made is None:
            known = self._addresses
            made = self._made["accesses"] = tuple(
                [
                    StorageAccess(sequence, frame, _ACCESSES[kind], known[address], slot, value, previous)
                    for sequence, frame, kind, address, slot, value, previous in self._outcome.accesses()
                ]
            )
        return made

    @property
    def slots(self) -> tuple[SlotUse, ...]:
        """Each touched slot once, folded by the engine."""
        made: tuple[SlotUse, ...] | None = self._made.get("slots")
        if made is None:
            known = self._addresses
            made = self._made["slots"] = tuple(
                [SlotUse(known[address], *row) for address, *row in self._outcome.slots()]
            )
        return made

    @property
    def environment(self) -> tuple[EnvironmentRead, ...]:
        """Reads of the block environment."""
        return tuple(EnvironmentRead(*read) for read in self._outcome.environment())

    @property
    def preimages(self) -> Mapping[int, bytes]:
        """Slot -> the bytes whose keccak256 it is."""
        made: Mapping[int, bytes] | None = self._made.get("preimages")
        if made is None:
            made = self._made["preimages"] = self._outcome.preimages()
        return made

    @property
    def codes(self) -> Mapping[Hash32, bytes]:
        """Code hash -> the code of every frame that ran code."""
        made: Mapping[Hash32, bytes] | None = self._made.get("codes")
        if made is None:
            made = self._made["codes"] = {Hash32(key): code for key, code in self._outcome.codes().items()}
        return made


class _Addresses(dict[bytes, Address]):
    """One object for each address of a trace; a look-up is far cheaper than a construction."""

    def __missing__(self, raw: bytes) -> Address:
        made = self[raw] = Address(raw)
        return made


def _frame(fields: tuple[Any, ...], known: _Addresses) -> CallFrame:
    index, parent, depth, kind, sender, to, code_address, code_hash, *rest = fields
    return CallFrame(
        index,
        parent,
        depth,
        _KINDS[kind],
        known[sender],
        None if to is None else known[to],
        None if code_address is None else known[code_address],
        None if code_hash is None else Hash32(code_hash),
        *rest,
    )


class _NativeDiff(Mapping[Address, AccountDiff]):
    """A state diff that lies in the engine until it is read."""

    def __init__(self, outcome: Any) -> None:
        self.outcome = outcome
        self._made: dict[Address, AccountDiff] | None = None

    def _read(self) -> dict[Address, AccountDiff]:
        if self._made is None:
            self._made = {
                Address(address): AccountDiff(balance, nonce, code, storage)
                for address, balance, nonce, code, storage in self.outcome.changes()
            }
        return self._made

    def __getitem__(self, address: Address) -> AccountDiff:
        return self._read()[address]

    def __iter__(self) -> Iterator[Address]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def __repr__(self) -> str:
        return repr(self._read())

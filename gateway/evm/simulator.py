"""The protocol that every engine speaks, and the limits it keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from gateway.model.block import BlockContext
from gateway.model.state import StateBatch
from gateway.model.trace import SimulationResult, StateDiff
from gateway.model.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one run, shared by all its frames. Hitting one gives a truncated result, not an error."""

    wall_clock: float = 2.0
    """seconds"""
    frames: int = 50_000
    accesses: int = 500_000
    """storage opcodes kept"""
    logs: int = 50_000
    output_bytes: int = 16 * 1024 * 1024
    """input, output and log data kept, in all"""


@dataclass(frozen=True, slots=True)
class Checks:
    """Which admission checks run before execution; all of them on the hot path.

    Recorded transactions that were never signed switch them off.
    """

    nonce: bool = True
    balance: bool = True
    """upfront cost; when off, the sender is given what is missing and fees are not charged"""
    sender_code: bool = True
    """EIP-3607"""


ADMISSION = Checks()
REPLAY = Checks(nonce=False, balance=False, sender_code=False)


class World(Protocol):
    """Known state at one block. Not shared between event loops; `fork` is how two runs stay apart."""

    complete: bool
    """True: what was not loaded is empty (recorded cases). False: it is unknown, and a run raises StateMissing."""

    def load(self, batch: StateBatch) -> None:
        """Add known values; a value already known is replaced."""

    def apply(self, diff: StateDiff) -> None:
        """Put the effects of an executed transaction on top."""

    def fork(self) -> World:
        """A cheap independent copy: neither side sees the other's later loads or effects."""


class Simulator(Protocol):
    """One EVM. Deterministic: the same world, block and transaction give the same result, but for `duration`."""

    name: str

    def world(self, *, complete: bool = False) -> World:
        """An empty world for this engine; worlds of one engine do not work in another."""

    async def simulate(
        self,
        world: World,
        transaction: Transaction,
        block: BlockContext,
        *,
        limits: Limits = Limits(),
        checks: Checks = ADMISSION,
    ) -> SimulationResult:
        """Execute `transaction` on `world` in `block`; the world is not changed.

        Raises:
            StateMissing: the world is not complete and these keys are needed; the caller loads them and calls again.
            Unexecutable: a node would refuse the transaction (nonce, balance, intrinsic gas, block gas limit).
            SimulationError: the engine crashed or was killed; nothing is known about the transaction.
        """

    async def close(self) -> None:
        """Stop workers; idempotent."""

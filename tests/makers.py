"""Traces made by hand: a tape that counts sequence numbers while calls, events and storage accesses are written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from gateway.decoding.keccak import keccak256
from gateway.inspection.past.memory import EMPTY_MEMORY, Memory
from gateway.inspection.subject import Inspection
from gateway.inspection.trace.facts import TRANSFER
from gateway.model.block import BlockContext, Fork
from gateway.model.primitive import Address, Hash32
from gateway.model.trace import (
    AccessKind,
    AccountDiff,
    CallFrame,
    FrameKind,
    Log,
    SimulationResult,
    SimulationStatus,
    StorageAccess,
    Trace,
)
from gateway.model.transaction import RawTransaction, Transaction, TransactionType

BLOCK = BlockContext(19_000_000, 1_700_000_000, Address(bytes(20)), 30_000_000, 7, Hash32(b"\x05" * 32), 1, Fork.CANCUN)
CODE = Hash32(b"\x07" * 32)


def account(number: int) -> Address:
    """A distinct address for each number."""
    return Address(bytes([0xAA]) + number.to_bytes(19, "big"))


def word(value: Address | int) -> bytes:
    """32 bytes, as the EVM pads them."""
    return value.to_bytes(32, "big") if isinstance(value, int) else value.rjust(32, b"\0")


SENDER, ENTRY = account(1), account(2)


class Tape:
    """Writes one transaction from `SENDER` to `ENTRY`; calls nest as `with` blocks do."""

    def __init__(self) -> None:
        self._frames: list[CallFrame] = []
        self._logs: list[Log] = []
        self._accesses: list[StorageAccess] = []
        self._preimages: dict[int, bytes] = {}
        self._storage: dict[Address, dict[int, tuple[int, int]]] = {}
        self._balances: dict[Address, tuple[int, int]] = {}
        self._open: list[int] = []
        self._now = 0

    @contextmanager
    def call(
        self,
        to: Address,
        value: int = 0,
        data: bytes = b"",
        output: bytes = b"",
        kind: FrameKind = FrameKind.CALL,
        code: Hash32 | None = CODE,
    ) -> Iterator[int]:
        """One frame; yields its index."""
        index, parent = len(self._frames), self._open[-1] if self._open else -1
        caller = self._frames[parent].to if parent >= 0 else SENDER
        entered = self._tick()
        made = CallFrame(
            index=index,
            parent=parent,
            depth=len(self._open),
            kind=kind,
            from_=caller or SENDER,
            to=to,
            code_address=to,
            code_hash=code,
            value=value,
            gas=0,
            gas_used=0,
            input=data,
            output=output,
            error=None,
            revert_reason=None,
            entered=entered,
            left=entered,
            reverted=False,
        )
        self._frames.append(made)
        self._open.append(index)
        yield index
        self._open.pop()
        self._frames[index] = made._replace(left=self._tick())

    def transfer(self, token: Address, source: Address, target: Address, amount: int) -> None:
        """The token's Transfer event; balances are not written."""
        self.log(token, (TRANSFER, word(source), word(target)), word(amount))

    @staticmethod
    def transfer_topics(source: Address, target: Address) -> tuple[bytes, ...]:
        """Topics of the Transfer event, for a log of one's own."""
        return TRANSFER, word(source), word(target)

    @contextmanager
    def delegate(self, code: Address) -> Iterator[int]:
        """A DELEGATECALL of the open frame's account to `code`."""
        with self.call(code, kind=FrameKind.DELEGATECALL) as index:
            yield index

    def log(self, address: Address, topics: tuple[bytes, ...], data: bytes) -> None:
        """Any event, in the open frame."""
        self._logs.append(Log(self._tick(), self._open[-1], address, topics, data, False))

    def read(self, address: Address, slot: int, value: int) -> None:
        """A storage slot is read."""
        self._accesses.append(
            StorageAccess(self._tick(), self._open[-1], AccessKind.SLOAD, address, slot, value, value)
        )

    def write(self, address: Address, slot: int, before: int, after: int) -> None:
        """A storage slot changes."""
        self._accesses.append(
            StorageAccess(self._tick(), self._open[-1], AccessKind.SSTORE, address, slot, after, before)
        )
        changed = self._storage.setdefault(address, {})
        changed[slot] = (changed.get(slot, (before, 0))[0], after)

    def entry(self, holder: Address, position: int = 0) -> int:
        """The slot of `mapping(address => ...)` number `position` for `holder`, its preimage noted."""
        preimage = word(holder) + word(position)
        slot = int.from_bytes(keccak256(preimage), "big")
        self._preimages[slot] = preimage
        return slot

    def hashed(self, preimage: bytes) -> bytes:
        """Something is hashed; its preimage is noted."""
        digest = keccak256(preimage)
        self._preimages[int.from_bytes(digest, "big")] = preimage
        return digest

    def allowance(self, owner: Address, spender: Address, position: int = 1) -> int:
        """The slot of what `owner` lets `spender` take, both preimages noted."""
        preimage = word(spender) + word(self.entry(owner, position))
        slot = int.from_bytes(keccak256(preimage), "big")
        self._preimages[slot] = preimage
        return slot

    def move(self, token: Address, source: Address, target: Address, amount: int, had: int, has: int = 0) -> None:
        """A transfer with both balances written: the source had `had`, the target `has`."""
        self.write(token, self.entry(source), had, had - amount)
        self.write(token, self.entry(target), has, has + amount)
        self.transfer(token, source, target, amount)

    def balance(self, holder: Address, before: int, after: int) -> None:
        """The coin balance of an account changes over the transaction."""
        self._balances[holder] = (before, after)

    def _tick(self) -> int:
        self._now += 1
        return self._now

    def result(self, codes: Mapping[Hash32, bytes] | None = None) -> SimulationResult:
        """The finished simulation."""
        touched = self._storage.keys() | self._balances.keys()
        diff = {
            address: AccountDiff(balance=self._balances.get(address), storage=self._storage.get(address, {}))
            for address in touched
        }
        trace = Trace(self._frames, self._logs, self._accesses, (), self._preimages, codes or {})
        return SimulationResult(
            SimulationStatus.SUCCESS, 21_000, b"", None, trace, diff, (), (), block=BLOCK, engine="tape", duration=0.0
        )

    def subject(self, memory: Memory = EMPTY_MEMORY) -> Inspection:
        """The finished transaction as detectors see it."""
        return Inspection(TRANSACTION, self.result(), memory)


TRANSACTION = Transaction(
    raw=RawTransaction(b"", Hash32(bytes(32))),
    type=TransactionType.DYNAMIC_FEE,
    chain_id=1,
    sender=SENDER,
    nonce=0,
    to=ENTRY,
    value=0,
    input=b"",
    gas_limit=30_000_000,
    max_fee_per_gas=0,
    max_priority_fee_per_gas=0,
)

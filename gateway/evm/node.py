"""The node as an engine: debug_traceCall at a pinned block.

For chains that no local engine executes, and as a second opinion.

It owns no client: whoever composes the process hands it a function that sends one JSON-RPC batch. It sees no storage
accesses, no environment reads and no code hashes; what it cannot supply is None, never an empty list.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from gateway.decoding.keccak import keccak256
from gateway.errors import SimulationError, UpstreamError
from gateway.evm.admission import check_sender, check_transaction
from gateway.evm.node_trace import read_diff, read_trace
from gateway.evm.simulator import ADMISSION, Checks, Limits, World
from gateway.evm.tracer import REVERTED
from gateway.model.block import BlockContext
from gateway.model.primitive import Address, Hash32
from gateway.model.state import AccountState, StateBatch
from gateway.model.trace import FrameKind, SimulationResult, SimulationStatus, StateDiff
from gateway.model.transaction import Transaction, TransactionType

NAME: Final = "node"

Call = tuple[str, Sequence[object]]
"""method and parameters"""
Batch = Callable[[Sequence[Call]], Awaitable[Sequence[object]]]
"""Sends several calls as one batch; an answer that is an UpstreamError stands for a JSON-RPC error of that call."""


class NodeWorld:
    """A block of the node, and what was put on top of it; state travels as overrides of the call."""

    complete = True  # the node knows everything: no run ever misses state

    def __init__(self, block: Hash32) -> None:
        self.block = block
        self._overrides: dict[Address, dict[str, Any]] = {}

    def load(self, batch: StateBatch) -> None:
        """Override these values; what the node itself knows need not be loaded."""
        for address, account in batch.accounts.items():
            self._overrides.setdefault(address, {}).update(
                balance=hex(account.balance), nonce=hex(account.nonce), code=_hex(account.code)
            )
        for (address, slot), value in batch.slots.items():
            self._slots(address)[_word(slot)] = _word(value)

    def apply(self, diff: StateDiff) -> None:
        """Put the effects of an executed transaction on top."""
        for address, change in diff.items():
            entry = self._overrides.setdefault(address, {})
            if change.balance is not None:
                entry["balance"] = hex(change.balance[1])
            if change.nonce is not None:
                entry["nonce"] = hex(change.nonce[1])
            if change.code is not None:
                entry["code"] = _hex(change.code[1])
            for slot, (_, after) in change.storage.items():
                self._slots(address)[_word(slot)] = _word(after)

    def fork(self) -> NodeWorld:
        """An independent copy."""
        copy = NodeWorld(self.block)
        for address, entry in self._overrides.items():
            copy._overrides[address] = dict(entry)
            if "stateDiff" in entry:
                copy._overrides[address]["stateDiff"] = dict(entry["stateDiff"])
        return copy

    def overrides(self) -> dict[str, dict[str, Any]]:
        """Geth's `stateOverrides`."""
        return {str(address): entry for address, entry in self._overrides.items()}

    def sender(self, address: Address, balance: int, nonce: int, code: bytes) -> AccountState:
        """What the node says of an account, with what was put on top of it."""
        entry = self._overrides.get(address, {})
        code = bytes.fromhex(entry["code"][2:]) if "code" in entry else code
        return AccountState(
            nonce=int(entry.get("nonce", hex(nonce)), 16),
            balance=int(entry.get("balance", hex(balance)), 16),
            code=code,
            code_hash=keccak256(code),
        )

    def _slots(self, address: Address) -> dict[str, str]:
        slots: dict[str, str] = self._overrides.setdefault(address, {}).setdefault("stateDiff", {})
        return slots


class NodeSimulator:
    """Simulator over a node's debug API; two traces and the sender's account in one batch, pinned by block hash."""

    name = NAME

    def __init__(self, batch: Batch, head: Callable[[], Hash32]) -> None:
        """`head` names the block that new worlds stand on."""
        self._batch = batch
        self._head = head

    def world(self, *, complete: bool = False) -> NodeWorld:
        """The node's state at the present head; `complete` makes no difference, for the node knows all."""
        return NodeWorld(self._head())

    async def simulate(
        self,
        world: World,
        transaction: Transaction,
        block: BlockContext,
        *,
        limits: Limits = Limits(),
        checks: Checks = ADMISSION,
    ) -> SimulationResult:
        """As the protocol says. StateMissing is never raised."""
        if not isinstance(world, NodeWorld):
            raise SimulationError(f"a world of another engine ({type(world).__name__}) was given to {NAME}")
        started = time.perf_counter()
        check_transaction(transaction, block)
        at = {"blockHash": str(world.block)}
        sender = str(transaction.sender)
        answers = await self._batch(
            [
                *_traces(world, transaction, block, limits, fees=checks.balance),
                ("eth_getBalance", [sender, at]),
                ("eth_getTransactionCount", [sender, at]),
                ("eth_getCode", [sender, at]),
            ]
        )
        tree, diff, *account = answers
        try:
            _require(transaction, balance=account[0], nonce=account[1], code=account[2])
            balance, nonce, code = (
                int(str(account[0]), 16),
                int(str(account[1]), 16),
                bytes.fromhex(str(account[2])[2:]),
            )
            # before the traces are looked at: a node refuses those of a transaction that it would not execute
            check_sender(transaction, world.sender(transaction.sender, balance, nonce, code), block, checks)
            _require(transaction, callTracer=tree, prestateTracer=diff)
            return _result(tree, diff, block, limits, started)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise SimulationError(
                f"the node's trace of {transaction.hash} makes no sense ({type(error).__name__}: {error})"
            ) from error

    async def close(self) -> None:
        """Nothing to stop: the client belongs to whoever made it."""


def _require(transaction: Transaction, **answers: object) -> None:
    for what, answer in answers.items():
        if isinstance(answer, UpstreamError):
            raise SimulationError(f"the node refused {what} of {transaction.hash}: {answer}") from answer


def _traces(
    world: NodeWorld, transaction: Transaction, block: BlockContext, limits: Limits, *, fees: bool
) -> list[Call]:
    config = {
        "timeout": f"{limits.wall_clock}s",
        "blockOverrides": {
            "number": hex(block.number),
            "time": hex(block.timestamp),
            "gasLimit": hex(block.gas_limit),
            "feeRecipient": str(block.coinbase),
            "prevRandao": str(block.prev_randao),
            "baseFeePerGas": hex(block.base_fee),
        },
    }
    overrides = world.overrides()
    if overrides:
        config["stateOverrides"] = overrides
    call, at = _call_object(transaction, fees=fees), {"blockHash": str(world.block)}
    return [
        ("debug_traceCall", [call, at, {**config, "tracer": "callTracer", "tracerConfig": {"withLog": True}}]),
        ("debug_traceCall", [call, at, {**config, "tracer": "prestateTracer", "tracerConfig": {"diffMode": True}}]),
    ]


def _call_object(transaction: Transaction, *, fees: bool) -> dict[str, Any]:
    call: dict[str, Any] = {
        "from": str(transaction.sender),
        "gas": hex(transaction.gas_limit),
        "value": hex(transaction.value),
        "input": _hex(transaction.input),
        "nonce": hex(transaction.nonce),
    }
    if transaction.to is not None:
        call["to"] = str(transaction.to)
    if fees and transaction.type in (TransactionType.LEGACY, TransactionType.ACCESS_LIST):
        call["gasPrice"] = hex(transaction.max_fee_per_gas)
    elif fees:
        call["maxFeePerGas"] = hex(transaction.max_fee_per_gas)
        call["maxPriorityFeePerGas"] = hex(transaction.max_priority_fee_per_gas)
    if transaction.access_list:
        call["accessList"] = [
            {"address": str(entry.address), "storageKeys": [_word(slot) for slot in entry.slots]}
            for entry in transaction.access_list
        ]
    if transaction.authorization_list:
        call["authorizationList"] = [
            {
                "chainId": hex(entry.chain_id),
                "address": str(entry.address),
                "nonce": hex(entry.nonce),
                "yParity": hex(entry.y_parity),
                "r": hex(entry.r),
                "s": hex(entry.s),
            }
            for entry in transaction.authorization_list
        ]
    return call


def _result(tree: object, diff: object, block: BlockContext, limits: Limits, started: float) -> SimulationResult:
    if not isinstance(tree, Mapping) or not isinstance(diff, Mapping):
        raise TypeError("a tracer's answer is not an object")
    trace, truncated = read_trace(tree, limits)
    changes, destroyed = read_diff(diff)
    root = trace.frames[0]
    status = SimulationStatus.SUCCESS
    if root.error is not None:
        status = SimulationStatus.REVERTED if root.error == REVERTED else SimulationStatus.HALTED
    return SimulationResult(
        status=status,
        gas_used=root.gas_used,
        output=root.output,
        error=root.error,
        trace=trace,
        state_diff=changes,
        created=tuple(
            frame.to
            for frame in trace.frames
            if frame.kind in (FrameKind.CREATE, FrameKind.CREATE2) and frame.to is not None and not frame.reverted
        ),
        destroyed=destroyed,
        block=block,
        engine=NAME,
        duration=time.perf_counter() - started,
        truncated=truncated,
    )


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _word(number: int) -> str:
    return f"0x{number:064x}"

"""The simulation's part of a stored case: frames and logs as rows, bounded, with every cut told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from gateway.model.block import BlockContext, Fork
from gateway.model.primitive import Address, Hash32
from gateway.model.trace import (
    AccountDiff,
    CallFrame,
    EnvironmentRead,
    FrameKind,
    Log,
    SimulationResult,
    SimulationStatus,
    StateDiff,
    Trace,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much of a case is kept."""

    frames: int = 10_000
    items: int = 10_000
    """each of findings, logs, transfers, approvals, accounts of the diff, slots of one account"""
    field_bytes: int = 16_384
    """input, output or data of one frame or log"""
    total_bytes: int = 4 * 1024 * 1024
    """all inputs, outputs, log data and code together"""
    text_characters: int = 2_000


class Budget:
    """Counts what one document has used of its bounds, and what was cut."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self._remaining = bounds.total_bytes
        self._cut_fields = self._cut_texts = 0
        self._cut_lists: dict[str, tuple[int, int]] = {}

    def data(self, value: bytes) -> str:
        """`value` as hex, cut to what one field and the whole document may hold."""
        allowed = min(self.bounds.field_bytes, max(self._remaining, 0))
        if len(value) > allowed:
            self._cut_fields += 1
            value = value[:allowed]
        self._remaining -= len(value)
        return "0x" + value.hex()

    def text(self, value: str) -> str:
        """`value` cut to the length a text may have; lone surrogates, which JSON cannot carry, are replaced."""
        if len(value) > self.bounds.text_characters:
            self._cut_texts += 1
            value = value[: self.bounds.text_characters]
        return value.encode("utf-8", "replace").decode()

    def items(self, name: str, values: Sequence[T], limit: int | None = None) -> Sequence[T]:
        """The first `limit` of `values` (default: `bounds.items`)."""
        limit = self.bounds.items if limit is None else limit
        if len(values) > limit:
            kept, total = self._cut_lists.get(name, (0, 0))
            self._cut_lists[name] = (kept + limit, total + len(values))
        return values[:limit]

    def sentences(self) -> list[str]:
        """What was cut, for people."""
        told = [f"{total:,} {name}, the first {kept:,} are kept" for name, (kept, total) in self._cut_lists.items()]
        if self._cut_fields:
            told.append(f"input, output or data of {self._cut_fields:,} frames, logs or accounts is cut")
        if self._cut_texts:
            told.append(f"{self._cut_texts:,} texts are cut to {self.bounds.text_characters:,} characters")
        return told


def to_hex(data: bytes) -> str:
    """0x and hex digits."""
    return "0x" + data.hex()


def to_bytes(text: str) -> bytes:
    """What `to_hex` wrote."""
    return bytes.fromhex(text[2:])


def text_or_none(address: Address | None) -> str | None:
    """An address as text."""
    return None if address is None else str(address)


def address_or_none(text: str | None) -> Address | None:
    """What `text_or_none` wrote."""
    return None if text is None else Address(bytes.fromhex(text[2:]))


def simulation_to(result: SimulationResult, budget: Budget) -> dict[str, Any]:
    """A simulation as plain JSON values; storage opcodes are left out."""
    frames = budget.items("call frames", result.trace.frames, budget.bounds.frames)
    known = len(frames)
    environment = result.trace.environment
    return {
        "status": result.status.value,
        "gas_used": result.gas_used,
        "output": budget.data(result.output),
        "error": None if result.error is None else budget.text(result.error),
        "frames": [_frame_to(frame, budget) for frame in frames],
        "logs": [
            [
                log.sequence,
                log.frame,
                str(log.address),
                [topic.hex() for topic in log.topics],
                budget.data(log.data),
                log.reverted,
            ]
            for log in budget.items("logs", [log for log in result.trace.logs if log.frame < known])
        ],
        "environment": None
        if environment is None
        else [[read.frame, read.opcode, read.count] for read in budget.items("environment reads", environment)],
        "preimages": _preimages_to(result),
        "state_diff": _diff_to(result.state_diff, budget),
        "created": [str(address) for address in budget.items("created accounts", result.created)],
        "destroyed": [str(address) for address in budget.items("destroyed accounts", result.destroyed)],
        "block": _block_to(result.block),
        "engine": result.engine,
        "duration": result.duration,
        "truncated": result.truncated,
    }


def simulation_from(document: Mapping[str, Any]) -> SimulationResult:
    """The simulation that `simulation_to` wrote; its trace has no storage opcodes."""
    environment = document["environment"]
    address = Address.from_hex
    return SimulationResult(
        status=SimulationStatus(document["status"]),
        gas_used=document["gas_used"],
        output=to_bytes(document["output"]),
        error=document["error"],
        trace=Trace(
            frames=_frames_from(document["frames"]),
            logs=[
                Log(sequence, frame, address(account), tuple(map(bytes.fromhex, topics)), to_bytes(data), reverted)
                for sequence, frame, account, topics, data, reverted in document["logs"]
            ],
            environment=None if environment is None else [EnvironmentRead(*read) for read in environment],
            preimages=None
            if document["preimages"] is None
            else {int(slot, 16): to_bytes(preimage) for slot, preimage in document["preimages"].items()},
        ),
        state_diff={address(account): _account_from(row) for account, row in document["state_diff"].items()},
        created=tuple(address(account) for account in document["created"]),
        destroyed=tuple(address(account) for account in document["destroyed"]),
        block=_block_from(document["block"]),
        engine=document["engine"],
        duration=document["duration"],
        truncated=document["truncated"],
    )


def _frame_to(frame: CallFrame, budget: Budget) -> list[Any]:
    return [
        frame.parent,
        frame.depth,
        frame.kind.value,
        frame.from_.hex(),
        None if frame.to is None else frame.to.hex(),
        None if frame.code_address is None else frame.code_address.hex(),
        None if frame.code_hash is None else frame.code_hash.hex(),
        hex(frame.value),
        frame.gas,
        frame.gas_used,
        budget.data(frame.input),
        budget.data(frame.output),
        None if frame.error is None else budget.text(frame.error),
        None if frame.revert_reason is None else budget.text(frame.revert_reason),
        frame.entered,
        frame.left,
        frame.reverted,
    ]


def _frames_from(rows: Sequence[Sequence[Any]]) -> list[CallFrame]:
    """The frames of a trace. Thousands of calls are among a few accounts: each is read once."""
    unhex = bytes.fromhex
    kinds = {kind.value: kind for kind in FrameKind}
    addresses: dict[str | None, Address | None] = {None: None}
    hashes: dict[str | None, Hash32 | None] = {None: None}

    def address(text: str | None) -> Any:
        if text not in addresses and text is not None:
            addresses[text] = Address(unhex(text))
        return addresses[text]

    def hash_(text: str | None) -> Hash32 | None:
        if text not in hashes and text is not None:
            hashes[text] = Hash32(unhex(text))
        return hashes[text]

    return [
        CallFrame(
            index,
            parent,
            depth,
            kinds[kind],
            address(from_),
            address(to),
            address(code_address),
            hash_(code_hash),
            int(value, 16),
            gas,
            gas_used,
            unhex(data[2:]),
            unhex(output[2:]),
            *rest,
        )
        for index, (
            parent, depth, kind, from_, to, code_address, code_hash, value, gas, gas_used, data, output, *rest,
        ) in enumerate(rows)
    ]  # fmt: skip


def _preimages_to(result: SimulationResult) -> dict[str, str] | None:
    """Only the preimages of slots that changed, and of the mapping slots inside those, are of use on a page."""
    preimages = result.trace.preimages
    if preimages is None:
        return None
    wanted = [slot for diff in result.state_diff.values() for slot in diff.storage]
    kept: dict[str, str] = {}
    while wanted:
        slot = wanted.pop()
        preimage = preimages.get(slot)
        if preimage is not None and hex(slot) not in kept:
            kept[hex(slot)] = to_hex(preimage)
            wanted.append(int.from_bytes(preimage[-32:]))
    return kept


def _diff_to(diff: StateDiff, budget: Budget) -> dict[str, list[Any]]:
    rows = {}
    for address, account in budget.items("changed accounts", list(diff.items())):
        slots = budget.items("changed slots", list(account.storage.items()))
        rows[str(address)] = [
            None if account.balance is None else [hex(value) for value in account.balance],
            account.nonce,
            None if account.code is None else [budget.data(code) for code in account.code],
            {hex(slot): [hex(before), hex(after)] for slot, (before, after) in slots},
        ]
    return rows


def _account_from(row: Sequence[Any]) -> AccountDiff:
    balance, nonce, code, storage = row
    return AccountDiff(
        balance=None if balance is None else (int(balance[0], 16), int(balance[1], 16)),
        nonce=None if nonce is None else (nonce[0], nonce[1]),
        code=None if code is None else (to_bytes(code[0]), to_bytes(code[1])),
        storage={int(slot, 16): (int(before, 16), int(after, 16)) for slot, (before, after) in storage.items()},
    )


def _block_to(block: BlockContext) -> dict[str, Any]:
    return {
        "number": block.number,
        "timestamp": block.timestamp,
        "coinbase": str(block.coinbase),
        "gas_limit": block.gas_limit,
        "base_fee": hex(block.base_fee),
        "prev_randao": str(block.prev_randao),
        "chain_id": block.chain_id,
        "fork": block.fork.value,
        "blob_base_fee": hex(block.blob_base_fee),
    }


def _block_from(document: Mapping[str, Any]) -> BlockContext:
    return BlockContext(
        number=document["number"],
        timestamp=document["timestamp"],
        coinbase=Address.from_hex(document["coinbase"]),
        gas_limit=document["gas_limit"],
        base_fee=int(document["base_fee"], 16),
        prev_randao=Hash32.from_hex(document["prev_randao"]),
        chain_id=document["chain_id"],
        fork=Fork(document["fork"]),
        blob_base_fee=int(document["blob_base_fee"], 16),
    )

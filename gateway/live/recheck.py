"""Was the state a verdict was given on the state that the transaction met? Compared with what the chain then did."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import structlog

from gateway.errors import UpstreamError, UpstreamRefused
from gateway.live import wire
from gateway.live.block_trace import BlockEffects, parse_effects
from gateway.live.codes import CodeStore
from gateway.live.explore import call_object
from gateway.live.fetch import Call, Reader
from gateway.live.simulation import LiveSimulation
from gateway.model.primitive import Address, Hash32
from gateway.model.trace import SimulationResult
from gateway.model.transaction import Transaction

log = structlog.get_logger()

PATIENCE: Final = 120.0
"""seconds after which a transaction that is in no block is no longer waited for"""
CAPACITY: Final = 512
_SCALE: Final = 1_000_000
_DIFF: Final = {"tracer": "prestateTracer", "tracerConfig": {"diffMode": True}}
_FEE_VAULTS: Final = frozenset(
    Address.from_hex("0x42000000000000000000000000000000000000" + end) for end in ("11", "19", "1a", "1b")
)
"""OP-Stack: the sequencer's, base, L1 and operator fee's; fees are not part of what is compared"""


class Outcome(StrEnum):
    """What the comparison came to."""

    RIGHT = "right"
    WRONG = "wrong"
    """the verdict stands on a state that was not the chain's"""
    MOVED = "moved"
    """the verdict's state was the chain's, and another transaction changed it before inclusion"""
    UNMINED = "unmined"
    UNANSWERED = "unanswered"


@dataclass(frozen=True, slots=True)
class Rechecked:
    """One comparison."""

    outcome: Outcome
    difference: str = ""
    """the first that was found, in words"""
    behind: int = 0
    """blocks between the verdict's head and the parent of the including block"""
    traced: bool = False
    """True if the node's own trace was compared, not the receipt alone"""


@dataclass(slots=True)
class RecheckStatistics:
    """Counted since start."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    behind: Counter[int] = field(default_factory=Counter)
    traced: int = 0
    dropped: int = 0
    """chosen, but the line was full"""


@dataclass(frozen=True, slots=True)
class _Waiting:
    transaction: Transaction
    simulation: LiveSimulation
    since: float


class Recheck:
    """Compares a sample of admitted verdicts with receipt and trace once they are mined; delays nobody."""

    def __init__(
        self, reader: Reader, sample: float, *, clock: Callable[[], float] = time.monotonic, pause: float = 1.0
    ) -> None:
        """`sample`: share of what is forwarded, 0 to 1; `pause`: seconds between looks for receipts."""
        self._reader, self._clock, self._pause = reader, clock, pause
        self._sample = round(sample * _SCALE)
        self._waiting: list[_Waiting] = []
        self._can_trace = True
        self.statistics = RecheckStatistics()

    def offer(self, transaction: Transaction, simulation: SimulationResult | None) -> None:
        """Take a verdict that was admitted; returns at once."""
        # Not by hash: a sender could choose a hash that is never looked at.
        if not isinstance(simulation, LiveSimulation) or simulation.truncated:
            return
        if secrets.randbelow(_SCALE) >= self._sample:
            return
        if len(self._waiting) >= CAPACITY:
            self.statistics.dropped += 1
            return
        self._waiting.append(_Waiting(transaction, simulation, self._clock()))

    async def run(self) -> None:
        """Compare for ever."""
        while True:
            await asyncio.sleep(self._pause)
            for waiting in list(self._waiting):
                checked = await self._look(waiting)
                if checked is not None:
                    self._waiting.remove(waiting)
                    self._count(waiting, checked)

    async def _look(self, waiting: _Waiting) -> Rechecked | None:
        try:
            checked = await self.check(waiting.transaction, waiting.simulation)
        except UpstreamError as error:
            checked = Rechecked(Outcome.UNANSWERED, str(error))
        settled = checked.outcome not in (Outcome.UNMINED, Outcome.UNANSWERED)
        return checked if settled or self._clock() - waiting.since > PATIENCE else None

    def _count(self, waiting: _Waiting, checked: Rechecked) -> None:
        self.statistics.outcomes[checked.outcome] += 1
        self.statistics.traced += checked.traced
        if checked.outcome in (Outcome.RIGHT, Outcome.WRONG, Outcome.MOVED):
            self.statistics.behind[checked.behind] += 1
        if checked.outcome is Outcome.WRONG:
            log.error("verdict.wrong_state", hash=str(waiting.transaction.hash), difference=checked.difference)

    async def check(self, transaction: Transaction, simulation: LiveSimulation) -> Rechecked:
        """Compare one verdict with what the chain did: by receipt and by the effects of the mined transaction.

        Where it stands first in its block, also by a call on the block before. Raises UpstreamError.
        """
        receipt = await self._reader.call("eth_getTransactionReceipt", [str(transaction.hash)])
        if receipt is None or simulation.basis is None:
            return Rechecked(Outcome.UNMINED)
        mined = wire.members(receipt, "receipt")
        block = await self._reader.call("eth_getBlockByHash", [str(mined.get("blockHash")), False])
        if block is None:
            return Rechecked(Outcome.UNMINED)  # the block left the chain between the two questions
        header = wire.members(block, "block")
        parent = wire.hash32(header.get("parentHash"), "parent")
        behind = max(wire.quantity(mined.get("blockNumber"), "block number") - 1 - simulation.basis.head.number, 0)
        aside = frozenset(
            {transaction.sender, simulation.block.coinbase, wire.address(header.get("miner"), "miner"), *_FEE_VAULTS}
        )
        first = wire.quantity(mined.get("transactionIndex"), "index") == 0
        difference = receipt_difference(mined, simulation)
        traces = await self._traces(transaction, parent, first=first and not simulation.trace.environment)
        for place, effects in traces:
            difference = difference or effects_difference(effects, simulation, aside, place)
        if difference is None:
            return Rechecked(Outcome.RIGHT, "", behind, bool(traces))
        moved = parent != simulation.basis.head.hash and await self._was_right(transaction, simulation, aside)
        return Rechecked(Outcome.MOVED if moved else Outcome.WRONG, difference, behind, bool(traces))

    async def _traces(self, transaction: Transaction, parent: Hash32, *, first: bool) -> list[tuple[str, BlockEffects]]:
        """The effects by the node's own word; empty if it offers no traces."""
        if not self._can_trace:
            return []
        calls: list[Call] = [("debug_traceTransaction", [str(transaction.hash), _DIFF])]
        if first:
            calls.append(("debug_traceCall", [call_object(transaction, gas=True), wire.at_block(parent), _DIFF]))
        answers = await self._reader.batch(calls)
        if any(isinstance(answer, UpstreamRefused) and answer.code == -32601 for answer in answers):
            self._can_trace = False
        places = ("as it was mined", "on the block before")
        return [
            (place, _effects(answer))
            for place, answer in zip(places, answers, strict=False)
            if not isinstance(answer, UpstreamRefused)
        ]

    async def _was_right(self, transaction: Transaction, simulation: LiveSimulation, aside: frozenset[Address]) -> bool:
        """True if the same call on the verdict's own head does what the verdict says."""
        if simulation.basis is None or not self._can_trace:
            return False
        where = wire.at_block(simulation.basis.head.hash)
        (answer,) = await self._reader.batch([("debug_traceCall", [call_object(transaction, gas=True), where, _DIFF])])
        if isinstance(answer, UpstreamRefused):
            return False
        return effects_difference(_effects(answer), simulation, aside, "on the verdict's head") is None


def _effects(answer: object) -> BlockEffects:
    return parse_effects([{"result": answer}], CodeStore())


def receipt_difference(receipt: dict[str, object], simulation: SimulationResult) -> str | None:
    """How the receipt differs from the prediction: status, gas, events."""
    gas = wire.quantity(receipt.get("gasUsed"), "gas")
    if gas != simulation.gas_used:
        return f"gas {simulation.gas_used} predicted, {gas} used"
    if (wire.quantity(receipt.get("status"), "status") == 1) != simulation.succeeded:
        return f"predicted to {'succeed' if simulation.succeeded else 'fail'}, and did not"
    logs = [
        (wire.address(entry.get("address"), "log"), _topics(entry), wire.data(entry.get("data"), "log"))
        for entry in (wire.members(item, "log") for item in wire.items(receipt.get("logs"), "logs"))
    ]
    predicted = [(each.address, tuple(each.topics), each.data) for each in simulation.trace.logs if not each.reverted]
    return None if logs == predicted else f"{len(predicted)} events predicted, {len(logs)} emitted, or other content"


def _topics(entry: dict[str, object]) -> tuple[bytes, ...]:
    topics: Sequence[object] = wire.items(entry.get("topics"), "topics")
    return tuple(wire.data(topic, "topic") for topic in topics)


def effects_difference(
    effects: BlockEffects, simulation: SimulationResult, aside: frozenset[Address], place: str
) -> str | None:
    """How effects by trace differ from the predicted ones; balances of `aside` (who pays and takes fees) left out."""
    slots = {key: (before, effects.slots_after[key]) for key, before in effects.slots_before.items()}
    predicted = {
        (address, slot): pair
        for address, change in simulation.state_diff.items()
        for slot, pair in change.storage.items()
    }
    for key in {*slots, *predicted}:
        ours, theirs = predicted.get(key, (0, 0)), slots.get(key, (0, 0))
        if key[0] in effects.wiped:
            continue  # created or destroyed: the node tells its storage in part, or not at all
        if ours != theirs and (ours[0] != ours[1] or theirs[0] != theirs[1]):
            return f"slot {key[1]:#x} of {key[0]}: {ours[0]} -> {ours[1]} predicted, {theirs[0]} -> {theirs[1]} {place}"
    for address in {*effects.after, *simulation.state_diff} - aside:
        change = simulation.state_diff.get(address)
        balance = change.balance[1] - change.balance[0] if change is not None and change.balance is not None else 0
        was, is_ = effects.before.get(address), effects.after.get(address)
        moved = is_.balance - was.balance if was is not None and is_ is not None else 0
        if balance != moved:
            return f"balance of {address}: {balance:+d} wei predicted, {moved:+d} {place}"
        code = change.code[1] if change is not None and change.code is not None else None
        new = is_.code if was is not None and is_ is not None and is_.code != was.code else None
        if code != new:
            return f"code of {address} was predicted otherwise than {place}"
    return None

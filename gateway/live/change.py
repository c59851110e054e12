"""Carries known state over to a new head in one round trip, exactly, and checks samples of it against the node."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from gateway.errors import UpstreamError, UpstreamNonsense, UpstreamRefused
from gateway.live import wire
from gateway.live.block_trace import BlockEffects, Key, backward, forward, merged, parse_effects
from gateway.live.cache import StateCache, StateChange
from gateway.live.codes import CodeStore
from gateway.live.context import NextFees
from gateway.live.fetch import Call, StateFetcher, account_calls, account_of, slot_call
from gateway.model.head import HeadChange
from gateway.model.primitive import Address, Hash32
from gateway.model.state import AccountState, StateBatch

SYSTEM_CONTRACTS = frozenset(
    Address.from_hex(text)
    for text in (
        "0x000f3df6d732807ef1319fb7b8bb8522d0beac02",  # EIP-4788 beacon roots
        "0x0000f90827f1c53a10cb7a02335b175320002935",  # EIP-2935 block hashes
        "0x00000961ef480eb55e80d19ad83579a64c007002",  # EIP-7002 withdrawal requests
        "0x0000bbddc7ce488642fb579f8b00f3a590007251",  # EIP-7251 consolidation requests
    )
)
"""written by the protocol itself, which no transaction trace shows"""

SAMPLES = 8
"""known slots compared with the node at each head"""

MAX_PROOFS = 400
"""accounts checked by proof at each head; what lies beyond is dropped"""


class Invalidation(StrEnum):
    """How known state is carried over to a new block, best first."""

    TRACE = "trace"
    """debug_traceBlockByHash: exact values"""
    PROOF = "proof"
    """eth_getProof: accounts exact, storage kept where its root did not change"""
    DROP = "drop"
    """nothing is kept"""


JOURNAL = 256
"""blocks whose effects can be undone"""

_TRACER = {"tracer": "prestateTracer", "tracerConfig": {"diffMode": True}}


@dataclass(frozen=True, slots=True)
class Carried:
    """How to get from the old head's state to the new one's."""

    change: StateChange
    written: frozenset[Key] | None
    """what the blocks wrote or undid; None if that is not known"""
    fees: NextFees | None
    volatile: frozenset[Address] = frozenset()
    """accounts that the blocks may have changed without a trace of it"""


@dataclass(slots=True)
class CarryStatistics:
    """Counted since start."""

    by_trace: int = 0
    by_proof: int = 0
    dropped: int = 0
    samples: int = 0
    samples_wrong: int = 0
    """a trace and the state of the same node contradicted each other; everything known was dropped"""


class HeadCarrier:
    """Asks what blocks changed. One object follows one chain; not for concurrent use."""

    def __init__(self, fetcher: StateFetcher, codes: CodeStore) -> None:
        self._fetcher = fetcher
        self._codes = codes
        self._journal: OrderedDict[Hash32, BlockEffects] = OrderedDict()
        self._turn = 0
        self.invalidation = Invalidation.TRACE
        self.statistics = CarryStatistics()

    async def carry(self, change: HeadChange, cache: StateCache) -> Carried:
        """What `change` of the head does to `cache`, which is not touched. Raises UpstreamError if nobody answers."""
        undone = [self._journal.get(header.hash) for header in change.dropped]
        if not change.continuous or None in undone:
            return await self._drop(change)
        if self.invalidation is Invalidation.TRACE:
            carried = await self._by_trace(change, cache, [effects for effects in undone if effects is not None])
            if carried is not None:
                return carried
        if self.invalidation is Invalidation.PROOF:
            carried = await self._by_proof(change, cache)
            if carried is not None:
                return carried
        return await self._drop(change)

    async def _by_trace(self, change: HeadChange, cache: StateCache, undone: Sequence[BlockEffects]) -> Carried | None:
        head = change.head.hash
        untraced = frozenset({*SYSTEM_CONTRACTS, *(header.coinbase for header in (*change.added, *change.dropped))})
        volatile = sorted(untraced & cache.accounts.keys())
        samples = self._sample(cache)
        calls: list[Call] = [("debug_traceBlockByHash", [str(header.hash), _TRACER]) for header in change.added]
        calls += [("eth_getBlockByHash", [str(header.hash), False]) for header in change.added]
        for address in volatile:
            calls += account_calls(address, head)
        calls += [slot_call(address, slot, head) for address, slot in samples]
        calls.append(_fees_call(change))
        answers = await self._fetcher.ask(calls)
        count = len(change.added)
        traces, blocks, rest = answers[:count], answers[count : 2 * count], answers[2 * count :]
        try:
            done = [parse_effects(trace, self._codes) for trace in traces]
            credited = frozenset(address for block in blocks for address in _credited(block))
        except (UpstreamRefused, UpstreamNonsense) as error:
            if isinstance(error, UpstreamRefused) and error.code == -32601:
                self.invalidation = Invalidation.PROOF
            elif not isinstance(error, UpstreamRefused):
                return await self._drop(change)
            return await self._by_proof(change, cache)
        accounts = {
            address: account_of(address, rest[3 * index : 3 * index + 3], self._codes)
            for index, address in enumerate(volatile)
        }
        # Slots that the protocol writes by itself are in no trace.
        outside = StateChange(StateBatch(accounts), credited - accounts.keys(), SYSTEM_CONTRACTS)
        step = merged(merged(backward(undone), forward(done)), outside)
        step = StateChange(
            step.values, step.forgotten_accounts, step.forgotten_storage, reorganised=bool(change.dropped)
        )
        if self._samples_differ(samples, rest[3 * len(volatile) : 3 * len(volatile) + len(samples)], step, cache):
            return await self._drop(change)
        for header, effects in zip(change.added, done, strict=True):
            self._journal[header.hash] = effects
        while len(self._journal) > JOURNAL:
            self._journal.popitem(last=False)
        self.statistics.by_trace += 1
        written = frozenset(key for effects in (*undone, *done) for key in effects.written())
        return Carried(step, written | {(address, None) for address in credited}, _fees(rest[-1], change), untraced)

    async def _by_proof(self, change: HeadChange, cache: StateCache) -> Carried | None:
        addresses = list(cache.accounts)[-MAX_PROOFS:]
        where = wire.at_block(change.head.hash)
        calls: list[Call] = [("eth_getProof", [str(address), [], where]) for address in addresses]
        calls.append(_fees_call(change))
        answers = await self._fetcher.ask(calls)
        accounts: dict[Address, AccountState] = {}
        roots: dict[Address, Hash32] = {}
        changed: set[Address] = {address for address, _ in cache.slots if address not in cache.accounts}
        for address, answer in zip(addresses, answers, strict=False):
            if isinstance(answer, UpstreamRefused):
                self.invalidation = Invalidation.DROP
                return None
            proof = wire.members(answer, f"proof of {address}")
            hash = wire.hash32(proof.get("codeHash"), f"code hash of {address}")
            roots[address] = wire.hash32(proof.get("storageHash"), f"storage root of {address}")
            code = self._codes.get(hash)
            if code is not None:
                accounts[address] = AccountState(
                    nonce=wire.quantity(proof.get("nonce"), f"nonce of {address}"),
                    balance=wire.quantity(proof.get("balance"), f"balance of {address}"),
                    code=code,
                    code_hash=hash,
                )
            if cache.storage_hashes.get(address) != roots[address]:
                changed.add(address)
        unchecked = cache.accounts.keys() - roots.keys()
        self.statistics.by_proof += 1
        step = StateChange(
            StateBatch(accounts),
            frozenset(cache.accounts.keys() - accounts.keys()),
            frozenset(changed | unchecked),
            storage_hashes=roots,
            reorganised=bool(change.dropped),
        )
        return Carried(step, None, _fees(answers[-1], change))

    async def _drop(self, change: HeadChange) -> Carried:
        self._journal.clear()
        self.statistics.dropped += 1
        (answer,) = await self._fetcher.ask([_fees_call(change)])
        return Carried(StateChange(everything=True), None, _fees(answer, change))

    def _sample(self, cache: StateCache) -> list[tuple[Address, int]]:
        """A few known slots, others each time, so that all have their turn."""
        known = list(cache.slots)
        if not known:
            return []
        self._turn += SAMPLES
        return [known[(self._turn + offset) % len(known)] for offset in range(min(SAMPLES, len(known)))]

    def _samples_differ(
        self, samples: Sequence[tuple[Address, int]], answers: Sequence[object], step: StateChange, cache: StateCache
    ) -> bool:
        for key, answer in zip(samples, answers, strict=True):
            if key not in step.values.slots and key[0] in step.forgotten_storage:
                continue
            self.statistics.samples += 1
            if step.values.slots.get(key, cache.slots[key]) != wire.quantity(answer, f"storage of {key[0]}"):
                self.statistics.samples_wrong += 1
                return True
        return False


def _fees_call(change: HeadChange) -> Call:
    return ("eth_feeHistory", ["0x1", hex(change.head.number), []])


def _fees(answer: object, change: HeadChange) -> NextFees | None:
    """What the node expects of the next block; None if it does not say, or speaks of another block."""
    try:
        history = wire.members(answer, "fee history")
        if wire.quantity(history.get("oldestBlock"), "fee history") != change.head.number:
            return None
        base_fees = wire.items(history.get("baseFeePerGas"), "fee history")
        if len(base_fees) != 2 or wire.quantity(base_fees[0], "base fee") != change.head.base_fee:
            return None
        blob = history.get("baseFeePerBlobGas")
        blob_fees = wire.items(blob, "fee history") if blob is not None else []
        blob_fee = max(wire.quantity(blob_fees[1], "blob base fee"), 1) if len(blob_fees) == 2 else None
        return NextFees(wire.quantity(base_fees[1], "base fee"), blob_fee)
    except UpstreamError:
        # Not every node keeps a fee history; the formula of EIP-1559 then has to do.
        return None


def _credited(block: object) -> list[Address]:
    withdrawals = wire.members(block, "block").get("withdrawals") or []
    return [
        wire.address(wire.members(entry, "withdrawal").get("address"), "withdrawal")
        for entry in wire.items(withdrawals, "withdrawals")
    ]

"""Past blocks of a node as values, with the state before them fetched piece by piece."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.decoding.signature import recover_authority
from gateway.errors import UpstreamRefused
from gateway.live import wire
from gateway.live.context import next_blob_base_fee
from gateway.live.fetch import Call, Reader
from gateway.model.block import BlockContext
from gateway.model.chain import ChainProfile
from gateway.model.head import Header
from gateway.model.primitive import Hash32
from gateway.model.transaction import AccessListEntry, Authorization, RawTransaction, Transaction, TransactionType
from gateway.watch.head import parse_header


@dataclass(frozen=True, slots=True)
class PastTransaction:
    """One mined transaction."""

    index: int
    transaction: Transaction | None
    """None for a type that only the chain itself makes; its effects are not executed"""
    hash: Hash32
    gas_used: int
    succeeded: bool


@dataclass(frozen=True, slots=True)
class PastBlock:
    """One block of the chain, to be executed on the state after its parent."""

    header: Header
    context: BlockContext
    transactions: tuple[PastTransaction, ...]


class PacedReader:
    """A reader that asks at most so many calls a second, spread evenly; a public node answers no more."""

    def __init__(self, reader: Reader, calls_per_second: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`calls_per_second`: 0 for no limit."""
        self._reader, self._rate, self._clock = reader, calls_per_second, clock
        self._free_at = 0.0
        self.calls = 0

    async def call(self, method: str, params: Sequence[object] = (), *, within: float | None = None) -> object:
        """See `Reader.call`."""
        await self._wait(1)
        return await self._reader.call(method, params, within=within)

    async def batch(self, calls: Sequence[Call], *, within: float | None = None) -> list[object | UpstreamRefused]:
        """See `Reader.batch`."""
        await self._wait(len(calls))
        return await self._reader.batch(calls, within=within)

    async def _wait(self, calls: int) -> None:
        self.calls += calls
        if not self._rate:
            return
        now = self._clock()
        begin = max(now, self._free_at)
        self._free_at = begin + calls / self._rate
        if begin > now:
            await asyncio.sleep(begin - now)


async def read_header(reader: Reader, number: int) -> Header:
    """The header of one block. Raises UpstreamError."""
    return parse_header(await reader.call("eth_getBlockByNumber", [hex(number), False]))


async def read_block(reader: Reader, number: int, parent: Header, profile: ChainProfile) -> PastBlock:
    """One block with its transactions and what became of them. Raises UpstreamError."""
    block = wire.members(await reader.call("eth_getBlockByNumber", [hex(number), True]), f"block {number}")
    header = parse_header(block)
    rows = [wire.members(row, "transaction") for row in wire.items(block.get("transactions"), f"block {number}")]
    receipts = await reader.batch([("eth_getTransactionReceipt", [row.get("hash")]) for row in rows]) if rows else []
    fork = profile.fork_at(header.ref.timestamp)
    context = BlockContext(
        number=header.number,
        timestamp=header.ref.timestamp,
        coinbase=header.coinbase,
        gas_limit=header.gas_limit,
        base_fee=header.base_fee or 0,
        prev_randao=header.prev_randao,
        chain_id=profile.chain_id,
        fork=fork,
        blob_base_fee=next_blob_base_fee(parent, fork),
        block_hashes={parent.number: parent.hash},
    )
    transactions = []
    for index, (row, answer) in enumerate(zip(rows, receipts, strict=True)):
        receipt = wire.members(answer, f"receipt of {row.get('hash')}")
        transactions.append(
            PastTransaction(
                index=index,
                transaction=_transaction(row, profile),
                hash=wire.hash32(row.get("hash"), "transaction hash"),
                gas_used=wire.quantity(receipt.get("gasUsed"), "gas used"),
                succeeded=wire.quantity(receipt.get("status"), "status") == 1,
            )
        )
    return PastBlock(header, context, tuple(transactions))


def _transaction(row: dict[str, object], profile: ChainProfile) -> Transaction | None:
    number = wire.quantity(row.get("type", "0x0"), "transaction type")
    if number not in list(TransactionType):
        return None
    kind = TransactionType(number)
    legacy = kind in (TransactionType.LEGACY, TransactionType.ACCESS_LIST)
    price = wire.quantity(row.get("gasPrice"), "gas price") if legacy else 0
    hashes = wire.items(row.get("blobVersionedHashes") or [], "blob hashes")
    return Transaction(
        raw=RawTransaction(b"", wire.hash32(row.get("hash"), "transaction hash")),
        type=kind,
        chain_id=profile.chain_id,
        sender=wire.address(row.get("from"), "sender"),
        nonce=wire.quantity(row.get("nonce"), "nonce"),
        to=wire.address(row.get("to"), "recipient") if row.get("to") else None,
        value=wire.quantity(row.get("value"), "value"),
        input=wire.data(row.get("input"), "input"),
        gas_limit=wire.quantity(row.get("gas"), "gas limit"),
        max_fee_per_gas=price if legacy else wire.quantity(row.get("maxFeePerGas"), "fee"),
        max_priority_fee_per_gas=price if legacy else wire.quantity(row.get("maxPriorityFeePerGas"), "fee"),
        access_list=tuple(map(_access, wire.items(row.get("accessList") or [], "access list"))),
        authorization_list=tuple(map(_authorization, wire.items(row.get("authorizationList") or [], "authorizations"))),
        max_fee_per_blob_gas=wire.quantity(row.get("maxFeePerBlobGas") or "0x0", "blob fee"),
        blob_versioned_hashes=tuple(wire.hash32(item, "blob hash") for item in hashes),
    )


def _access(entry: object) -> AccessListEntry:
    parts = wire.members(entry, "access list")
    slots = wire.items(parts.get("storageKeys") or [], "access list")
    return AccessListEntry(
        wire.address(parts.get("address"), "access list"), tuple(wire.quantity(slot, "slot") for slot in slots)
    )


def _authorization(entry: object) -> Authorization:
    """Who signed it is not in the node's answer and is recovered from the signature."""
    parts = wire.members(entry, "authorization")
    delegate = wire.address(parts.get("address"), "authorization")
    chain_id, nonce, y_parity, r, s = (
        wire.quantity(parts.get(name), f"authorization {name}") for name in ("chainId", "nonce", "yParity", "r", "s")
    )
    signer = recover_authority(chain_id, delegate, nonce, y_parity, r, s)
    return Authorization(chain_id, delegate, nonce, y_parity, r, s, signer)

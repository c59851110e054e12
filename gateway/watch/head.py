"""Follows the head: subscription and polling, gaps filled, reorgs recognised by parent hash."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.errors import UpstreamError, UpstreamNonsense
from gateway.model.block import BlockRef
from gateway.model.head import HeadChange, Header
from gateway.model.primitive import Address, Hash32

REMEMBERED = 256
"""headers kept: the depth of BLOCKHASH, and of a reorg that is undone exactly"""

Listener = Callable[[HeadChange], Awaitable[None]]
Announcements = Callable[[], AsyncGenerator[object, None]]


class Reader(Protocol):
    """The one upstream method that following needs."""

    async def call(self, method: str, params: Sequence[object] = (), *, within: float | None = None) -> object:
        """See `gateway.upstream.client.Upstream.call`."""


@dataclass(slots=True)
class HeadStatistics:
    """Counted since start."""

    heads: int = 0
    gaps: int = 0
    """blocks that were not announced and had to be asked for"""
    reorgs: int = 0
    deepest_reorg: int = 0
    discontinuities: int = 0
    poll_failures: int = 0
    subscription_failures: int = 0


def parse_header(block: object) -> Header:
    """A header or block in JSON. Raises UpstreamNonsense if a part is missing or malformed."""
    try:
        if not isinstance(block, dict):
            raise TypeError(f"{type(block).__name__} instead of an object")

        def optional(name: str) -> int | None:
            return int(block[name], 16) if block.get(name) is not None else None

        difficulty = optional("difficulty") or 0
        mix = Hash32.from_hex(block["mixHash"]) if block.get("mixHash") else Hash32()
        return Header(
            ref=BlockRef(
                number=int(block["number"], 16),
                hash=Hash32.from_hex(block["hash"]),
                parent_hash=Hash32.from_hex(block["parentHash"]),
                timestamp=int(block["timestamp"], 16),
            ),
            coinbase=Address.from_hex(block["miner"]),
            gas_limit=int(block["gasLimit"], 16),
            gas_used=int(block["gasUsed"], 16),
            base_fee=optional("baseFeePerGas"),
            prev_randao=Hash32(difficulty.to_bytes(32, "big")) if difficulty else mix,
            excess_blob_gas=optional("excessBlobGas"),
            blob_gas_used=optional("blobGasUsed"),
            withdrawals=tuple(Address.from_hex(entry["address"]) for entry in block.get("withdrawals") or ()),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise UpstreamNonsense(f"not a block header: {error!r}") from error


class HeadFollower:
    """Tells its listener of every change of the head, in order, one at a time.

    The subscription makes it quick; polling runs beside it and makes it sure: a socket that is silent, a head that
    went back (which nodes do not announce) and announcements lost on the way are all found by the next poll.
    """

    def __init__(
        self,
        reader: Reader,
        listener: Listener,
        announcements: Announcements | None = None,
        *,
        poll_interval: float = 0.25,
        poll_interval_subscribed: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`announcements` opens a subscription and yields headers as JSON; intervals in seconds."""
        self._reader = reader
        self._listener = listener
        self._announcements = announcements
        self._poll_interval = poll_interval
        self._poll_interval_subscribed = poll_interval_subscribed
        self._clock = clock
        self._subscribed = False
        self._one_at_a_time = asyncio.Lock()
        self._chain: list[Header] = []
        """the last headers of the chain, ascending and linked"""
        self._announced_at = 0.0
        self._gone_back_to: Hash32 | None = None
        self.statistics = HeadStatistics()

    @property
    def head(self) -> Header | None:
        """The newest header the listener has been told of; None before the first."""
        return self._chain[-1] if self._chain else None

    @property
    def subscribed(self) -> bool:
        """True while the subscription stands."""
        return self._subscribed

    async def run(self) -> None:
        """Follow for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._poll())
            if self._announcements is not None:
                tasks.create_task(self._subscribe(self._announcements))

    async def refresh(self) -> None:
        """Ask for the head once and handle what changed. Raises UpstreamError."""
        asked_at = self._clock()
        header = parse_header(await self._reader.call("eth_getBlockByNumber", ["latest", False]))
        # An announcement handled while this answer travelled is newer than the answer may be.
        if self._announced_at > asked_at:
            return
        # One older answer may come from an upstream that lags behind; two in a row mean that the chain went back.
        went_back = any(header.hash == entry.hash for entry in self._chain[:-1])
        if went_back and self._gone_back_to != header.hash:
            self._gone_back_to = header.hash
            return
        self._gone_back_to = None
        await self.observe(header)

    async def observe(self, header: Header) -> None:
        """Handle a header that the node calls its head.

        Raises UpstreamError if the way to it cannot be fetched, or the listener could not follow: try again.
        """
        seen_at = self._clock()
        async with self._one_at_a_time:
            change = await self._change(header, seen_at)
            if change is None:
                return
            # First the listener: if it cannot follow, the next attempt starts from what it last knew.
            await self._listener(change)
            self._remember(change)

    async def _change(self, header: Header, seen_at: float) -> HeadChange | None:
        if not self._chain:
            return HeadChange((), (header,), header, continuous=False, seen_at=seen_at)
        if header.hash == self._chain[-1].hash:
            return None
        known = {entry.hash: index for index, entry in enumerate(self._chain)}
        added: list[Header] = []
        cursor = header
        while cursor.hash not in known and cursor.ref.parent_hash not in known:
            added.append(cursor)
            if cursor.number <= self._chain[0].number or len(added) > REMEMBERED:
                self.statistics.discontinuities += 1
                return HeadChange((), (header,), header, continuous=False, seen_at=seen_at)
            cursor = parse_header(await self._reader.call("eth_getBlockByHash", [str(cursor.ref.parent_hash), False]))
            if cursor.hash != added[-1].ref.parent_hash:
                raise UpstreamNonsense(f"asked for block {added[-1].ref.parent_hash}, got {cursor.hash}")
        if cursor.hash in known:
            ancestor = known[cursor.hash]
        else:
            added.append(cursor)
            ancestor = known[cursor.ref.parent_hash]
        dropped = tuple(reversed(self._chain[ancestor + 1 :]))
        return HeadChange(dropped, tuple(reversed(added)), header, seen_at=seen_at)

    def _remember(self, change: HeadChange) -> None:
        if not change.continuous:
            self._chain = [change.head]
        else:
            keep = len(self._chain) - len(change.dropped)
            self._chain = [*self._chain[:keep], *change.added][-REMEMBERED:]
        self.statistics.heads += 1
        self.statistics.gaps += max(len(change.added) - 1, 0)
        if change.dropped:
            self.statistics.reorgs += 1
            self.statistics.deepest_reorg = max(self.statistics.deepest_reorg, len(change.dropped))

    async def _poll(self) -> None:
        while True:
            try:
                await self.refresh()
            except UpstreamError:
                self.statistics.poll_failures += 1
            await asyncio.sleep(self._poll_interval_subscribed if self._subscribed else self._poll_interval)

    async def _subscribe(self, announcements: Announcements) -> None:
        pause = 0.25
        while True:
            try:
                async with contextlib.aclosing(announcements()) as headers:
                    async for announced in headers:
                        self._subscribed, pause = True, 0.25
                        self._announced_at = self._clock()
                        await self.observe(parse_header(announced))
            except UpstreamError:
                self.statistics.subscription_failures += 1
            self._subscribed = False
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5.0)

"""The order of forwarding in Redis, shared by all replicas, and its twin in memory."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from typing import Any, cast

import msgspec
from redis.exceptions import RedisError

from gateway.errors import QueueUnavailable
from gateway.model.pending import PendingEntry, PendingNews
from gateway.model.primitive import Address, Hash32
from gateway.model.transaction import RawTransaction
from gateway.store.shared.redis import connect

MAX_ENTRIES = 50_000
"""forwarded and neither mined nor given up; beyond, something is wrong with the chain and nothing is added"""

_KEYS = tuple(f"stopgate:{{pending}}:{name}" for name in ("last", "order", "bodies", "writes", "reads"))


class _Body(msgspec.Struct, array_like=True):
    hash: bytes
    data: bytes | None
    sender: bytes
    nonce: int
    forwarded_at: float


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Body).decode


class RedisPendingLog:
    """`PendingLog` over Redis: one script per step."""

    def __init__(self, url: str, *, timeout: float = 1.0) -> None:
        """`timeout` in seconds bounds each step: it is on the way of every forwarded transaction."""
        self._client = connect(url, timeout=timeout)
        self._append = self._client.register_script(_source("pending_append.lua"))
        self._withdraw = self._client.register_script(_source("pending_withdraw.lua"))

    async def append(
        self, entry: PendingEntry, *, seen: int, reads: Collection[str], writes: Collection[str]
    ) -> PendingNews:
        """See PendingLog.append."""
        arguments: list[bytes | str | int] = [
            seen,
            _member(entry),
            _encode(_body(entry)),
            "".join(writes),
            MAX_ENTRIES,
            "|".join(reads),
        ]
        with _guard():
            answer = cast("list[Any]", await self._append(keys=list(_KEYS), args=arguments))
        outcome, place, unseen = int(answer[0]), int(answer[1]), _entries(answer[2:])
        if outcome == 4:
            raise QueueUnavailable(f"{MAX_ENTRIES} forwarded transactions are not mined yet; is the chain halted?")
        return PendingNews(outcome == 1, place, unseen, known=outcome == 2, lost=outcome == 3)

    async def withdraw(self, entry: PendingEntry) -> int:
        """See PendingLog.withdraw."""
        word = PendingEntry(0, entry.hash, None, entry.sender, entry.nonce, entry.forwarded_at)
        with _guard():
            arguments: list[bytes | str] = [_member(entry), _member(word), _encode(_body(word))]
            return int(await self._withdraw(keys=list(_KEYS), args=arguments))

    async def after(self, seen: int) -> Sequence[PendingEntry]:
        """See PendingLog.after."""
        with _guard():
            placed = cast(
                "list[tuple[bytes, float]]",
                await self._client.zrangebyscore(_KEYS[1], f"({seen}", "+inf", withscores=True),
            )
            if not placed:
                return ()
            bodies = cast(
                "list[bytes | None]",
                await cast("Any", self._client.hmget(_KEYS[2], [member.decode() for member, _ in placed])),
            )
        flat = [part for (_, place), body in zip(placed, bodies, strict=True) for part in (place, body)]
        return _entries(flat)

    async def forget(self, hashes: Collection[Hash32]) -> None:
        """See PendingLog.forget."""
        if not hashes:
            return
        members = [name for hash in hashes for name in (hash.hex(), "-" + hash.hex())]
        with _guard():
            async with self._client.pipeline(transaction=True) as pipeline:
                pipeline.zrem(_KEYS[1], *members)
                pipeline.hdel(_KEYS[2], *members)
                pipeline.hdel(_KEYS[3], *members)
                pipeline.hdel(_KEYS[4], *members)
                await pipeline.execute()

    async def close(self) -> None:
        """Give connections back; idempotent."""
        await self._client.aclose()


class MemoryPendingLog:
    """`PendingLog` inside one process: for a gateway without replicas, and for tests."""

    def __init__(self) -> None:
        self._last = 0
        self._entries: dict[str, tuple[PendingEntry, str, tuple[str, ...]]] = {}

    async def append(
        self, entry: PendingEntry, *, seen: int, reads: Collection[str], writes: Collection[str]
    ) -> PendingNews:
        """See PendingLog.append."""
        if seen > self._last:
            return PendingNews(False, self._last, lost=True)
        newer = [item for item in self._entries.values() if item[0].sequence > seen]
        unseen = tuple(item[0] for item in newer)
        if _member(entry) in self._entries:
            return PendingNews(False, self._last, unseen, known=True)
        own = "".join(writes)
        if any(
            any(read in written for read in reads) or any(read in own for read in their_reads)
            for _, written, their_reads in newer
        ):
            return PendingNews(False, self._last, unseen)
        if len(self._entries) >= MAX_ENTRIES:
            raise QueueUnavailable(f"{MAX_ENTRIES} forwarded transactions are not mined yet; is the chain halted?")
        self._place(entry, own, tuple(reads))
        return PendingNews(True, self._last, unseen)

    async def withdraw(self, entry: PendingEntry) -> int:
        """See PendingLog.withdraw."""
        known = self._entries.pop(_member(entry), None)
        if known is not None:
            word = PendingEntry(0, entry.hash, None, entry.sender, entry.nonce, entry.forwarded_at)
            self._place(word, known[1], ())
        return self._last

    async def after(self, seen: int) -> Sequence[PendingEntry]:
        """See PendingLog.after."""
        return tuple(entry for entry, _, _ in self._entries.values() if entry.sequence > seen)

    async def forget(self, hashes: Collection[Hash32]) -> None:
        """See PendingLog.forget."""
        for hash in hashes:
            self._entries.pop(hash.hex(), None)
            self._entries.pop("-" + hash.hex(), None)

    async def close(self) -> None:
        """Nothing to give back."""

    def _place(self, entry: PendingEntry, writes: str, reads: tuple[str, ...]) -> None:
        self._last += 1
        placed = PendingEntry(self._last, entry.hash, entry.raw, entry.sender, entry.nonce, entry.forwarded_at)
        self._entries[_member(entry)] = (placed, writes, reads)


def _member(entry: PendingEntry) -> str:
    return entry.hash.hex() if entry.raw is not None else "-" + entry.hash.hex()


def _body(entry: PendingEntry) -> _Body:
    data = entry.raw.data if entry.raw is not None else None
    return _Body(bytes(entry.hash), data, bytes(entry.sender), entry.nonce, entry.forwarded_at)


def _entries(flat: Sequence[Any]) -> tuple[PendingEntry, ...]:
    found = []
    for place, data in zip(flat[::2], flat[1::2], strict=True):
        if data is None:
            # Forgotten between the two steps of a read: mined long ago.
            continue
        body = _decode(data)
        hash = Hash32(body.hash)
        raw = RawTransaction(body.data, hash) if body.data is not None else None
        found.append(PendingEntry(int(float(place)), hash, raw, Address(body.sender), body.nonce, body.forwarded_at))
    return tuple(found)


@contextmanager
def _guard() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        raise QueueUnavailable(f"Redis did not take part in the order of forwarding: {error}") from error


def _source(name: str) -> str:
    return files("gateway.store.shared").joinpath("lua", name).read_text()

"""The live queue in Redis or Valkey: one hash slot, one Lua script for every step.

All keys carry the tag `{queue}`: a step touches every index at once, so they must share a slot, and the queue is small
and slow by nature (what is forwarded at once never enters it).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, cast

import redis.asyncio as aioredis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from gateway.errors import ConfigurationError, QueueUnavailable
from gateway.model.case import CaseOrder
from gateway.model.primitive import Address, Hash32
from gateway.model.quarantine import FINAL, CaseState, QuarantineEntry
from gateway.model.queue_event import QueueEvent, QueueEventKind
from gateway.store.document.case import decode_entry, encode_entry

PREFIX = "stopgate:{queue}:"
EVENTS_KEPT = 10_000
REMEMBER_GONE_SECONDS = 3600
"""A writer that lags behind by more than this could bring back a case that left; `rebuild` would drop it again."""
_INDEXES = ("entries", "meta", "hashes", "expiry", "priority", "senders", "counts", "events")
_BLOCK_MILLISECONDS = 5_000


def _key(name: str) -> str:
    return PREFIX + name


_ENTRIES, _META, _HASHES, _EXPIRY, _PRIORITY, _SENDERS, _COUNTS, _EVENTS = (_key(name) for name in _INDEXES)


def connect(url: str, *, timeout: float = 2.0) -> aioredis.Redis:
    """A client for `redis://`, `rediss://` or `unix://`; `timeout` in seconds bounds each step on the wire.

    One silent retry over a fresh connection: every script is idempotent by the version of its case.

    Raises:
        ConfigurationError: it is no such URL.
    """
    try:
        return aioredis.Redis.from_url(
            url,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=Retry(NoBackoff(), 1),
            health_check_interval=30,
        )
    except ValueError:
        # What the library says may quote the password.
        raise ConfigurationError(
            "REDIS_URL or STOPGATE_STORE__REDIS_URL is no URL of a Redis or Valkey server; "
            "it is written redis://USER:PASSWORD@HOST:PORT/0, rediss://... or unix:///PATH, "
            "with /, : and @ in the password as %2F, %3A and %40"
        ) from None


class RedisQueue:
    """`LiveQueue` over Redis. Everything raises QueueUnavailable if Redis is away."""

    def __init__(self, url: str, *, timeout: float = 2.0) -> None:
        self._url = url
        self._client = connect(url, timeout=timeout)
        self._listener = connect(url, timeout=_BLOCK_MILLISECONDS / 1000 + timeout)
        self._follow = self._client.register_script(_source("follow.lua"))
        self._remove = self._client.register_script(_source("remove.lua"))

    async def put(self, entry: QuarantineEntry) -> bool:
        """See LiveQueue.put."""
        changed, known = await self._apply(entry)
        return changed and not known

    async def put_all(self, entries: Sequence[QuarantineEntry]) -> int:
        """See LiveQueue.put_all."""
        if not entries:
            return 0
        with self._guard():
            async with self._client.pipeline(transaction=False) as pipeline:
                for entry in entries:
                    keys, arguments = _arguments(entry)
                    await self._follow(keys=keys, args=arguments, client=pipeline)
                answers = await pipeline.execute()
        return sum(1 for changed, known in answers if changed and not known)

    async def move(self, entry: QuarantineEntry) -> bool:
        """See LiveQueue.move."""
        _, known = await self._apply(entry)
        return known

    async def remove(self, case_id: str) -> bool:
        """See LiveQueue.remove."""
        with self._guard():
            keys = [_key(name) for name in _INDEXES]
            return bool(await self._remove(keys=keys, args=[case_id, _now(), EVENTS_KEPT]))

    async def by_hash(self, hash: Hash32) -> QuarantineEntry | None:
        """See LiveQueue.by_hash."""
        with self._guard():
            case_id = await _await(self._client.hget(_HASHES, str(hash)))
        return None if case_id is None else await self.case(case_id.decode())

    async def case(self, case_id: str) -> QuarantineEntry | None:
        """See LiveQueue.case."""
        with self._guard():
            data = await _await(self._client.hget(_ENTRIES, case_id))
        return None if data is None else decode_entry(data)

    async def by_sender(self, sender: Address) -> Sequence[QuarantineEntry]:
        """See LiveQueue.by_sender."""
        with self._guard():
            members = await _await(self._client.zrangebylex(_SENDERS, f"[{sender}:", f"({sender};"))
        return await self._entries([member.rsplit(b":", 1)[1] for member in members])

    async def ordered(
        self, order: CaseOrder = CaseOrder.PRIORITY, *, offset: int = 0, limit: int = 50
    ) -> Sequence[QuarantineEntry]:
        """See LiveQueue.ordered."""
        with self._guard():
            if order is CaseOrder.PRIORITY:
                ids = await _await(self._client.zrevrange(_PRIORITY, offset, offset + limit - 1))
            elif order is CaseOrder.EXPIRY:
                ids = await _await(self._client.zrange(_EXPIRY, offset, offset + limit - 1))
            else:
                raise ValueError(f"the live queue knows no order {order}; ask the record")
        return await self._entries(ids)

    async def counts(self) -> Mapping[CaseState, int]:
        """See LiveQueue.counts."""
        with self._guard():
            counts = await _await(self._client.hgetall(_COUNTS))
        return {CaseState(state.decode()): int(count) for state, count in counts.items()}

    async def case_ids(self) -> frozenset[str]:
        """See LiveQueue.case_ids."""
        with self._guard():
            return frozenset(case_id.decode() for case_id in await _await(self._client.hkeys(_META)))

    async def events(self, after: str | None = None) -> AsyncIterator[QueueEvent]:
        """See LiveQueue.events."""
        if after is None:
            with self._guard():
                last = await _await(self._client.xrevrange(_EVENTS, count=1))
            after = last[0][0].decode() if last else "0-0"
        while True:
            with self._guard():
                answer = await self._listener.xread({_EVENTS: after}, count=100, block=_BLOCK_MILLISECONDS)
            for _, messages in _streams(answer):
                for message_id, fields in messages:
                    after = message_id.decode()
                    yield _event(after, fields)

    async def ping(self) -> None:
        """See LiveQueue.ping."""
        with self._guard():
            await _await(self._client.ping())

    async def close(self) -> None:
        """See LiveQueue.close."""
        await self._client.aclose()
        await self._listener.aclose()

    async def _apply(self, entry: QuarantineEntry) -> tuple[bool, bool]:
        with self._guard():
            keys, arguments = _arguments(entry)
            changed, known = await self._follow(keys=keys, args=arguments)
        return bool(changed), bool(known)

    async def _entries(self, ids: Sequence[bytes]) -> Sequence[QuarantineEntry]:
        if not ids:
            return ()
        with self._guard():
            found = await _await(self._client.hmget(_ENTRIES, [case_id.decode() for case_id in ids]))
        return tuple(decode_entry(data) for data in found if data is not None)

    @contextmanager
    def _guard(self) -> Iterator[None]:
        try:
            yield
        except (RedisError, OSError) as error:
            where = self._url.rsplit("@", 1)[-1]
            raise QueueUnavailable(
                f"the live queue at {where} did not answer ({error}); check that Redis or Valkey runs there"
            ) from error


def _arguments(entry: QuarantineEntry) -> tuple[list[str], list[Any]]:
    """Keys and arguments of follow.lua."""
    final = entry.state in FINAL
    keys = [*(_key(name) for name in _INDEXES), _key(f"gone:{entry.case_id}")]
    return keys, [
        entry.case_id,
        entry.version,
        entry.state.value,
        "1" if final else "0",
        str(entry.hash),
        f"{entry.sender}:{entry.nonce:016x}:{entry.case_id}",
        entry.expires_at.timestamp(),
        entry.priority,
        b"" if final else encode_entry(entry),
        _now(),
        REMEMBER_GONE_SECONDS,
        EVENTS_KEPT,
    ]


def _source(name: str) -> str:
    return (files("gateway.store.shared") / "lua" / name).read_text("utf-8")


async def _await(answer: Any) -> Any:
    """The client's types name the union of its two flavours, of which this one always gives an awaitable."""
    return await answer


def _streams(answer: Any) -> list[tuple[bytes, list[tuple[bytes, dict[bytes, bytes]]]]]:
    """XREAD answers pairs in protocol 2 and a mapping in protocol 3, there with a list around the messages."""
    if isinstance(answer, dict):
        return [
            (name, messages[0] if messages and isinstance(messages[0], list) else messages)
            for name, messages in answer.items()
        ]
    return cast("list[tuple[bytes, list[tuple[bytes, dict[bytes, bytes]]]]]", answer or [])


def _event(message_id: str, fields: Mapping[bytes, bytes]) -> QueueEvent:
    return QueueEvent(
        id=message_id,
        kind=QueueEventKind(fields[b"kind"].decode()),
        case_id=fields[b"case"].decode(),
        hash=Hash32.from_hex(fields[b"hash"].decode()),
        state=CaseState(fields[b"state"].decode()),
        at=datetime.fromisoformat(fields[b"at"].decode()),
    )


def _now() -> str:
    return datetime.now(UTC).isoformat()

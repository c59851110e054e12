"""Everything a request works with, opened once at start and closed at the end."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

import httpx

from dashboard.auth.oidc import OidcClient
from dashboard.auth.throttle import Throttle
from dashboard.settings import DashboardSettings
from dashboard.tokens import wanted_tokens, with_tokens
from gateway.model.case import CaseDetail
from gateway.model.published import Counted
from gateway.model.quarantine import QuarantineEntry
from gateway.store.appeals import Appeals
from gateway.store.audit import AuditLog
from gateway.store.database import Database, make_data_dir, sqlite_url
from gateway.store.desk import Desk, DetectorFigures, Figures
from gateway.store.embedded import EmbeddedValkey
from gateway.store.evidence import Evidence
from gateway.store.heartbeat import Heartbeats
from gateway.store.keys import Keys
from gateway.store.migrate import migrate
from gateway.store.notices import Notices
from gateway.store.people import People
from gateway.store.published import count_days
from gateway.store.quarantine import LiveQueue, Record
from gateway.store.record import SqlRecord
from gateway.store.redis import RedisQueue
from gateway.store.runs import Runs
from gateway.store.sign_in import SignIn
from gateway.store.signatures import Signatures
from gateway.store.tokens import Tokens
from gateway.store.trust import TrustBook

T = TypeVar("T")

_DETAILS_KEPT = 16
_FRAMES_KEPT = 30_000
"""Decoded details kept in memory stay below this many frames together."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class DetailCache:
    """The latest decoded case details: reading a large one takes longer than printing it."""

    def __init__(self, record: Record, tokens: Tokens) -> None:
        self._record, self._tokens = record, tokens
        self._kept: OrderedDict[tuple[str, int], CaseDetail] = OrderedDict()

    async def get(self, entry: QuarantineEntry) -> CaseDetail | None:
        """The detail as of the entry's version."""
        key = (entry.case_id, entry.version)
        if key in self._kept:
            self._kept.move_to_end(key)
            self._kept[key] = await self.named(self._kept[key])
            return self._kept[key]
        stored = await self._record.detail(entry.case_id)
        detail = None if stored is None else await self.named(stored)
        if detail is not None:
            self._kept[key] = detail
            while len(self._kept) > _DETAILS_KEPT or (len(self._kept) > 1 and self._frames() > _FRAMES_KEPT):
                self._kept.popitem(last=False)
        return detail

    async def named(self, detail: CaseDetail) -> CaseDetail:
        """With what its tokens say of themselves, as far as that was read; the gateway reads it after the hold."""
        missing = wanted_tokens(detail) - detail.tokens.keys()
        return with_tokens(detail, await self._tokens.known(missing)) if missing else detail

    def _frames(self) -> int:
        return sum(len(kept.simulation.trace.frames) for kept in self._kept.values() if kept.simulation)


class Remembered(Generic[T]):
    """An answer that many pages ask for, asked at most every `seconds`."""

    def __init__(self, ask: Callable[[], Awaitable[T]], now: Callable[[], datetime], seconds: float = 10.0) -> None:
        self._ask, self._now, self._lasts = ask, now, timedelta(seconds=seconds)
        self._answer: tuple[datetime, T] | None = None

    async def get(self) -> T:
        """The answer, at most `seconds` old."""
        if self._answer is None or self._now() >= self._answer[0] + self._lasts:
            self._answer = (self._now(), await self._ask())
        return self._answer[1]


@dataclass(frozen=True, slots=True)
class Room:
    """The stores and settings of one dashboard process."""

    settings: DashboardSettings
    record: Record
    queue: LiveQueue
    people: People
    sign_in: SignIn
    keys: Keys
    oidc: OidcClient | None
    desk: Desk
    notices: Notices
    runs: Runs
    appeals: Appeals
    evidence: Evidence
    throttle: Throttle
    """of what strangers may do on the public page"""
    audit: AuditLog
    signatures: Signatures
    trust: TrustBook
    details: DetailCache
    figures: Remembered[Figures]
    detectors: Remembered[Sequence[DetectorFigures]]
    counted: Remembered[Counted]
    """for the public page"""
    now: Callable[[], datetime] = _utc_now
    heartbeats: Heartbeats | None = None
    """signs of life of the gateways; None where a test needs none"""
    hashing: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))
    """how many password hashes are computed at once"""


@asynccontextmanager
async def open_room(settings: DashboardSettings, *, now: Callable[[], datetime] = _utc_now) -> AsyncIterator[Room]:
    """Migrate, connect, and close at the end.

    Raises:
        ConfigurationError: a URL is unusable, or the schema is newer than this program.
        RecordUnavailable, QueueUnavailable: a store does not answer.
    """
    make_data_dir(settings.data_dir)
    async with AsyncExitStack() as stack:
        url = settings.store.database_url.get_secret_value() or sqlite_url(settings.data_dir)
        await asyncio.to_thread(migrate, url)
        database = Database(url)
        stack.push_async_callback(database.close)
        redis_url = settings.store.redis_url.get_secret_value()
        if not redis_url:
            embedded = await asyncio.to_thread(EmbeddedValkey.start, settings.data_dir)
            stack.push_async_callback(asyncio.to_thread, embedded.close)
            redis_url = embedded.url
        queue = RedisQueue(redis_url)
        stack.push_async_callback(queue.close)
        heartbeats = Heartbeats(redis_url)
        stack.push_async_callback(heartbeats.close)
        http = await stack.enter_async_context(httpx.AsyncClient(follow_redirects=False, trust_env=False))
        record, desk = SqlRecord(database, now=now), Desk(database, now=now)
        yield Room(
            settings=settings,
            record=record,
            queue=queue,
            people=People(database, now=now),
            sign_in=SignIn(database, now=now),
            keys=Keys(database, now=now),
            oidc=OidcClient(settings, http, now) if settings.oidc_issuer else None,
            desk=desk,
            notices=Notices(database, now=now),
            runs=Runs(database, now=now),
            appeals=Appeals(database, now=now),
            evidence=Evidence(database, now=now),
            throttle=Throttle(now),
            audit=AuditLog(database),
            signatures=Signatures(database, now=now),
            trust=TrustBook(database, now=now),
            details=DetailCache(record, Tokens(database, now=now)),
            figures=Remembered(desk.figures, now),
            detectors=Remembered(desk.detectors, now),
            counted=Remembered(lambda: count_days(database, now()), now, seconds=300.0),
            now=now,
            heartbeats=heartbeats,
        )

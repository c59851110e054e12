"""Everything a request works with, opened once at start and closed at the end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx

from dashboard.auth.oidc import OidcClient
from dashboard.auth.throttle import Throttle
from dashboard.details import DetailCache
from dashboard.remembered import Remembered
from dashboard.settings import DashboardSettings
from gateway.model.published import Counted
from gateway.model.quarantine import CaseState
from gateway.store.audit import AuditLog
from gateway.store.cases.figures import CaseFigures, DetectorFigures, Figures
from gateway.store.cases.published import count_days
from gateway.store.cases.record import SqlRecord
from gateway.store.casework.appeals import Appeals
from gateway.store.casework.desk import Desk
from gateway.store.casework.evidence import Evidence
from gateway.store.casework.runs import Runs
from gateway.store.casework.tokens import Tokens
from gateway.store.database import Database, make_data_dir, sqlite_url
from gateway.store.knowledge.rulebook import PublishedRules
from gateway.store.knowledge.signatures import Signatures
from gateway.store.knowledge.trust import TrustBook
from gateway.store.migrate import migrate
from gateway.store.notices import Notices
from gateway.store.people.account import People
from gateway.store.people.keys import Keys
from gateway.store.people.sign_in import SignIn
from gateway.store.quarantine import LiveQueue, Record
from gateway.store.reseal import reseal
from gateway.store.seal import load_seal
from gateway.store.shared.embedded import EmbeddedValkey
from gateway.store.shared.heartbeat import Heartbeats
from gateway.store.shared.redis import RedisQueue

log = logging.getLogger(__name__)
NEAR = timedelta(minutes=30)
"""before its time limit a held case is shown as ending"""


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Room:
    """The stores and settings of one dashboard process."""

    settings: DashboardSettings
    database: Database
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
    rulebook: PublishedRules
    tokens: Tokens
    details: DetailCache
    counts: Remembered[Mapping[CaseState, int]]
    """cases in each state, for the tabs of the queue: counting a hundred thousand at each page is most of its time"""
    ending: Remembered[int]
    """held cases that end within `NEAR`"""
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
        database = Database(url, seal=load_seal(settings.store, settings.data_dir))
        stack.push_async_callback(database.close)
        if resealed := await reseal(database):
            log.warning("secrets.sealed number=%d", resealed)
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
        tokens = Tokens(database, now=now)
        record, figures = SqlRecord(database, now=now), CaseFigures(database, now=now)
        yield Room(
            settings=settings,
            database=database,
            record=record,
            queue=queue,
            people=People(database, now=now),
            sign_in=SignIn(database, now=now),
            keys=Keys(database, now=now),
            oidc=OidcClient(settings, http, now) if settings.oidc_issuer else None,
            desk=Desk(database, now=now),
            notices=Notices(database, now=now),
            runs=Runs(database, now=now),
            appeals=Appeals(database, now=now),
            evidence=Evidence(database, now=now),
            throttle=Throttle(now),
            audit=AuditLog(database),
            signatures=Signatures(database, now=now),
            trust=TrustBook(database, now=now),
            rulebook=PublishedRules(database, now=now),
            tokens=tokens,
            details=DetailCache(record, tokens, settings.native_symbol),
            counts=Remembered(record.counts, now, seconds=1.0),
            ending=Remembered(lambda: record.ending(now() + NEAR), now, seconds=5.0),
            figures=Remembered(figures.day, now),
            detectors=Remembered(figures.detectors, now),
            counted=Remembered(lambda: count_days(database, now()), now, seconds=300.0),
            now=now,
            heartbeats=heartbeats,
        )

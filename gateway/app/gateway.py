"""A running gateway: stores first, then the public edge, then the chain, then the tasks behind it."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from fastapi import FastAPI

from gateway.app import fairness
from gateway.app.chain import Chain, chain_id, open_chain, open_upstream
from gateway.app.engine import check_engine
from gateway.app.judging import build_pipeline, policy_of
from gateway.app.learning import build_learned
from gateway.app.observation import Observation, Watched
from gateway.app.outlet import ReleaseOutlet
from gateway.app.readiness import Readiness
from gateway.app.rehearsal import Rehearsal
from gateway.app.second_opinion import build_verifier
from gateway.app.stores import OpenStores, open_stores
from gateway.decoding.keccak import keccak256
from gateway.errors import ConfigurationError, QueueUnavailable, StopgateError, Unexecutable, UpstreamError
from gateway.inspection import registry
from gateway.inspection.recollection import Recollection
from gateway.inspection.registry import Ruleset
from gateway.jsonrpc.message import MessageLimits
from gateway.jsonrpc.methods import unknown_extras
from gateway.model.primitive import Hash32
from gateway.model.quarantine import CaseState, QuarantineEntry
from gateway.model.transaction import Transaction
from gateway.model.verdict import Action
from gateway.notify.notifier import Notifier
from gateway.pipeline import Pipeline
from gateway.proxy.allowance import Allowances
from gateway.proxy.clients import ClientDesk
from gateway.proxy.dispatch import Dispatch
from gateway.proxy.disposition import Disposition, Steps
from gateway.proxy.endpoint import Endpoint, EndpointLimits, Receive, Scope, Send
from gateway.proxy.forwarding import Forwarding
from gateway.proxy.keeping import Keeping
from gateway.proxy.nonces import NonceDesk, WaitingLimits
from gateway.proxy.overlay import Overlay
from gateway.proxy.pages import add_pages
from gateway.proxy.reply import Terms
from gateway.proxy.service import Parts, RpcService, ServiceLimits, StartingService
from gateway.proxy.status import StatusDesk
from gateway.proxy.turns import Turns
from gateway.proxy.websocket import SocketLimits, Sockets
from gateway.settings import RpcSettings, Settings
from gateway.store.audit_writer import AuditWriter
from gateway.store.expiring import ExpiryWarnings
from gateway.store.notices import Notices
from gateway.tasks.conclude import Conclusion
from gateway.tasks.deferred import DeferredLane
from gateway.tasks.describer import Describer
from gateway.tasks.expiring import Expiring
from gateway.tasks.expiry import Expiry
from gateway.tasks.parked import ParkedLane
from gateway.tasks.rebuild import QueueKeeper
from gateway.tasks.releaser import ReleaseLimits, Releaser
from gateway.tasks.remembering import Remembering
from gateway.tasks.rerunner import Rerunner
from gateway.tasks.rules import RuleKeeper
from gateway.tasks.supervisor import Supervisor
from gateway.telemetry import Metrics, Reading
from gateway.upstream.client import Upstream
from gateway.upstream.health import UpstreamPool
from gateway.upstream.socket import connect

log = structlog.get_logger()

_UPKEEP = 1.0
_DRAIN = 5.0


@dataclass(frozen=True, slots=True)
class _Base:
    """What exists before the chain has answered."""

    settings: Settings
    stores: OpenStores
    upstream: Upstream
    ruleset: Ruleset
    writer: AuditWriter
    metrics: Metrics
    readiness: Readiness
    supervisor: Supervisor
    terms: Terms
    observation: Observation
    allowances: Allowances


class Gateway:
    """The ASGI application. Everything is opened when the server starts it and closed when it stops."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._endpoint: Endpoint | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, or the lifespan (ASGI)."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif self._endpoint is None:
            raise ConfigurationError("the server must run the lifespan protocol; start it with `stopgate serve`")
        else:
            await self._endpoint(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            async with running(self._settings) as self._endpoint:
                await send({"type": "lifespan.startup.complete"})
                await receive()
        except StopgateError as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.shutdown.complete"})


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Endpoint]:
    """A gateway with its tasks; they end with the block.

    Raises:
        ConfigurationError: it cannot be started like this.
        StoreError: a store does not answer.
    """
    _check(settings.rpc)
    check_engine(settings.inspection.engine)
    ruleset = registry.load(disabled=settings.inspection.disabled_detectors, rules=settings.inspection.rules)
    policy = policy_of(settings.policy)
    upstream = open_upstream(settings.upstream)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(upstream.close)
        stores = await stack.enter_async_context(open_stores(settings))
        group = await stack.enter_async_context(asyncio.TaskGroup())
        metrics, readiness = Metrics(), Readiness()
        supervisor = Supervisor(group, metrics)
        stack.callback(supervisor.stop)
        terms = Terms(policy, settings.rpc.public_url.rstrip("/") or f"http://{settings.rpc.listen}")
        writer = AuditWriter(stores.record)
        observation = Observation(upstream, readiness.parts)
        metrics.read_from(observation.readings)
        keeper = RuleKeeper(ruleset.shelf)
        metrics.read_from(keeper.readings)
        metrics.read_from(
            lambda: [Reading("stopgate_audit_lag_seconds", writer.lag(datetime.now(UTC)).total_seconds())]
        )
        base = _Base(
            settings, stores, upstream, ruleset, writer, metrics, readiness, supervisor, terms, observation,
            fairness.allowances(settings.limits),
        )  # fmt: skip
        observation.allowances = base.allowances
        readiness.set("rules", None)
        endpoint = _edge(base)
        supervisor.start("audit", writer.run)
        supervisor.start("rules", keeper.run)
        supervisor.start("chain", lambda: _serve_chain(base, endpoint, stack))
        _watch(base)
        for line in stores.descriptions:
            log.info("store.open", store=line)
        log.info(
            "gateway.started",
            listen=settings.rpc.listen,
            detectors=len(ruleset.detectors),
            rules=len(ruleset.shelf.book.rules),
            ruleset=ruleset.hash,
        )
        try:
            yield endpoint
        finally:
            await _drain(writer)


def _check(rpc: RpcSettings) -> None:
    refused = unknown_extras(rpc.extra_methods)
    if refused:
        names = ", ".join(sorted(refused))
        raise ConfigurationError(f"STOPGATE_RPC__EXTRA_METHODS: {names} cannot be enabled; the method table refuses it")


def _edge(base: _Base) -> Endpoint:
    """The public edge, answering that the chain is not there yet."""
    rpc = base.settings.rpc
    pages = FastAPI(title="Stopgate", docs_url=None, redoc_url=None, openapi_url=None)
    limits = EndpointLimits(
        message=MessageLimits(body_bytes=rpc.body_bytes, depth=rpc.depth, batch_items=rpc.batch_items),
        body_time=timedelta(seconds=rpc.body_seconds),
        in_flight=rpc.in_flight,
        allow_origin=rpc.allow_origin,
    )
    clients = fairness.client_desk(base.settings.limits)
    endpoint = Endpoint(StartingService(base.readiness.missing), limits, base.metrics, pages, clients)

    endpoint.sockets = _sockets(base, endpoint, clients)

    def is_in_flight(hash: Hash32) -> bool:
        service = endpoint.service
        return isinstance(service, RpcService) and service.is_in_flight(hash)

    status = StatusDesk(record=base.stores.record, upstream=base.upstream, terms=base.terms, is_in_flight=is_in_flight)
    add_pages(pages, status=status, metrics=base.metrics, readiness=base.readiness.parts, operators=rpc.operator_ips)
    return endpoint


def _sockets(base: _Base, endpoint: Endpoint, clients: ClientDesk) -> Sockets:
    rpc, url = base.settings.rpc, base.settings.upstream.websocket_url
    limits = SocketLimits(
        connections=rpc.websockets,
        per_client=rpc.websockets_per_client,
        idle_seconds=rpc.websocket_idle_seconds,
        subscriptions=rpc.subscriptions,
        allow_origin=rpc.allow_origin,
    )
    sockets = Sockets(endpoint, clients, limits, (lambda: connect(url)) if url else None)
    base.metrics.read_from(lambda: [Reading("stopgate_websockets", len(sockets))])
    return sockets


async def _serve_chain(base: _Base, endpoint: Endpoint, stack: AsyncExitStack) -> None:
    """Wait for the chain, then put the real service in place and start what depends on it. Ends when that is done."""
    number = await chain_id(base.upstream, base.readiness)
    order = base.stores.order
    chain = await open_chain(base.settings, base.upstream, number, order, stack, alone=base.stores.embedded is not None)
    verifier = build_verifier(chain, base.upstream, base.metrics, base.settings.inspection.verify_sample)
    recollection = Recollection()
    remembering = Remembering(recollection, base.stores.memory, alone=base.stores.embedded is not None)
    learned = build_learned(base.stores, chain, base.upstream, recollection)
    told = [learned.knowledge.offer, learned.reputation.offer, *([verifier.offer] if verifier else [])]
    prices = base.settings.value.book(chain.profile.wrapped_coin)
    pipeline = build_pipeline(
        chain,
        base.ruleset,
        base.terms.policy,
        *told,
        prices=prices,
        remembering=remembering,
        knowledge=learned.knowledge,
    )
    turns = fairness.turns(base.settings.limits, pipeline, chain.simulator, base.allowances)
    describer = Describer(base.stores.tokens, base.upstream, base.stores.record)
    conclusion = Conclusion(base.stores.record, base.stores.queue, describer.offer)
    later, woken = turns.background("slow lane"), turns.background("parked")
    deferred = DeferredLane(base.stores.record, conclusion, later, chain.decode_raw)
    parked = ParkedLane(base.stores.record, conclusion, woken, chain.decode_raw, chain.live.next_nonce)
    service = _service(base, chain, turns, deferred, parked, describer)
    releaser = _releaser(base, chain, pipeline, parked)
    start = base.supervisor.start
    base.observation.watched = Watched(chain, deferred, turns)
    start("head", chain.follower.run)
    start("memory", remembering.run)
    start("knowledge", learned.knowledge.run)
    start("reputation", learned.reputation.run)
    start("recheck", chain.recheck.run)
    start("live", lambda: _maintain(chain, pipeline, base.metrics))
    start("head-age", lambda: base.readiness.watch("head", chain.live.head_state.current))
    start("deferred", deferred.run)
    start("parked", parked.run)
    start("releaser", releaser.run)
    start("describer", describer.run)
    rehearsal = Rehearsal(chain, pipeline, base.ruleset, base.terms.policy, prices)
    start("rerunner", Rerunner(base.stores.runs, base.stores.record, rehearsal.judge).run)
    if verifier is None:
        log.warning("verifier.off", reason="no second engine is installed")
    else:
        start("verifier", verifier.run)
    endpoint.service = service
    base.readiness.set("chain", None)
    log.info("chain.open", chain_id=number, profile=chain.profile.name, engine=chain.simulator.name)


def _service(
    base: _Base, chain: Chain, turns: Turns, deferred: DeferredLane, parked: ParkedLane, describer: Describer
) -> RpcService:
    record, queue, terms, metrics = base.stores.record, base.stores.queue, base.terms, base.metrics
    rpc = base.settings.rpc
    dispatch = Dispatch(base.upstream, metrics, base.settings.upstream.settle_seconds)
    nonces = NonceDesk(record, queue, WaitingLimits(per_client=base.settings.limits.waiting_cases))
    forwarding = Forwarding(
        order=chain.live,
        dispatch=dispatch,
        nonces=nonces,
        note=base.writer.add,
        terms=terms,
        metrics=metrics,
        forwarded=parked.nudge,
    )
    keeping = Keeping(
        record=record,
        queue=queue,
        nonces=nonces,
        deferral=deferred,
        terms=terms,
        metrics=metrics,
        new_case_id=_new_case_id,
        kept=describer.offer,
    )
    disposition = Disposition(
        Steps(chain.decode, turns, nonces, forwarding, keeping),
        record=record,
        queue=queue,
        dispatch=dispatch,
        terms=terms,
        metrics=metrics,
    )
    status = StatusDesk(record=record, upstream=base.upstream, terms=terms, is_in_flight=disposition.is_in_flight)
    overlay = Overlay(record=record, decode=chain.decode)
    limits = ServiceLimits(
        budget=base.settings.inspection.budget,
        transaction_bytes=rpc.transaction_bytes,
        sync_default=timedelta(seconds=rpc.sync_seconds),
        sync_most=timedelta(seconds=rpc.sync_most_seconds),
        extra_methods=rpc.extra_methods,
    )
    parts = Parts(base.upstream, disposition, overlay, status, base.readiness.missing, base.allowances)
    return RpcService(parts, limits, keccak=keccak256, now=lambda: datetime.now(UTC), metrics=metrics)


def _releaser(base: _Base, chain: Chain, pipeline: Pipeline, parked: ParkedLane) -> Releaser:
    upstream, policy = base.settings.upstream, base.terms.policy
    limits = ReleaseLimits(
        arrival=timedelta(seconds=upstream.send_timeout + upstream.connect_timeout + 5),
        hold=timedelta(seconds=policy.hold_seconds),
    )

    async def settled(entry: QuarantineEntry) -> None:
        parked.nudge()

    outlet = ReleaseOutlet(chain, pipeline, base.upstream)
    return Releaser(base.stores.record, base.stores.queue, outlet, limits, settled=settled)


def _watch(base: _Base) -> None:
    """Tasks that need no chain."""
    stores, readiness = base.stores, base.readiness
    keeper = QueueKeeper(stores.record, stores.queue, revive=stores.embedded.ensure if stores.embedded else None)
    base.supervisor.start("queue", keeper.run)
    base.supervisor.start("expiry", Expiry(stores.record, stores.queue).run)
    if base.settings.notify.enabled:
        notifier = Notifier(Notices(stores.database), base.settings.notify.dashboard_url)
        base.supervisor.start("notifier", notifier.run)
        warnings = ExpiryWarnings(stores.database, now=lambda: datetime.now(UTC))
        expiring = Expiring(warnings, timedelta(seconds=base.settings.notify.expiring))
        base.supervisor.start("expiring", expiring.run)
    base.supervisor.start("heartbeat", lambda: base.observation.run(stores.heartbeats))
    base.supervisor.start("queue-ping", lambda: readiness.watch("queue", stores.queue.ping))

    async def look() -> None:
        counts = await stores.record.counts()
        for state in CaseState:
            base.metrics.cases.labels(state).set(counts.get(state, 0))

    base.supervisor.start("record-ping", lambda: readiness.watch("record", look))
    if isinstance(base.upstream, UpstreamPool):
        base.supervisor.start("upstreams", base.upstream.watch)


async def _maintain(chain: Chain, pipeline: Pipeline, metrics: Metrics) -> None:
    while True:
        await asyncio.sleep(_UPKEEP)
        try:
            await chain.live.maintain()
            for transaction in chain.live.take_turned():
                await _judge_again(transaction, pipeline, metrics)
        except (QueueUnavailable, UpstreamError) as error:
            log.warning("live.waiting", error=str(error))


async def _judge_again(transaction: Transaction, pipeline: Pipeline, metrics: Metrics) -> None:
    """A forwarded transaction does something else now. It cannot be called back, but somebody has to know."""
    try:
        verdict = (await pipeline.judge(transaction, time.monotonic() + _UPKEEP)).verdict
    except Unexecutable:
        return  # it will not be mined at all
    if verdict.action is not Action.FORWARD or verdict.observed:
        metrics.pending_turned.inc()
        log.critical("pending.turned", hash=str(transaction.hash), clause=verdict.clause, reason=verdict.reason)


async def _drain(writer: AuditWriter) -> None:
    """Let the notes of what was forwarded become durable before the process ends."""
    try:
        async with asyncio.timeout(_DRAIN):
            await writer.flush()
    except TimeoutError:
        log.critical("audit.not_drained", notes=writer.pending)


def _new_case_id() -> str:
    return "c" + secrets.token_hex(6)

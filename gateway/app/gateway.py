"""A running gateway: stores first, then the public edge, then the chain, then the tasks behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta

import structlog

from gateway.app import fairness
from gateway.app.chain import Chain, chain_id, open_chain, open_upstream, profile_named
from gateway.app.edge import open_edge, open_service
from gateway.app.engine import check_engine
from gateway.app.foundation import Foundation
from gateway.app.judging import build_pipeline, policy_of
from gateway.app.learning import build_learned
from gateway.app.observation import Observation, Watched
from gateway.app.outlet import ReleaseOutlet
from gateway.app.readiness import Readiness
from gateway.app.rehearsal import Rehearsal
from gateway.app.second_opinion import build_verifier
from gateway.app.stores import open_stores
from gateway.app.upkeep import keep_up
from gateway.errors import ConfigurationError, StopgateError
from gateway.inspection import registry
from gateway.inspection.past.recollection import Recollection
from gateway.jsonrpc.methods import unknown_extras
from gateway.model.quarantine import CaseState, QuarantineEntry
from gateway.notify.notifier import Notifier
from gateway.pipeline import Pipeline
from gateway.proxy.endpoint import Endpoint, Receive, Scope, Send
from gateway.proxy.reply import Terms
from gateway.settings import Settings
from gateway.store.audit_writer import AuditWriter
from gateway.store.cases.expiring import ExpiryWarnings
from gateway.store.knowledge.rulebook import PublishedRules
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
from gateway.tasks.rulebook import RulePublisher
from gateway.tasks.rules import RuleKeeper
from gateway.tasks.spending import SharedSpending
from gateway.tasks.supervisor import Supervisor
from gateway.telemetry import Metrics, Reading
from gateway.upstream.health import UpstreamPool

log = structlog.get_logger()

_DRAIN = 5.0


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
    _check(settings)
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
        base = Foundation(
            settings, stores, upstream, ruleset, writer, metrics, readiness, supervisor, terms, observation,
            fairness.allowances(settings.limits),
        )  # fmt: skip
        observation.allowances = base.allowances
        readiness.set("rules", None)
        endpoint = open_edge(base)
        supervisor.start("audit", writer.run)
        supervisor.start("rules", keeper.run)
        published = PublishedRules(stores.database, now=lambda: datetime.now(UTC))
        supervisor.start("rulebook", RulePublisher(ruleset, published, observation.replica).run)
        supervisor.start("chain", lambda: _serve_chain(base, endpoint, stack))
        _watch(base)
        for line in stores.descriptions:
            log.info("store.open", store=line)
        log.info(
            "gateway.started",
            listen=settings.rpc.listen,
            detectors=len(ruleset.detectors),
            packages=[str(package) for package in ruleset.packages],
            rules=len(ruleset.shelf.book.rules),
            ruleset=ruleset.hash,
        )
        try:
            yield endpoint
        finally:
            await _drain(writer)


async def _serve_chain(base: Foundation, endpoint: Endpoint, stack: AsyncExitStack) -> None:
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
    service = open_service(base, chain, turns, deferred, parked, describer)
    releaser = _releaser(base, chain, pipeline, parked)
    start = base.supervisor.start
    base.observation.watched = Watched(chain, deferred, turns)
    start("head", chain.follower.run)
    start("memory", remembering.run)
    start("knowledge", learned.knowledge.run)
    start("reputation", learned.reputation.run)
    start("recheck", chain.recheck.run)
    start("live", lambda: keep_up(chain, pipeline, base.metrics))
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


def _check(settings: Settings) -> None:
    """What would otherwise be found out only when the chain has answered, or never."""
    refused = unknown_extras(settings.rpc.extra_methods)
    if refused:
        names = ", ".join(sorted(refused))
        raise ConfigurationError(f"STOPGATE_RPC__EXTRA_METHODS: {names} cannot be enabled; the method table refuses it")
    if settings.upstream.profile:
        profile_named(settings.upstream.profile)


def _releaser(base: Foundation, chain: Chain, pipeline: Pipeline, parked: ParkedLane) -> Releaser:
    upstream, policy = base.settings.upstream, base.terms.policy
    limits = ReleaseLimits(
        arrival=timedelta(seconds=upstream.send_timeout + upstream.connect_timeout + 5),
        hold=timedelta(seconds=policy.hold_seconds),
    )

    async def settled(entry: QuarantineEntry) -> None:
        parked.nudge()

    outlet = ReleaseOutlet(chain, pipeline, base.upstream)
    return Releaser(base.stores.record, base.stores.queue, outlet, limits, settled=settled)


def _watch(base: Foundation) -> None:
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
    if stores.embedded is None:
        spending = SharedSpending(base.allowances.take_spent, base.allowances.spent_elsewhere, stores.spending.exchange)
        base.supervisor.start("spending", spending.run)
        base.metrics.read_from(lambda: [Reading("stopgate_limits_shared", spending.shared)])
    base.supervisor.start("heartbeat", lambda: base.observation.run(stores.heartbeats))
    base.supervisor.start("queue-ping", lambda: readiness.watch("queue", stores.queue.ping))

    async def look() -> None:
        counts = await stores.record.counts()
        for state in CaseState:
            base.metrics.cases.labels(state).set(counts.get(state, 0))

    base.supervisor.start("record-ping", lambda: readiness.watch("record", look))
    if isinstance(base.upstream, UpstreamPool):
        base.supervisor.start("upstreams", base.upstream.watch)


async def _drain(writer: AuditWriter) -> None:
    """Let the notes of what was forwarded become durable before the process ends."""
    try:
        async with asyncio.timeout(_DRAIN):
            await writer.flush()
    except TimeoutError:
        log.critical("audit.not_drained", notes=writer.pending)

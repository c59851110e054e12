"""What the parts count for themselves, as metrics, as health items for the dashboard, and as events when it turns."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from gateway.app.chain import Chain
from gateway.errors import QueueUnavailable
from gateway.live.head_state import HeadUnknown
from gateway.live.recheck import Outcome
from gateway.model.health import GatewayHealth, HealthItem
from gateway.proxy.allowance import Allowances
from gateway.proxy.turns import Turns
from gateway.store.shared.heartbeat import Heartbeats
from gateway.tasks.deferred import DeferredLane
from gateway.telemetry import Reading
from gateway.upstream.client import Upstream
from gateway.upstream.health import UpstreamPool

log = structlog.get_logger()

_MANY = 3
"""this many round trips, or blocks behind, and all above are counted together"""
_BEAT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Watched:
    """The parts of an open chain that count."""

    chain: Chain
    deferred: DeferredLane
    turns: Turns


class Observation:
    """Reads the statistics of one gateway process; changes nothing."""

    def __init__(
        self,
        upstream: Upstream,
        missing: Callable[[], dict[str, str | None]],
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`missing`: every part that must work with what is wrong with it, or None."""
        self._upstream, self._missing, self._now = upstream, missing, now
        self.watched: Watched | None = None
        """None until the chain has answered"""
        self.allowances: Allowances | None = None
        self.replica = f"{socket.gethostname()}:{os.getpid()}"
        self._told: dict[str, str] = {}

    def readings(self) -> Iterator[Reading]:
        """For `Metrics.read_from`."""
        for part, problem in self._missing().items():
            yield Reading("stopgate_ready", problem is None, part)
        if isinstance(self._upstream, UpstreamPool):
            yield from _upstream_readings(self._upstream)
        if self.watched is not None:
            yield from _live_readings(self.watched.chain)
            yield Reading("stopgate_deferred_waiting", len(self.watched.deferred))
            yield Reading("stopgate_inspections_waiting", self.watched.turns.waiting)
        if self.allowances is not None:
            yield Reading("stopgate_clients", len(self.allowances))
            for limit, count in self.allowances.refusals.items():
                yield Reading("stopgate_client_refusals", count, limit)

    def health(self) -> GatewayHealth:
        """How the process is at this moment."""
        items = [HealthItem(part, problem is None, problem or "works") for part, problem in self._missing().items()]
        if isinstance(self._upstream, UpstreamPool):
            items += _upstream_items(self._upstream)
        if self.watched is not None:
            items += _live_items(self.watched)
        return GatewayHealth(self.replica, self._now(), tuple(items))

    def tell_changes(self) -> None:
        """Log what turned since the last call: upstreams that fail, recover, contradict; wrong state."""
        state = dict(self._changing())
        for part, says in state.items():
            before = self._told.get(part, "")
            if says != before:
                tell = log.error if says else log.warning
                tell(
                    "upstream.changed" if part.startswith("upstream") else "state.wrong", part=part, now=says or "works"
                )
        self._told = state

    def _changing(self) -> Iterator[tuple[str, str]]:
        if isinstance(self._upstream, UpstreamPool):
            yield "upstreams", self._upstream.disagreement or ""
            for member in self._upstream.members:
                yield f"upstream {member.name}", "its circuit is open" if member.breaker.open else ""
        if self.watched is not None:
            wrong = self.watched.chain.live.head_state.carrier.statistics.samples_wrong
            yield "samples", f"{wrong} known slots contradicted the node since start" if wrong else ""

    async def run(self, heartbeats: Heartbeats) -> None:
        """Beat for ever; the sign of life is taken away when the process stops in order."""
        try:
            while True:
                self.tell_changes()
                try:
                    await heartbeats.beat(self.health())
                except QueueUnavailable as error:
                    log.debug("heartbeat.not_left", error=str(error))  # the queue's own probe is loud about it
                await asyncio.sleep(_BEAT_SECONDS)
        finally:
            await _leave(heartbeats, self.replica)


async def _leave(heartbeats: Heartbeats, replica: str) -> None:
    try:
        await heartbeats.leave(replica)
    except QueueUnavailable as error:
        log.debug("heartbeat.not_taken_away", error=str(error))  # it is shown as silent, and forgotten later


def _upstream_readings(pool: UpstreamPool) -> Iterator[Reading]:
    for member in pool.members:
        yield Reading("stopgate_upstream_up", not member.breaker.open, member.name)
        yield Reading("stopgate_upstream_forked", member.forked, member.name)
        if member.head is not None:
            yield Reading("stopgate_upstream_head_age_seconds", pool.head_age(member), member.name)
    yield Reading("stopgate_upstream_disagreement", pool.disagreement is not None)
    yield Reading("stopgate_upstream_failovers", pool.failovers)


def _live_readings(chain: Chain) -> Iterator[Reading]:
    live, heads = chain.live, chain.follower.statistics
    carried, overlay, rechecks = live.head_state.carrier.statistics, live.overlay.statistics, chain.recheck.statistics
    view = live.head_state.view
    if view is not None:
        yield Reading("stopgate_head_number", view.head.number)
        yield Reading("stopgate_head_age_seconds", live.head_state.age(view))
        yield Reading("stopgate_overlay_transactions", sum(item.effects is not None for item in view.standing))
    for event in ("heads", "gaps", "reorgs", "discontinuities", "poll_failures", "subscription_failures"):
        yield Reading("stopgate_head_events", getattr(heads, event), event)
    yield Reading("stopgate_reorg_deepest_blocks", heads.deepest_reorg)
    for way, count in (("trace", carried.by_trace), ("proof", carried.by_proof), ("dropped", carried.dropped)):
        yield Reading("stopgate_head_carried", count, way)
    yield Reading("stopgate_state_keys", len(live.head_state.cache))
    yield Reading("stopgate_state_samples", carried.samples - carried.samples_wrong, "right")
    yield Reading("stopgate_state_samples", carried.samples_wrong, "wrong")
    for trips in range(_MANY):
        yield Reading("stopgate_simulations", live.statistics.by_trips[trips], str(trips))
    many = sum(count for trips, count in live.statistics.by_trips.items() if trips >= _MANY)
    yield Reading("stopgate_simulations", many, f"{_MANY} or more")
    yield Reading("stopgate_simulation_restarts", live.statistics.restarts)
    yield Reading("stopgate_admissions", live.statistics.newest_head, "newest")
    yield Reading("stopgate_admissions", live.statistics.admitted - live.statistics.newest_head, "older")
    for event in ("conflicts", "opaque", "unshared", "reinjected", "turned", "dropped"):
        yield Reading("stopgate_overlay_events", getattr(overlay, event), event)
    for outcome in Outcome:
        yield Reading("stopgate_rechecks", rechecks.outcomes[outcome], outcome)
    for behind in range(_MANY):
        yield Reading("stopgate_verdicts_behind", rechecks.behind[behind], str(behind))
    stale = sum(count for behind, count in rechecks.behind.items() if behind >= _MANY)
    yield Reading("stopgate_verdicts_behind", stale, f"{_MANY} or more")


def _upstream_items(pool: UpstreamPool) -> Iterator[HealthItem]:
    for member in pool.members:
        head = f"head {member.head.number}" if member.head is not None else "no head seen"
        says = "its circuit is open: it did not answer" if member.breaker.open else "contradicts the majority"
        bad = member.breaker.open or member.forked
        yield HealthItem(f"upstream {member.name}", not bad, f"{says}; {head}" if bad else f"answers; {head}")
    if len(pool.members) > 1:
        says = pool.disagreement or f"no contradiction; {pool.failovers} requests went on to another"
        yield HealthItem("upstreams agree", pool.disagreement is None, says)


def _live_items(watched: Watched) -> Iterator[HealthItem]:
    live, heads = watched.chain.live, watched.chain.follower.statistics
    try:
        view = live.head_state.present()
    except HeadUnknown as error:
        yield HealthItem("chain head", False, str(error))
    else:
        age = live.head_state.age(view)
        says = f"block {view.head.number}, {age:.1f} s old; {heads.reorgs} reorgs, the deepest of {heads.deepest_reorg}"
        yield HealthItem("chain head", True, says)
        pending = sum(item.effects is not None for item in view.standing)
        says = (
            f"{pending} forwarded and not mined; {live.overlay.statistics.conflicts} verdicts given again because of it"
        )
        yield HealthItem("pending order", not view.incomplete, says)
    counted, simulations = live.statistics, max(live.statistics.simulations, 1)
    cold = max(counted.simulations - counted.warm, 1)
    warm, trips = 100 * counted.warm / simulations, counted.trips / cold
    says = f"{warm:.1f} % of inspections without a round trip, the others with {trips:.2f} on average"
    yield HealthItem("round trips", True, says)
    carried, outcomes = live.head_state.carrier.statistics, watched.chain.recheck.statistics.outcomes
    wrong = carried.samples_wrong + outcomes[Outcome.WRONG]
    says = (
        f"{carried.samples} slots compared, {carried.samples_wrong} wrong; "
        f"{outcomes[Outcome.RIGHT]} verdicts compared with the chain, {outcomes[Outcome.WRONG]} wrong"
    )
    yield HealthItem("state is right", wrong == 0, says)
    lane = watched.deferred
    yield HealthItem("slow lane", len(lane) < lane.capacity, f"{len(lane)} of {lane.capacity} places taken")

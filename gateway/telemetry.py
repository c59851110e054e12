"""Every metric name and log event of the gateway, once. Made by the composition root and handed down."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TextIO

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

METRICS_CONTENT_TYPE = CONTENT_TYPE_LATEST

_FAST = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class Reading(NamedTuple):
    """One value read when somebody asks for it: name in `READINGS`, value, and its label's value if it has one."""

    name: str
    value: float
    label: str = ""


class _Kind(NamedTuple):
    help: str
    label: str = ""
    counter: bool = False


READINGS = {
    "stopgate_head_number": _Kind("Number of the block that verdicts are given on"),
    "stopgate_head_age_seconds": _Kind("Since the newest head was taken over"),
    "stopgate_head_events": _Kind("Heads, gaps, reorgs, discontinuities, lost subscriptions", "event", counter=True),
    "stopgate_head_carried": _Kind("How known state was carried to a new head", "way", counter=True),
    "stopgate_reorg_deepest_blocks": _Kind("Depth of the deepest reorg since start"),
    "stopgate_simulations": _Kind("Simulations by the round trips they waited for; 0 is warm", "trips", counter=True),
    "stopgate_simulation_restarts": _Kind("Simulations begun again because the head moved", counter=True),
    "stopgate_admissions": _Kind("Verdicts admitted to forwarding, by the head they stand on", "head", counter=True),
    "stopgate_state_keys": _Kind("Accounts and slots known at the head"),
    "stopgate_state_samples": _Kind("Known slots compared with the node, by outcome", "outcome", counter=True),
    "stopgate_rechecks": _Kind("Verdicts compared with what the chain did, by outcome", "outcome", counter=True),
    "stopgate_verdicts_behind": _Kind(
        "Rechecked verdicts by blocks between head and inclusion", "blocks", counter=True
    ),
    "stopgate_overlay_transactions": _Kind("Forwarded transactions on top of the head"),
    "stopgate_overlay_events": _Kind("What happened to forwarded transactions", "event", counter=True),
    "stopgate_upstream_up": _Kind("1 if the upstream answers, 0 while its circuit is open", "upstream"),
    "stopgate_upstream_forked": _Kind("1 while the upstream contradicts the majority", "upstream"),
    "stopgate_upstream_head_age_seconds": _Kind("Since the upstream showed a new head", "upstream"),
    "stopgate_upstream_disagreement": _Kind("1 while upstreams contradict each other"),
    "stopgate_upstream_failovers": _Kind("Requests that went on to another upstream", counter=True),
    "stopgate_deferred_waiting": _Kind("Cases in the slow lane of this process"),
    "stopgate_clients": _Kind("Clients with an allowance of their own in this process"),
    "stopgate_client_refusals": _Kind("Calls refused for want of allowance, by what ran out", "limit", counter=True),
    "stopgate_limits_shared": _Kind("1 while clients' spending is told to other replicas; absent without replicas"),
    "stopgate_inspections_waiting": _Kind("Submissions that wait for their turn to be inspected"),
    "stopgate_websockets": _Kind("Open WebSocket connections"),
    "stopgate_rules": _Kind("Rules of protocols in force, by mode", "mode"),
    "stopgate_rules_refused": _Kind("1 while the rule files as they are now are wrong, and older ones in force"),
    "stopgate_rule_findings": _Kind("Transactions that a rule spoke of, by rule", "rule", counter=True),
    "stopgate_audit_lag_seconds": _Kind("Age of the oldest audit note that is not durable yet"),
    "stopgate_ready": _Kind("1 if the part works, 0 if not", "part"),
}
"""Values that parts count for themselves; `Metrics.read_from` names who tells them."""

VERIFICATION_OUTCOMES = ("agreed", "explained", "disagreed", "failed", "dropped")
FAILURE_PARTS = ("audit", "order", "queue", "record")
ROUTES = ("inspect", "pass through", "overlay", "local", "refuse")
"""as `gateway.jsonrpc.methods.Route` has them; a call that stays without one is refused"""


class Metrics:
    """The gateway's metrics in a registry of their own, so that two gateways in one process do not mix."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._sources: list[Callable[[], Iterable[Reading]]] = []
        self.registry.register(self)
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "stopgate_requests_total",
            "JSON-RPC calls by route and outcome",
            ["route", "outcome"],
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "stopgate_request_seconds", "From body read to answer, by route", ["route"], buckets=_FAST,
            registry=self.registry,
        )  # fmt: skip
        self.in_flight = Gauge("stopgate_requests_in_flight", "HTTP requests being answered", registry=self.registry)
        self.submissions = Counter(
            "stopgate_submissions_total",
            "Submissions by action and clause",
            ["action", "clause"],
            registry=self.registry,
        )
        self.stage_seconds = Histogram(
            "stopgate_stage_seconds",
            "Time of one stage of inspection",
            ["stage"],
            buckets=_FAST,
            registry=self.registry,
        )
        self.detectors_incomplete = Counter(
            "stopgate_detectors_incomplete_total", "Detector runs that did not complete", ["detector", "status"],
            registry=self.registry,
        )  # fmt: skip
        self.failure_answers = Counter(
            "stopgate_failure_answers_total", "Answers given by policy because a part failed", ["part"],
            registry=self.registry,
        )  # fmt: skip
        self.upstream_errors = Counter(
            "stopgate_upstream_errors_total", "Calls that the upstream did not answer", ["kind"], registry=self.registry
        )
        self.unsettled = Counter(
            "stopgate_submissions_unsettled_total", "Submissions whose fate at the upstream stayed open",
            registry=self.registry,
        )  # fmt: skip
        self.pending_turned = Counter(
            "stopgate_pending_turned_total", "Forwarded transactions that would not be forwarded now",
            registry=self.registry,
        )  # fmt: skip
        self.verifications = Counter(
            "stopgate_verifications_total", "Transactions run again on the other engine, by outcome", ["outcome"],
            registry=self.registry,
        )  # fmt: skip
        self.task_failures = Counter(
            "stopgate_task_failures_total", "Background tasks that failed and were started again", ["task"],
            registry=self.registry,
        )  # fmt: skip
        self.cases = Gauge("stopgate_cases", "Cases in the record by state", ["state"], registry=self.registry)
        self._begin_at_zero()

    def _begin_at_zero(self) -> None:
        """Show what alerts wait for before it happens: a series that begins at 1 has no increase."""
        for outcome in VERIFICATION_OUTCOMES:
            self.verifications.labels(outcome)
        for part in FAILURE_PARTS:
            self.failure_answers.labels(part)
        for route in ROUTES:
            self.requests.labels(route, "defect")

    def read_from(self, source: Callable[[], Iterable[Reading]]) -> None:
        """Ask `source` for its readings at every scrape; it must neither wait nor raise."""
        self._sources.append(source)

    def collect(self) -> Iterator[Metric]:
        """The readings as families, for the registry."""
        families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
        for name, kind in READINGS.items():
            family = CounterMetricFamily if kind.counter else GaugeMetricFamily
            families[name] = family(name, kind.help, labels=[kind.label] if kind.label else [])
        for source in self._sources:
            for reading in source():
                labels = [reading.label] if READINGS[reading.name].label else []
                families[reading.name].add_metric(labels, reading.value)
        yield from families.values()

    def render(self) -> bytes:
        """The text exposition format."""
        return generate_latest(self.registry)


def configure_logging(level: str = "INFO", *, json: bool = True, stream: TextIO | None = None) -> None:
    """Send structured log lines to `stream` (standard error by default): JSON, or aligned text for a terminal.

    Raw transactions and credentials are never logged; events are constant dotted names with fields.
    """
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if json else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=stream or sys.stderr),
        cache_logger_on_first_use=False,
    )

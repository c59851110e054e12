"""Every metric name and log event of the gateway, once. Made by the composition root and handed down."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

METRICS_CONTENT_TYPE = CONTENT_TYPE_LATEST

_FAST = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class Metrics:
    """The gateway's metrics in a registry of their own, so that two gateways in one process do not mix."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
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
            "stopgate_pending_turned_total", "Forwarded transactions that would not be forwarded now", ["clause"],
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
        self.audit_lag = Gauge(
            "stopgate_audit_lag_seconds", "Age of the oldest audit note that is not durable yet", registry=self.registry
        )
        self.cases = Gauge("stopgate_cases", "Cases in the record by state", ["state"], registry=self.registry)
        self.ready = Gauge("stopgate_ready", "1 if submissions are accepted, by part", ["part"], registry=self.registry)

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

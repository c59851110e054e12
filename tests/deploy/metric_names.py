"""What PromQL expressions name, held against what the gateway exports."""

from __future__ import annotations

import re

from prometheus_client import Histogram
from prometheus_client.metrics import MetricWrapperBase

from gateway.telemetry import READINGS, Metrics

_SELECTOR = re.compile(r"\b(stopgate_[a-z_]+[a-z])(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'([a-z_]+)\s*(?:=~|!~|!=|=)\s*"')
_GROUPING = re.compile(r"\b(?:by|ignoring|on|without) \(([^)]*)\)")
_FROM_PROMETHEUS = {"instance", "job"}


def exported() -> dict[str, set[str]]:
    """Every sample name of /metrics with its labels."""
    names: dict[str, set[str]] = {}
    for metric in vars(Metrics()).values():
        if isinstance(metric, MetricWrapperBase):
            (family,), labels = metric.describe(), set(metric._labelnames)
            if isinstance(metric, Histogram):
                names |= {f"{family.name}_{suffix}": set(labels) for suffix in ("sum", "count")}
                names[f"{family.name}_bucket"] = labels | {"le"}
            else:
                names[f"{family.name}_total" if family.type == "counter" else family.name] = labels
    for name, kind in READINGS.items():
        names[f"{name}_total" if kind.counter else name] = {kind.label} if kind.label else set()
    return names


def unknown_in(expression: str) -> list[str]:
    """What is wrong with the names in `expression`; empty if every metric and label exists."""
    names, problems, labels = exported(), [], set(_FROM_PROMETHEUS)
    for name, matchers in _SELECTOR.findall(expression):
        if name not in names:
            problems.append(f"no metric {name}")
            continue
        labels |= names[name]
        problems += [
            f"{name} has no label {label}"
            for label in _MATCHER.findall(matchers)
            if label not in names[name] | _FROM_PROMETHEUS
        ]
    for group in _GROUPING.findall(expression):
        problems += [f"no label {label}" for label in re.split(r"\s*,\s*", group.strip()) if label not in labels]
    return problems

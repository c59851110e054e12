"""The figures of the scoreboard, each with its n and its bound."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateway.evaluate.run import CaseResult, HonestResult, Judged

OUT_OF_SAMPLE = "2024"
"""cases of this year and later are the validation set; thresholds are set on the earlier ones"""
GAS_CLASSES = ((100_000, "< 100 k"), (1_000_000, "< 1 M"), (10_000_000, "< 10 M"))


@dataclass(frozen=True, slots=True)
class Recall:
    """Caught among tried, with a 95 % Wilson interval."""

    caught: int
    tried: int

    @property
    def rate(self) -> float | None:
        """None if nothing was tried."""
        return self.caught / self.tried if self.tried else None

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson score interval at 95 %."""
        if not self.tried:
            return 0.0, 1.0
        z, n, p = 1.96, self.tried, self.caught / self.tried
        middle = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
        return max(0.0, middle - half), min(1.0, middle + half)

    def __str__(self) -> str:
        if self.rate is None:
            return "none tried"
        low, high = self.interval
        return f"{self.caught}/{self.tried} = {self.rate:.1%} ({low:.0%} to {high:.0%})"


@dataclass(frozen=True, slots=True)
class Alarms:
    """False alarms among independent looks, with the one-sided 95 % upper bound."""

    alarms: int
    tried: int

    @property
    def bound(self) -> float | None:
        """Upper bound of the rate: the rule of three and its successors (Poisson)."""
        return min(1.0, poisson_bound(self.alarms) / self.tried) if self.tried else None

    def __str__(self) -> str:
        if self.bound is None:
            return "none tried"
        return f"{self.alarms}/{self.tried}, rate below {self.bound:.3%} at 95 %"


def poisson_bound(events: int) -> float:
    """The mean above which seeing `events` or fewer has less than 5 % chance; 3.00 for none, 4.74 for one."""
    low, high = 0.0, 10.0 + 3.0 * events
    for _ in range(60):
        mean = (low + high) / 2
        term, total = math.exp(-mean), 0.0
        for count in range(events + 1):
            total += term
            term *= mean / (count + 1)
        low, high = (mean, high) if total > 0.05 else (low, mean)
    return high


def precision(recall: float, false_rate: float, base_rate: float) -> float:
    """The part of holds that are attacks, when one transaction in 1/`base_rate` is one."""
    hits = recall * base_rate
    return hits / (hits + false_rate * (1 - base_rate)) if hits else 0.0


def recall_of(results: Iterable[CaseResult]) -> Recall:
    """Recall over `results`."""
    listed = list(results)
    return Recall(sum(result.held for result in listed), len(listed))


def recall_by_class(results: Sequence[CaseResult]) -> dict[str, Recall]:
    """One row for each class (two levels) or fixture family; a case of several classes counts in each."""
    rows: dict[str, list[CaseResult]] = {}
    for result in results:
        names = {"/".join(name.split("/")[:2]) for name in result.case.classes}
        for name in sorted(names) or [result.case.family or "untagged"]:
            rows.setdefault(name, []).append(result)
    return {name: recall_of(rows[name]) for name in sorted(rows, key=lambda name: (-len(rows[name]), name))}


def clusters(honest: Sequence[HonestResult]) -> Alarms:
    """False alarms per distinct (contract, selector): ten thousand transactions of one bot are one observation."""
    tried, alarmed = set(), set()
    for result in honest:
        if result.kind == "transfer":
            continue
        key = (result.transaction.to, result.transaction.selector)
        tried.add(key)
        if result.judged.held:
            alarmed.add(key)
    return Alarms(len(alarmed), len(tried))


def incomplete(judged: Iterable[Judged]) -> Counter[str]:
    """How many inspections were not whole, by reason; never counted as clean."""
    return Counter(reason for one in judged if (reason := one.incomplete) is not None)


def by_detector(results: Sequence[CaseResult]) -> Counter[str]:
    """For each detector, in how many caught cases it spoke."""
    return Counter(name for result in results for name in result.detectors)


def times(judged: Sequence[Judged]) -> dict[str, Mapping[str, float]]:
    """Milliseconds of inspection beside simulation, by gas class: n, p50, p95, p99, max."""
    groups: dict[str, list[float]] = {}
    for one in judged:
        label = next((name for limit, name in GAS_CLASSES if one.gas < limit), ">= 10 M")
        groups.setdefault(label, []).append(one.inspection_seconds * 1000)
        groups.setdefault("all", []).append(one.inspection_seconds * 1000)
    names = [name for _, name in GAS_CLASSES] + [">= 10 M", "all"]
    return {name: _percentiles(sorted(groups[name])) for name in names if name in groups}


def _percentiles(values: list[float]) -> dict[str, float]:
    def at(part: float) -> float:
        return round(values[min(len(values) - 1, int(part * len(values)))], 3)

    return {"n": len(values), "p50": at(0.5), "p95": at(0.95), "p99": at(0.99), "max": round(values[-1], 3)}

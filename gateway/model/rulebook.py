"""What gateways tell of the rules that protocols wrote: which are in force, and how often each spoke."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from gateway.model.finding import Confidence, Severity
from gateway.model.primitive import Address


@dataclass(frozen=True, slots=True)
class PublishedRule:
    """One rule as people read it; what it looks for stays in its file."""

    id: str
    title: str
    owner: str
    """who answers for it"""
    mode: str
    """enforce, shadow or off"""
    status: str
    """experimental, stable or deprecated"""
    severity: Severity
    confidence: Confidence
    contracts: tuple[Address, ...]
    """empty: every transaction"""
    selectors: tuple[str, ...]
    """hex; empty: every call"""
    chains: tuple[int, ...]
    """empty: every chain"""
    expires: date | None
    """the first day (UTC) on which it is silent"""
    tests: int
    source: str
    """file and line"""


@dataclass(frozen=True, slots=True)
class RulesInForce:
    """What one gateway process goes by."""

    replica: str
    at: datetime
    """when it last said so"""
    ruleset: str
    """the hash that its verdicts carry"""
    packages: tuple[str, ...]
    """the distributions that brought its detectors, with their versions"""
    detectors: int
    rules: tuple[PublishedRule, ...]
    since: datetime
    """when these rules came into force"""
    problem: str | None = None
    """why the files as they are now are not in force; None if they are"""
    problem_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class RuleHits:
    """How often a rule spoke in a span of time."""

    rule_id: str
    hits: int
    """judgements in which it spoke; a transaction that is judged again counts again"""
    last_at: datetime

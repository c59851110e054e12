"""The operator's policy as a value: clauses, failure answers, mode."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from gateway.model.finding import Confidence, Severity
from gateway.model.primitive import Address
from gateway.model.verdict import Action


class Mode(StrEnum):
    """ENFORCE acts on verdicts; OBSERVE forwards everything and records what it would have done."""

    OBSERVE = "observe"
    ENFORCE = "enforce"


@dataclass(frozen=True, slots=True)
class Clause:
    """One named rule of the policy; the first that matches speaks.

    A finding matches if it reaches both thresholds, or the detectors named say it.
    """

    name: str
    action: Action
    severity: Severity = Severity.HIGH
    confidence: Confidence = Confidence.MEDIUM
    detectors: frozenset[str] = frozenset()
    """empty: any detector"""
    findings: int = 1
    """how many matching findings of different detectors it takes"""


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything `decide` may weigh beside the report. No default hides in a code path."""

    clauses: tuple[Clause, ...]
    mode: Mode = Mode.ENFORCE
    trusted_senders: frozenset[Address] = frozenset()
    """lowers confidence by one step, never skips inspection"""
    on_over_budget: Action = Action.DEFER
    on_detector_timeout: Action = Action.DEFER
    on_simulation_error: Action = Action.HOLD
    on_detector_failure: Action = Action.HOLD
    on_simulated_revert: Action = Action.FORWARD
    """a transaction whose simulation reverts and that carries no finding"""
    on_queue_unavailable: Action = Action.HOLD
    """Redis is down: hold in SQL alone"""
    on_record_unavailable: Action = Action.REJECT
    """SQL is down: nothing can be held without the record"""
    hold_seconds: int = 6 * 3600
    """a hold ends before the chain's forced-inclusion window does"""
    labels: frozenset[str] = field(default_factory=frozenset)

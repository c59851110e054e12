"""What a detector says: findings and how its run ended. Facts only; consequence is policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import NamedTuple

from gateway.model.primitive import Address


class Severity(IntEnum):
    """How bad it is if true."""

    INFO = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4


class Confidence(IntEnum):
    """How sure the detector is; never merged with severity."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """One observation with its evidence. Title and references are copied in, so that old cases stay legible."""

    detector_id: str
    title: str
    severity: Severity
    confidence: Confidence
    summary: str
    """one sentence an analyst understands, with the amounts and addresses that matter"""
    victim: Address | None = None
    attacker: Address | None = None
    instrument: Address | None = None
    """the contract that was used, if it is neither: a lender, a router, a pair"""
    frames: tuple[int, ...] = ()
    evidence: Mapping[str, str] = field(default_factory=dict)
    """named facts for the page, already as text"""
    references: tuple[str, ...] = ()


def finding_key(finding: Finding) -> str:
    """What makes two findings the same to an analyst: who says it, how bad, against whom. Amounts may differ."""
    return f"{finding.detector_id}|{finding.severity.name}|{finding.victim or ''}"


class OutcomeStatus(StrEnum):
    """How a detector's run ended; silence is never safety."""

    COMPLETED = "completed"
    TIMED_OUT = "timed-out"
    FAILED = "failed"
    UNSUPPORTED = "unsupported"
    """the engine could not supply what the detector needs"""


class DetectorOutcome(NamedTuple):
    """One detector's run. A named tuple, for each inspection makes one for every detector that has something to do."""

    detector_id: str
    status: OutcomeStatus
    duration: float
    """seconds"""
    error: str | None = None
    binding: bool = True
    """False for a rule in shadow: that it did not complete is recorded, and decides nothing"""


@dataclass(frozen=True, slots=True)
class InspectionReport:
    """All that was found about one transaction: input of `decide`."""

    findings: tuple[Finding, ...]
    outcomes: tuple[DetectorOutcome, ...]
    simulated: bool
    """False if there was no simulation result to look at"""
    reverted: bool = False
    truncated: str | None = None
    error: str | None = None
    """why there was no simulation, in the engine's words"""
    ruleset_hash: str = ""
